"""The auditor's store outlives it, counts nothing twice, and holds little of a case; what it finds overdue it gives out in pages."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from aiokafka import TopicPartition
from msgspec.structs import replace

from router.auditor import role
from router.auditor.store import AuditStore
from router.auditor.watch import encode, repair_id
from router.engine.aside import Parked
from router.engine.batch import Batch
from router.engine.record import ShardRecord
from router.engine.store import Store, body_of, state_value
from router.operate import metrics
from schemas.ids import case_id, command_id, shard_of
from tests.memory.engine.house import HandClock, facts
from tests.unit.workflows.small_world import NOW, told
from workflows import commands, events
from workflows.case import Case, decode
from workflows.workdays import DAY

GRACE = 60_000


def histories(count: int, until: str = "2026-09-18 09:00") -> list[list[events.EventRecord]]:
    """The same life of many cases."""
    one = told().submit("street").wait_until(until).records
    return [[replace(record, case=case_id("website", f"r{i}")) for record in one] for i in range(count)]


def test_a_store_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole = sorted(itertools.chain(*histories(5, "2026-09-29 17:00")), key=lambda record: record.at)
    store = AuditStore(tmp_path / "a", "log", GRACE)
    assert store.begun_anew
    half = len(whole) // 2
    first = store.take(0, whole[:half], half)
    store.flush()
    lost = store.take(0, whole[half:], len(whole))
    del store._table  # killed: what was not flushed may be lost
    again = AuditStore(tmp_path / "a", "log", GRACE)
    assert not again.begun_anew
    assert again.meta.offsets in ({0: half}, {0: len(whole)})
    if again.meta.offsets == {0: half}:
        assert again.take(0, whole[half:], len(whole)) == lost
    assert not first.findings and not lost.findings
    assert again.meta.cases == 5
    again.close()
    other = AuditStore(tmp_path / "a", "another log", GRACE)
    assert other.begun_anew and other.meta.offsets == {}
    other.close()


def test_what_is_overdue_is_given_out_in_pages_and_again_after_a_while(tmp_path: Path) -> None:
    store = AuditStore(tmp_path / "a", "log", GRACE)
    lives = histories(7)
    store.take(0, [life[0] for life in lives], 7)
    due = min(m.at for e in lives[0][0].events if isinstance(e, events.ClockStarted) for m in e.marks)
    assert store.overdue(due + GRACE - 1, [0], 1000, 100).cases == []
    assert store.overdue(due + GRACE, [1], 1000, 100).cases == [], "another partition's"
    pages = [store.overdue(due + GRACE, [0], 1000, 3).cases for _ in range(4)]
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert len({case for page in pages for case, _ in page}) == 7
    assert store.meta.waiting == 7
    assert len(store.overdue(due + GRACE + 1000, [0], 1000, 100).cases) == 7
    store.close()


def test_of_a_case_little_is_kept_and_of_a_closed_one_nothing(tmp_path: Path) -> None:
    """Bytes of an open case with five clocks and their ladders; docs/adr/0023 names the figure."""
    store = AuditStore(tmp_path / "a", "log", GRACE)
    life = histories(1)[0]
    store.take(0, life, 1)
    (case, watch), *_ = store.overdue(NOW + 400 * DAY, [0], 1, 1).cases
    assert len(case) + len(encode(watch)) < 600
    closed = replace(life[0], version=2, events=(events.CaseClosed(reason="solved"),))
    store.take(0, [closed], 2)
    assert store.meta.cases == store.meta.waiting == 0
    assert [key for key in store._table.keys_from(b"") if key != b"meta"] == []
    store.close()


@pytest.fixture
def shard(tmp_path: Path) -> Batch:
    """A batch over a store with one open case, registered long ago: everything of it is due."""
    batch = Batch(Store(tmp_path / "s", "log"), ShardRecord(log="log", shards=1), 0)
    request = {
        "appeal_kind": "complaint",
        "appeal_category": "C010101",
        "place": {"region": "371702"},
        "title": "路灯",
        "text": "x",
    }
    body = msgspec.json.encode(request)
    submit = commands.Submit(
        id="c1", case=case_id("hotline_12345", "R1"), at=NOW, source="s", channel="hotline_12345", ref="R1",
        request=msgspec.Raw(body), digest="d", received_at=NOW,
    )  # fmt: skip
    batch.decide(submit.case.encode(), commands.encode(submit), "s", facts(), NOW)
    batch.store.apply(batch.changelog(), 10)
    return Batch(batch.store, batch.shard, 0)


def recheck(batch: Batch, now: int) -> tuple[list[str], str]:
    """What the shard does when it is asked to look at the case, and what it says of it."""
    case = case_id("hotline_12345", "R1")
    order = commands.Recheck(id=repair_id(case, 1), case=case, at=now)
    batch.decide(case.encode(), commands.encode(order), "commands/0/1", facts(), now)
    fired = [events.decode(value) for _, value in batch.events]
    assert all(record.cause == order.id for record in fired)
    names = [type(e).__name__ for record in fired for e in record.events if not type(e).__name__.startswith("Clock")]
    return names, dict(batch.decided)["Recheck"]


def test_a_shard_fires_what_its_index_has_lost(shard: Batch) -> None:
    case = case_id("hotline_12345", "R1").encode()
    value = shard.store.state(case)
    assert value is not None
    due = value[1:9]
    shard.store._table.write([(b"d" + due + case, None)])
    assert shard.store.due(NOW + 30 * DAY, 10) == []
    names, said = recheck(shard, NOW + 30 * DAY)
    assert said == "fired" and "CaseEscalated" in names
    shard.store.apply(shard.changelog(), 20)
    again = Batch(shard.store, shard.shard, 0)
    assert recheck(again, NOW + 30 * DAY) == ([], "nothing_due")
    assert case_of(again).next_due == 0 or again.store.due(case_of(again).next_due, 10) == [case], (
        "it is in the index again"
    )


def case_of(batch: Batch) -> Case:
    value = batch.store.state(case_id("hotline_12345", "R1").encode())
    assert value is not None
    return decode(body_of(value))


def test_a_shard_that_has_lost_nothing_fires_nothing(shard: Batch) -> None:
    """It is down no longer and has not come to it yet; or its clock guard holds; or nothing is due."""
    assert recheck(shard, NOW + 30 * DAY) == ([], "to_come")
    shard.may_fire = lambda: False
    assert recheck(shard, NOW + 30 * DAY) == ([], "held")
    assert recheck(Batch(shard.store, shard.shard, 0), NOW) == ([], "nothing_due")
    unknown = commands.Recheck(id=command_id("x", "y"), case=case_id("hotline_12345", "R9"), at=NOW)
    shard.may_fire = lambda: True
    shard.decide(unknown.case.encode(), commands.encode(unknown), "commands/0/2", facts(), NOW)
    assert not shard.changed
    assert shard_of(unknown.case, 1) == 0


def test_a_cursor_that_has_passed_it_has_lost_it_too(shard: Batch) -> None:
    shard.store.meta.cursor = b"d\xff"
    assert recheck(shard, NOW + 30 * DAY)[1] == "fired"


def test_a_parked_case_is_left_to_those_who_see_to_it(shard: Batch) -> None:
    case = case_id("hotline_12345", "R1")
    parked = msgspec.json.encode(Parked(code="engine_fault", since=NOW))
    shard.store.apply([(case.encode() + b"/parked", state_value(0, parked))], 30)
    assert recheck(shard, NOW + 30 * DAY) == ([], "parked")


def test_a_case_that_cannot_be_read_is_parked_and_stops_nobody(shard: Batch) -> None:
    """A repair may come before the case's own deadline did, or be the first that looks at it after a restore."""
    case = case_id("hotline_12345", "R1").encode()
    shard.store._table.write([(b"d" + (shard.store.state(case) or b"")[1:9] + case, None)])
    shard.store.apply([(case, state_value(NOW + DAY, b"\xc1"))], 30)
    shard = Batch(shard.store, shard.shard, 0)
    assert recheck(shard, NOW + 30 * DAY) == ([], "unreadable")
    assert shard.aside.letters == {"engine_fault": 1}
    shard.store.apply(shard.changelog(), 31)
    again = Batch(shard.store, shard.shard, 0)
    assert recheck(again, NOW + 30 * DAY) == ([], "parked")
    assert not again.aside.letters
    assert shard.store.due(NOW + 31 * DAY, 10) == [case], "it is tried again"


