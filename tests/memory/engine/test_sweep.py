"""A new calendar comes into force while a shard has running clocks: page by page, over crashes, in between of other work."""

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.catalogue.calendars import retained
from router.catalogue.catalogue import Catalogue
from router.catalogue.load import from_files, read_folder
from router.catalogue.moves import moves
from router.catalogue.tables import RETAINED
from router.engine import sweep
from router.engine.batch import Batch
from router.engine.record import ShardRecord
from router.engine.store import SHARD_KEY, Store, body_of
from router.operate.settings import CHECKOUT
from tests import rebasing
from tests.memory.engine import house as made
from tests.memory.engine.house import DAY, House
from workflows import commands, events
from workflows.case import Case, decode
from workflows.facts import Facts

CASES = 30


@cache
def catalogues() -> tuple[list[dict[str, bytes]], list[Catalogue]]:
    """The files of the three versions by themselves, and what they say."""
    folder = read_folder(CHECKOUT / "catalog")
    days = ("2026-09-21", "2026-09-22")
    files = [folder, *(folder | {NATIONAL: _with(folder[NATIONAL].decode(), day)} for day in days)]
    return files, [from_files(each) for each in files]


@cache
def version(number: int) -> Facts:
    """
    The catalogue as it is shipped, but that in the second and third version a Monday or Tuesday in September is off. Each
    carries the calendars of the others, as versions that follow each other do.
    """
    files, alone = catalogues()
    carried = {
        f"{RETAINED}{name}.json": retained(layers)
        for each in alone
        for name, layers in each.calendar_layers.items()
        if name not in alone[number - 1].calendars
    }
    return from_files(files[number - 1] | carried, number).facts()


NATIONAL = "calendars/national.yaml"


def _with(text: str, off: str) -> bytes:
    head, year, rest = text.partition("  - year: 2026")
    assert year
    return (head + year + rest.replace("    rest:\n", f"    rest:\n      - {{first: {off}, name: 临时}}\n", 1)).encode()


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    for number in (1, 2, 3):
        version(number)  # read before a shard waits for it

    async def load(number: int, digest: str) -> Facts:
        return version(number)

    monkeypatch.setattr(made, "load_facts", load)
    monkeypatch.setattr(sweep, "PAGE", 4)
    return House(tmp_path)


def activate(house: House, number: int) -> None:
    house.send(commands.ActivateCatalogue(id=f"v{number}", version=number, hash=""), key=SHARD_KEY)


def record(house: House) -> ShardRecord:
    return msgspec.json.decode(house.state()[SHARD_KEY], type=ShardRecord)


def cases(house: House) -> list[Case]:
    asides = (b"/request", b"/parked")
    return [decode(body_of(v)) for k, v in house.state().items() if k != SHARD_KEY and not k.endswith(asides)]


def based(house: House, facts: Facts) -> bool:
    """Every running clock counts by what is in force for its case (no unit of the shipped catalogue has its own here)."""
    return all(
        clock.calendar == facts.calendar(case.region).id
        for case in cases(house)
        for clock in case.clocks.values()
        if clock.running
    )


def rebased(house: House) -> list[tuple[str, str, str]]:
    return [(r.case, e.kind, e.of) for r in house.events() for e in r.events if isinstance(e, events.ClockRebased)]


async def test_every_running_clock_is_rebased_once_and_the_shard_says_when_it_is_done(house: House) -> None:
    for n in range(CASES):
        house.submit(f"r{n}")
    await house.run(lambda: house.done() and bool(record(house).calendars))
    word = record(house).calendars
    activate(house, 2)
    await house.run(lambda: house.done() and based(house, version(2)))
    moved = rebased(house)
    assert len(moved) == len(set(moved)) == sum(len(case.clocks) for case in cases(house))
    house.submit("one more")
    await house.run(lambda: house.done() and record(house).calendars != word)
    assert rebased(house) == moved
    assert (record(house).sweep, record(house).swept, record(house).left) == ("", "", 0)


