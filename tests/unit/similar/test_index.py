"""What requests have in common, told by the registrations alone: and what must never be told."""

import random
from itertools import pairwise, permutations

import pytest
from msgspec.structs import replace

from router.catalogue.rows import Similar
from router.similar import sketch as sketches
from router.similar.index import COMPARED, Found, Index, _Looking, entry, key
from router.similar.sketch import KEPT, Likeness, Sketch, sketch
from tests.unit.similar.requests import LIGHT, LIGHT_AGAIN, NOISE, came
from workflows import events as ev

SECRET = key(b"a deployment's own")
DAY = 86_400_000


def tell(*records: ev.EventRecord) -> list[list[Found]]:
    index = Index(Similar())
    return [index.take(record, SECRET) for record in records]


def kinds(found: list[Found]) -> list[str]:
    return [one.what for one in found]


def test_the_same_person_is_known_however_the_number_is_written() -> None:
    """By phone or by identity number; never by a number too short to be one; and only about the same matter."""
    told = tell(
        came(1, phone="13800001111"),
        came(2, NOISE, phone="+86 138-0000-1111"),
        came(3, NOISE, phone="0086(138)00001111", category="C2"),
        came(4, NOISE, phone="110", region="370103"),
        came(5, phone="110", category="C9", region="370103"),
    )
    assert [kinds(found) for found in told[:3]] == [[], ["repeat"], ["repeat"]]
    assert told[1][0].count == 2
    assert [other.number for other in told[2][0].others] == ["n-2"], (
        "the noise again, under another category; not the light"
    )
    assert told[3:] == [[], []]
    by_id = tell(came(1, id_number="37010219900101001x"), came(2, NOISE, id_number="37010219900101001X"))
    assert kinds(by_id[1]) == ["repeat"]


def test_a_person_is_forgotten_after_the_window() -> None:
    told = tell(came(1, phone="13800001111"), came(2, phone="13800001111", at=30 * DAY), came(3, at=61 * DAY))
    assert kinds(told[1]) == ["repeat", "alike"]
    index = Index(Similar())
    for record in (came(1, phone="13800001111"), came(2, phone="13800001111", at=31 * DAY)):
        assert index.take(record, SECRET) == []
    assert (len(index.order), len(index.by_case), len(index.by_person)) == (1, 1, 1)


def test_nothing_personal_is_kept() -> None:
    """Neither number nor words, nor anything that follows from them without the secret."""
    record = came(1, phone="13800001111", id_number="37010219900101001X", address="历山路 1 号")
    kept, other = entry(record, SECRET), entry(record, key(b"another deployment's"))
    assert kept is not None and other is not None
    seen = repr([getattr(kept, name) for name in kept.__slots__])
    for secret in ("13800001111", "37010219900101001X", "历山路", "路灯", "小区"):
        assert secret not in seen
    assert set(kept.people).isdisjoint(other.people) and kept.spot != other.spot
    assert len(kept.sketch.hashes) <= KEPT


def test_what_looks_alike_is_put_beside_the_one_it_is_most_alike() -> None:
    told = tell(came(1, NOISE), came(2, LIGHT), came(3, LIGHT_AGAIN))
    assert told[1] == []
    (found,) = told[2]
    assert (found.what, [other.case for other in found.others]) == ("alike", ["c-2"])
    assert found.score >= 0.5


def test_with_whom_nothing_is_put_together() -> None:
    """Another division or matter, one that is over, a report, an application, and whoever does not show his name."""
    closed = ev.EventRecord(case="c-1", version=2, at=1, cause="x", events=(ev.CaseClosed(reason="solved"),))
    assert tell(came(1), came(2, region="370103"))[1] == []
    assert tell(came(1), came(2, category="C2"))[1] == []
    assert tell(came(1), closed, came(2))[2] == []
    for kind in ("report", "application"):
        assert tell(came(1, kind=kind), came(2))[1] == []
        assert tell(came(1), came(2, kind=kind))[1] == []
    for disclosure in ("confidential", "anonymous"):
        assert tell(came(1, disclosure=disclosure), came(2))[1] == []
        assert tell(came(1), came(2, disclosure=disclosure))[1] == []


