"""What requests have in common, told by the registrations alone: and what must never be told."""

import random
from itertools import pairwise

from msgspec import Raw, json

from router.catalogue.rows import Similar
from router.similar.index import KEPT, Found, Index, entry, key, likeness, sketch
from workflows import events as ev

SECRET = key(b"a deployment's own")
DAY = 86_400_000
LIGHT = "我们小区门口的路灯已经坏了一个多星期，晚上出行非常不方便，老人小孩容易摔倒，请尽快派人修理。"
LIGHT_AGAIN = "小区门口的路灯坏了一个多星期了，晚上出行很不方便，老人和小孩容易摔倒，希望尽快派人来修理。"
NOISE = "楼下烧烤店每天夜里营业到两三点，音响声音特别大，油烟直接排到居民窗口，严重影响休息，多次沟通无效。"


def came(
    n: int, text: str = LIGHT, *, phone: str = "", at: int = 0, kind: str = "help", disclosure: str = "open", address: str = "",
    category: str = "C1", region: str = "370102", urgency: str = "normal", id_number: str = "", more: tuple[ev.AnyEvent, ...] = (),
) -> ev.EventRecord:  # fmt: skip
    applicant = {"phone": phone or None, "id_number": id_number or None, "disclosure": disclosure}
    request = {
        "title": "",
        "text": text,
        "applicant": applicant,
        "place": {"region": region, "address": address or None},
    }
    registered = ev.CaseRegistered(
        channel="website", ref=f"r-{n}", number=f"n-{n}", query_code="", digest="d", request=Raw(json.encode(request)),
        received_at=at, centre="370100.hotline", centre_endpoint="desk", appeal_kind=kind, region=region, calendar="cn",
        category=category, urgency=urgency, disclosure=disclosure,
    )  # fmt: skip
    return ev.EventRecord(case=f"c-{n}", version=1, at=at, cause="x", events=(registered, *more))


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
    assert len(kept.sketch) <= KEPT


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
        worst = max(worst, abs(likeness(sketch(one), sketch(other)) - true))
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
    index = Index(Similar())
    assert index._is_alike(one, other) >= 0.28
    other.title = sketch("翡翠城三期电梯一直没有修好")
    assert index._is_alike(one, other) == 0.0