async def test_a_crash_in_the_middle_goes_on_where_it_was(house: House) -> None:
    for n in range(CASES):
        house.submit(f"r{n}")
    await house.run(house.done)
    activate(house, 2)
    await house.run(lambda: len({case for case, _, _ in rebased(house)}) >= CASES // 3)
    half = len({case for case, _, _ in rebased(house)})
    assert half < CASES
    assert record(house).swept
    await house.run(lambda: based(house, version(2)))
    moved = rebased(house)
    assert len({case for case, _, _ in moved}) == CASES
    assert len(moved) == len(set(moved))


async def test_another_version_in_the_middle_begins_from_the_first_case(house: House) -> None:
    for n in range(CASES):
        house.submit(f"r{n}")
    await house.run(house.done)
    activate(house, 2)
    await house.run(lambda: len({case for case, _, _ in rebased(house)}) >= CASES // 3)
    activate(house, 3)
    await house.run(lambda: house.done() and based(house, version(3)))
    activate(house, 1)
    await house.run(lambda: house.done() and based(house, version(1)))


async def test_a_deadline_in_the_middle_fires_by_the_new_days(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep stands still: who comes due is re-based all the same, and is not due any more."""
    for n in range(4):
        house.submit(f"r{n}")
    await house.run(house.done)
    due = max(clock.due for case in cases(house) for clock in case.clocks.values())
    monkeypatch.setattr(sweep.Sweep, "goes_on", lambda self, now: False)
    activate(house, 2)
    await house.run(house.done)
    assert not rebased(house)
    house.clock.time = due
    await house.run(lambda: all(case.version > 2 for case in cases(house)))
    for case in {case.id for case in cases(house)}:
        mine = [type(e).__name__ for r in house.events() if r.case == case for e in r.events]
        assert "ClockRebased" in mine
        fired = [
            r.at
            for r in house.events()
            if r.case == case
            for e in r.events
            if isinstance(e, events.ClockOverdue) and not e.of
        ]
        assert not fired, "a working day is left"


async def test_a_case_that_fails_holds_its_deadlines_and_is_tried_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = house.submit("bad")
    house.submit("good")
    await house.run(house.done)
    rebase = Batch._rebased

    def faulty(self: Batch, key: bytes, *more: Any) -> Case:
        if key == bad.encode():
            raise ZeroDivisionError
        return rebase(self, key, *more)

    monkeypatch.setattr(Batch, "_rebased", faulty)
    activate(house, 2)
    await house.run(lambda: house.done() and len({case for case, _, _ in rebased(house)}) == 1)
    house.clock.time += 40 * DAY
    await house.run(lambda: any(isinstance(e, events.ClockOverdue) for r in house.events() for e in r.events))
    assert {r.case for r in house.events() for e in r.events if isinstance(e, events.ClockOverdue)} != {bad}
    assert not record(house).calendars
    monkeypatch.setattr(Batch, "_rebased", rebase)
    house.clock.time += 2 * 3600 * 1000
    await house.run(lambda: based(house, version(2)))
    assert {case for case, _, _ in rebased(house)} >= {bad}


async def test_a_deadline_that_killed_stays_held_back_while_its_clocks_are_rebased(house: House) -> None:
    """The sweep would have it due again, and the process killed again; released, it is due by the new days."""
    case = house.submit("r1").encode()
    await house.run(house.done)
    state, store = house.state(), Store(house.settings.state_dir / "copy", "memory")
    store.apply([(key, state[key]) for key in (case, case + b"/request")], 1)
    shard, now = ShardRecord(log="memory", shards=1), house.clock.time + 30 * DAY
    at_work = Batch(store, shard, 0)
    at_work.crashed_deadline(case, "deadline/x", now)
    store.apply(at_work.changelog(), 2)
    for number in (2, 3):
        swept = Batch(store, shard, 0, stale=True)
        assert swept.rebase(case, version(number), now) and swept.rebased == 1
        store.apply(swept.changelog(), number + 1)
        assert store.due(now + 400 * DAY, 10) == []
    free = Batch(store, shard, 0)
    release = commands.Release(id="release", case=case.decode(), at=now, letters=1)
    free.decide(case, commands.encode(release), "commands/0/1", version(3), now)
    store.apply(free.changelog(), 5)
    held = decode(body_of(store.state(case) or b""))
    assert store.next_due() == held.next_due > 0
    store.close()


async def test_what_would_move_is_what_moves(house: House) -> None:
    """The look beforehand changes nothing, and says of each clock what the engine then does."""
    for n in range(6):
        house.submit(f"r{n}")
    await house.run(house.done)
    before = dict(house.state())
    seen: list[tuple[int, int]] = []
    catalogues = [version(number)._catalogue for number in (1, 2)]
    report = await moves(house.log, house.topics.state, *catalogues, lambda done, total: seen.append((done, total)))
    assert house.state() == before
    assert seen[-1][0] == seen[-1][1] > 0
    activate(house, 2)
    await house.run(lambda: house.done() and based(house, version(2)))
    done = [e for r in house.events() for e in r.events if isinstance(e, events.ClockRebased)]
    assert report.clocks == len(done)
    assert sorted((m.kind, m.before, m.due) for m in report.moves) == sorted(
        (e.kind, e.before, e.due) for e in done if e.due != e.before
    )
    assert report.moves
    assert sum(group[-1] for group in report.groups()) == len(report.moves)
    assert 0 < len(report.examples()) <= 20
    again = await moves(house.log, house.topics.state, catalogues[1], catalogues[1], lambda done, total: None)
    assert (again.clocks, again.moves) == (0, ())


async def test_many_clocks_and_a_crash_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `python -m tests.rebasing`, with few: against dues that are counted by hand."""
    monkeypatch.setattr(sweep, "PAGE", 20)
    told = await rebasing.run(tmp_path, 600)
    assert (told["wrong"], told["lost"], told["fired_wrongly"]) == (0, 0, 0)
    assert (told["cases"], told["takeovers"], told["dues"]) == (600, 2, 1200)
    assert 0 < told["at_the_crash"] < 600


async def test_the_count_by_hand_finds_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebasing, "CHANGED", rebasing.CHINA)
    monkeypatch.setattr(sweep.Sweep, "is_due", property(lambda self: False))
    made = rebasing.Run(tmp_path, 50)
    made.fill()
    made.verify()
    assert made.counts["wrong"] == 100