def test_who_hides_his_name_is_counted_at_most_and_never_shown() -> None:
    told = tell(came(1, phone="13800001111"), came(2, phone="13800001111", disclosure="confidential"))
    assert [(one.what, one.count, one.others) for one in told[1]] == [("repeat", 2, ())]
    told = tell(came(1, phone="13800001111", disclosure="confidential"), came(2, phone="13800001111"))
    assert [(one.what, one.count, one.others) for one in told[1]] == [("repeat", 2, ())]
    assert tell(came(1, phone="13800001111"), came(2, phone="13800001111", disclosure="anonymous"))[1] == []
    assert tell(came(1, phone="13800001111", kind="report"), came(2, phone="13800001111"))[1] == []


def test_a_member_is_answered_with_its_head() -> None:
    """What is like a member is proposed to the head; not where the head is over, or unknown by now."""
    merged = ev.EventRecord(
        case="c-2", version=2, at=1, cause="x", events=(ev.MergeConfirmed(head="c-1", number="n-1"),)
    )
    over = ev.EventRecord(case="c-1", version=2, at=1, cause="x", events=(ev.CaseClosed(reason="solved"),))
    told = tell(came(1, NOISE), came(2, LIGHT), merged, came(3, LIGHT_AGAIN))
    assert [other.case for other in told[3][0].others] == ["c-1"]
    assert tell(came(1, NOISE), came(2, LIGHT), merged, over, came(3, LIGHT_AGAIN))[4] == []


def test_many_people_are_told_at_five_and_at_each_doubling() -> None:
    told = tell(*(came(n, phone=f"1380000{n:04d}") for n in range(1, 25)))
    assert [n for n, found in enumerate(told, 1) if "group" in kinds(found)] == [5, 10, 20]
    (group,) = (one for one in told[4] if one.what == "group")
    assert (group.count, len(group.others)) == (5, 4)


def test_one_who_calls_thirty_times_is_no_group() -> None:
    told = tell(*(came(n, phone="13800001111") for n in range(30)))
    assert not any("group" in kinds(found) for found in told)


def test_emergencies_at_one_place_are_put_together() -> None:
    """Three within two hours at one address; not elsewhere, and not later."""
    at = [0, 10, 20, 4 * 3_600_000]
    told = tell(
        *(
            came(n, NOISE, urgency="emergency", address="历山路 1 号", at=when, category=f"C{n}")
            for n, when in enumerate(at)
        )
    )
    assert [kinds(found) for found in told] == [[], [], ["burst"], []]
    redirected = ev.EmergencyRedirected(task="t", unit="u", endpoint="e")
    told = tell(*(came(n, NOISE, address=f"{n // 2}", category=f"C{n}", more=(redirected,)) for n in range(4)))
    assert told == [[], [], [], []]


def test_a_slip_that_is_entered_later_is_put_with_those_of_its_own_hour() -> None:
    """Not with all that came at that place since."""
    hour = 3_600_000
    told = tell(
        *(
            replace(came(n, NOISE, urgency="emergency", address="历山路 1 号", at=when * hour, category=f"C{n}"), at=100 * hour + n)
            for n, when in enumerate([40, 80, 1, 2, 0])
        )
    )  # fmt: skip
    assert [kinds(found) for found in told] == [[], [], [], [], ["burst"]]
    assert [other.number for other in told[4][0].others] == ["n-2", "n-3"]


def test_of_what_was_taken_over_it_is_only_asked_whether_it_is_one_with_another() -> None:
    """How often somebody came and how many say it was known there; for those who come now it counts."""
    over = (ev.CaseTakenOver(number="旧", by="张工", why="上线"),)
    many = [
        came(n, phone=f"1380000{n % 5:04d}", urgency="emergency", address="历山路 1 号", more=over)
        for n in range(1, 12)
    ]
    told = tell(*many, came(12, phone="13800000001", urgency="emergency", address="历山路 1 号"))
    assert [kinds(found) for found in told[:-1]] == [[]] + [["alike"]] * 10
    assert "repeat" in kinds(told[-1]) and "burst" in kinds(told[-1])