def test_a_shard_that_is_away_does_not_stand_before_the_others(tmp_path: Path) -> None:
    store = AuditStore(tmp_path / "a", "log", GRACE)
    lives = histories(8)
    store.take(0, [life[0] for life in lives[:5]], 5)
    store.take(1, [life[0] for life in lives[5:]], 3)
    at = NOW + 400 * DAY
    assert len(store.overdue(at, [1], 1000, 2).cases) == 2
    second = store.overdue(at, [1], 1000, 2)
    assert (len(second.cases), second.more) == (1, False)
    both = store.overdue(at, [0, 1], 1000, 5)
    assert (len(both.cases), both.more) == (5, True)
    store.close()


async def test_a_pass_is_not_over_while_a_shard_that_is_away_has_cases_nobody_looked_at(tmp_path: Path) -> None:
    """The heartbeat would say that everything overdue was looked at."""
    events_of, store = TopicPartition("events", 0), AuditStore(tmp_path / "a", "log", GRACE)
    store.take(0, [life[0] for life in histories(role.PAGE + 50)], 1)
    orders, clock, away = Orders(), HandClock(), Topic()
    clock.time = NOW + 400 * DAY
    process = SimpleNamespace(clock=clock, topics=SimpleNamespace(commands="commands"))
    auditor = role.Auditor(process, store, role.Pace(), away, away, orders, [events_of])  # type: ignore[arg-type]
    begun = []
    for _ in range(3):
        await auditor._pass()
        begun.append(bool(auditor.begun))
        clock.time += 10_000
    assert (begun, orders.count) == ([True] * 3, role.PAGE)
    away.read = orders.count
    await auditor._pass()
    assert (auditor.begun, orders.count) == (0, role.PAGE + 50)
    store.close()