def test_what_is_decided_together_was_registered_in_the_order_of_its_numbers() -> None:
    """A batch has one time: who is first must not be left to the case's id, nor anybody be taken as overtaken."""
    apart = [came(n, phone=f"1380000{n:04d}") for n in range(1, 60)]
    together = [replace(record, at=0, case=f"c-{-n}") for n, record in enumerate(apart)]
    said = [[(found.what, found.count) for found in each] for each in tell(*apart)]
    assert [[(found.what, found.count) for found in each] for each in tell(*together)] == said
    assert sum(each.count(("alike", 2)) for each in said) == 58


def test_the_estimate_is_near_the_truth() -> None:
    """Against the share itself, over texts with more and less in common."""
    chance = random.Random(7)
    words = [chr(0x4E00 + n) for n in range(3000)]
    worst = 0.0
    for share in range(11):
        common = chance.sample(words, 300)
        one = "".join(common)
        other = "".join([*common[: share * 30], *chance.sample(words, 300 - share * 30)])
        pairs = [set(map("".join, pairwise(text))) for text in (one, other)]
        true = len(pairs[0] & pairs[1]) / len(pairs[0] | pairs[1])
        worst = max(worst, abs(Likeness(sketch(one)).to(sketch(other)) - true))
    assert worst < 0.2


def test_it_holds_no_more_than_it_may() -> None:
    """Whatever goes out leaves nothing behind."""
    index = Index(Similar(days=1))
    for n in range(500):
        index.take(came(n, phone=f"1{n % 7:010d}", at=n * 3_600_000, urgency="emergency", category=f"C{n % 5}"), SECRET)
    assert len(index.order) == len(index.by_case) == 25
    for shelves in (index.by_person, index.by_matter, index.urgent):
        assert sum(map(len, shelves.values())) == 25  # type: ignore[arg-type,attr-defined]


def test_titles_say_it_where_words_differ() -> None:
    """Two people's own words of one thing have few pairs in common; their titles name the same place."""
    one, other = entry(came(1), SECRET), entry(came(2, NOISE), SECRET)
    assert one is not None and other is not None
    one.title, other.title = sketch("同升湖山庄成了邮政盲区没人管"), sketch("同升湖山庄完全是邮政盲区")
    assert _Looking(one, Similar()).score(other) >= 0.28
    other.title = sketch("翡翠城三期电梯一直没有修好")
    assert _Looking(one, Similar()).score(other) == 0.0


def counted(one: Sketch, other: Sketch) -> float:
    """Likeness as it is defined."""
    mine, theirs = set(one.hashes), set(other.hashes)
    if not mine or not theirs:
        return 0.0
    smallest = sorted(mine | theirs)[:KEPT]
    return sum(pair in mine and pair in theirs for pair in smallest) / len(smallest)


def test_the_short_ways_tell_what_counting_tells() -> None:
    """The bitmap never passes over what is alike enough; the likeness is exactly that of its definition."""
    chance = random.Random(11)
    words = [chr(0x4E00 + n) for n in range(60)]
    made = [sketch("".join(chance.choices(words, k=chance.choice((5, 11, 20, 40, 80, 400))))) for _ in range(60)]
    passed = 0
    for one in made:
        liking = Likeness(one)
        for other in made:
            assert liking.to(other) == counted(one, other)
            for least in (0.01, 0.25, 0.28, 0.5, 1.0):
                assert liking.may_reach(other, least) or liking.to(other) < least
                passed += not liking.may_reach(other, least)
    assert passed > 3000, "or it spares nothing"


def test_a_full_shelf_is_compared_by_its_bitmaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 500 texts that have little in common hardly one is counted through, and remembering counts none."""
    chance, counts = random.Random(3), 0
    words = [chr(0x4E00 + n) for n in range(2000)]
    real = Likeness.to

    def to(self: Likeness, other: Sketch) -> float:
        nonlocal counts
        counts += 1
        return real(self, other)

    monkeypatch.setattr(sketches.Likeness, "to", to)
    index = Index(Similar())
    for n in range(COMPARED):
        index.remember(came(n, "".join(chance.choices(words, k=120)), address="历山路 1 号"), SECRET)
    assert (len(index.order), counts) == (COMPARED, 0)
    index.take(came(COMPARED, "".join(chance.choices(words, k=120)), address="历山路 1 号"), SECRET)
    assert counts < COMPARED // 5


def test_what_was_remembered_is_known_as_what_was_taken() -> None:
    taken, remembered = Index(Similar()), Index(Similar())
    closed = ev.EventRecord(case="c-1", version=2, at=1, cause="x", events=(ev.CaseClosed(reason="solved"),))
    for record in (came(1, LIGHT, phone="13800001111"), came(2, NOISE), closed, came(3, LIGHT)):
        taken.take(record, SECRET)
        remembered.remember(record, SECRET)
    late = came(4, LIGHT_AGAIN, phone="13800001111")
    found = taken.take(late, SECRET)
    assert kinds(found) == ["repeat", "alike"]
    assert remembered.take(late, SECRET) == found


def test_parts_that_were_split_off_are_not_the_citizen_coming_again() -> None:
    """Nothing is said of them. Who comes again about one of them is known, and has come twice."""
    parts = [came(n, NOISE, phone="13800001111", category=f"C{n}", part_of="n-1") for n in (2, 3, 4)]
    told = tell(came(1, LIGHT, phone="13800001111"), *parts, came(5, NOISE, phone="13800001111"))
    assert told[:4] == [[], [], [], []]
    assert [(found.what, found.count) for found in told[4]] == [("repeat", 2)]
    assert tell(*parts, came(1, NOISE, phone="13800001111", category="C2"))[3] == [], (
        "read before what they are parts of"
    )
    urgent = [came(n, NOISE, address="历山路 1 号", urgency="emergency", part_of="n-1" * (n > 1)) for n in (1, 2, 3, 4)]
    assert "burst" not in kinds(tell(*urgent, came(5, LIGHT, address="历山路 1 号", urgency="emergency"))[4])


def test_all_the_anonymous_together_are_one_person() -> None:
    """Nobody knows how many they are: one who calls ten times is no group, and one more among others' voices."""
    told = tell(*(came(n, disclosure="anonymous") for n in range(30)))
    assert told == [[]] * 30
    known = [came(n, phone=f"1380000{n:04d}") for n in range(4)]
    told = tell(*known, *(came(n, disclosure="anonymous") for n in range(10, 20)), came(30, phone="13900000000"))
    assert [kinds(found) for found in told[4:14]] == [["group"], *[[]] * 9]
    assert told[4][0].count == 5
    assert "group" not in kinds(told[14])


def test_a_group_is_told_when_it_grows_and_not_when_one_of_it_calls_again() -> None:
    told = tell(*(came(n, phone=f"1380000{n:04d}") for n in range(5)), came(9, phone="13800000002"))
    assert "group" in kinds(told[4])
    assert "group" not in kinds(told[5])


def test_of_two_the_later_one_hears_in_whatever_order_they_are_read() -> None:
    """Partitions overtake each other, and after a crash in another way than before: each hears what it would have heard."""
    records = [came(n, LIGHT, phone="13800001111") for n in range(3)]
    for order in permutations(records):
        said = {
            (found.case, found.what, other.case) for told in tell(*order) for found in told for other in found.others
        }
        assert {(case, what) for case, what, _ in said} == {
            (f"c-{n}", what) for n in (1, 2) for what in ("repeat", "alike")
        }
        assert ("c-1", "alike", "c-0") in said


def test_who_has_nothing_in_common_with_what_was_overtaken_hears_nothing() -> None:
    """However many are ahead of it, and however full the shelf."""
    index = Index(Similar())
    for n in range(1, 100):
        index.take(came(n, NOISE, phone=f"1380000{n:04d}"), SECRET)
    assert index.take(came(0, LIGHT, phone="13900001111"), SECRET) == []