def test_who_was_looked_at_and_is_still_away_does_not_hold_the_pass_up(tmp_path: Path) -> None:
    """Whether the shard is there others say; the auditor has done what it can."""
    store = AuditStore(tmp_path / "a", "log", GRACE)
    store.take(0, [life[0] for life in histories(5)], 1)
    at = NOW + 400 * DAY
    assert store.passes_over(at, [0], 10) and not store.passes_over(at, [1], 10)
    store.overdue(at, [0], 1000, 10)
    assert not store.passes_over(at + 5000, [0], 10)
    assert store.passes_over(at + 5000, [0], 5), "a page of them: nobody goes through all"
    store.close()


def test_what_was_never_found_is_counted_from_the_start() -> None:
    """An alert asks how much a count has grown: of one that begins with its first finding that is nothing."""
    metrics.AUDIT_FINDINGS.clear()
    role.Auditor(None, None, role.Pace(), None, None, None, [])  # type: ignore[arg-type]
    (family,) = metrics.AUDIT_FINDINGS.collect()
    counts = {one.labels["kind"]: one.value for one in family.samples if one.name.endswith("_total")}
    assert counts == dict.fromkeys(("missed", "doubled", "early", "late"), 0)


class Topic:
    """One partition of events that is read to its end, and how far a shard has read its commands."""

    read = 0

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 1)

    async def position(self, partition: TopicPartition) -> int:
        return 1

    async def committed(self, partition: TopicPartition) -> int:
        return self.read


class Orders:
    """What is written to a shard."""

    count = 0

    def add(self, *record: object) -> None:
        self.count += 1

    async def flush(self) -> dict[TopicPartition, int]:
        return {TopicPartition("commands", 0): self.count}


def test_who_was_asked_for_is_not_asked_for_again_at_once_and_leaves_one_look(tmp_path: Path) -> None:
    store = AuditStore(tmp_path / "a", "log", GRACE)
    lives = histories(2)
    store.take(0, [life[0] for life in lives], 2)
    at = NOW + 400 * DAY
    cases = store.overdue(at, [0], 1000, 10).cases
    store.asked((case, watch, repair_id(case, watch.version)) for case, watch in cases)
    assert store.overdue(at + 999, [0], 1000, 10).cases == []
    assert all(watch.asked for _, watch in store.overdue(at + 1000, [0], 1000, 10).cases)
    assert len([key for key in store._table.keys_from(b"d") if key[:1] == b"d"]) == 2
    store.take(0, [replace(life[0], version=2, events=(events.CaseClosed(reason="solved"),)) for life in lives], 4)
    assert [key for key in store._table.keys_from(b"") if key != b"meta"] == []
    store.close()
