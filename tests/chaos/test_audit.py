"""
Invariant: the verdict on a history that is right is empty, and every plant in it is found, by the name of what it is.

The history is a real shard's, in memory; the plants are what a faulty engine, log or delivery would leave behind.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition
from msgspec.structs import replace as changed

from router.auditor.watch import repair_id
from router.delivery.fanout import fan_out
from router.engine.store import body_of
from router.operate.table import ROCKS
from schemas.ids import command_id
from tests.chaos.audit import Audit, Input, Left, Sent, differences, digest, replayed_hash, stored_hash
from tests.chaos.evidence import compare, dict_at
from tests.memory.engine.house import DAY, REQUEST, House
from workflows import commands, events
from workflows import events as ev
from workflows.case import encode
from workflows.outbox import OutboxRecord, decode

CHANNEL = "hotline_12345"


@dataclass(frozen=True)
class History:
    """What a run leaves behind."""

    sent: dict[int, Sent]
    acked: set[int]
    inputs: list[Input]
    replies: list[str]
    records: list[ev.EventRecord]
    outbox: list[OutboxRecord]
    left: list[Left]
    changelog: list[tuple[int, bytes, bytes | None]]
    store: dict[bytes, bytes]
    dead: list[str] = field(default_factory=list)
    asked: list[bytes] = field(default_factory=list)

    def audited(self) -> Audit:
        audit = Audit()
        for number, what in self.sent.items():
            audit.sent(number, what)
        audit.acked(self.acked)
        for record in self.inputs:
            audit.input(record)
        for source in self.replies:
            audit.reply(source)
        for asked in self.asked:
            audit.command(asked)
        for happened in self.records:
            audit.event(happened)
        for queued in self.outbox:
            audit.queued(queued)
        for origin in self.dead:
            audit.dead(origin)
        for gone in self.left:
            audit.left(gone)
        audit.finish()
        return audit

    def found(self) -> set[str]:
        return set(self.audited().found)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return asyncio.run(_lived(tmp_path_factory.mktemp("shard")))


async def _lived(folder: Path) -> History:
    """Seven requests, one sent twice, one id used again, a reply, deadlines that passed, and those of the last one to come."""
    house = House(folder)
    titles = {"r1": REQUEST["title"], "r2": "另一件事"}
    rows = [(f"r{n}", REQUEST["title"]) for n in range(6)] + list(titles.items())
    for ref, title in rows:
        house.submit(ref, title=title)
    await house.run(house.done)
    asked = next(m for m in house.messages() if m.type == "cn.duokua.task.assigned.v1")
    task = msgspec.json.decode(asked.data)
    source = "replies.desk/0/0"
    house.send(
        commands.Reply(
            id=command_id(task["case_id"], source), case=task["case_id"], at=house.clock.time, source=source,
            endpoint=asked.to.removeprefix("tasks."), task=task["task_id"], action="sign", body=msgspec.Raw(b"{}"),
        )
    )  # fmt: skip
    await house.run(house.done)
    house.clock.time += 12 * DAY
    await house.run(lambda: sum(isinstance(e, ev.ClockOverdue) for r in house.events() for e in r.events) >= 6)
    rows.append(("late", REQUEST["title"]))
    late = house.submit("late")
    await house.run(house.done)
    hint = commands.Resemble(
        id=command_id(late, "similar/group"), case=late, at=house.clock.time, what="group", count=5
    )  # fmt: skip
    for _ in range(2):  # whoever said it was killed before it had taken note of that
        house.send(hint)
    house.send(commands.Recheck(id=repair_id(late, 1), case=late, at=house.clock.time))
    await house.run(house.done)
    return _left_behind(house, rows, source)


def _left_behind(house: House, rows: list[tuple[str, Any]], reply: str) -> History:
    bodies = [digest(msgspec.json.encode(REQUEST | {"title": title})) for _, title in rows]
    outbox = [decode(r.value or b"") for r in house.log.records[TopicPartition(house.topics.outbox, 0)]]
    left = [_gone(m, record) for record in outbox for m in fan_out(record, house.topics)]
    state = house.log.records[TopicPartition(house.topics.state, 0)]
    table = ROCKS.open(house.settings.state_dir / "engine" / house.settings.instance / "shard-0")
    store = {key: table.get(key) or b"" for key in list(table.keys_from(b""))}
    table.close()
    return History(
        sent={n: Sent("new", CHANNEL, ref) for n, (ref, _) in enumerate(rows)},
        acked=set(range(len(rows))),
        inputs=[Input(f"intake.{CHANNEL}/0/{n}", n, body) for n, body in enumerate(bodies)],
        replies=[reply],
        records=house.events(),
        outbox=outbox,
        left=left,
        changelog=[(n, r.key or b"", r.value) for n, r in enumerate(state)],
        store=store,
        dead=[r.source for r in outbox for m in r.messages if m.to == "dead-letters.engine"],
        asked=[r.value or b"" for r in house.log.records[house.input]],
    )


def _gone(message: Any, record: OutboxRecord) -> Left:
    headers = {name: value.decode() for name, value in message.headers}
    data = msgspec.json.decode(message.value)
    name = message.topic.removeprefix("duokua.")
    task = data.get("task_id", "") if name.startswith("tasks.") else ""
    return Left(
        name, headers["ce_id"], record.case, int(headers["ce_sequence"]), record.version, task, digest(message.value)
    )


# -- the plants ------------------------------------------------------------------------------------------


def _last(history: History, kind: type[ev.Event]) -> int:
    return max(n for n, r in enumerate(history.records) if any(isinstance(e, kind) for e in r.events))


def _without(rows: list[Any], at: int) -> list[Any]:
    return rows[:at] + rows[at + 1 :]


def _again(rows: list[Any], at: int) -> list[Any]:
    return [*rows, rows[at]]


def _swapped(rows: list[Any], same: Callable[[Any], Any]) -> list[Any]:
    """The first two that belong together change places."""
    for n, row in enumerate(rows):
        for m in range(n + 1, len(rows)):
            if same(rows[m]) == same(row):
                return [*rows[:n], rows[m], *rows[n + 1 : m], row, *rows[m + 1 :]]
    raise AssertionError("nothing to change")


def _early(h: History) -> History:
    at = _last(h, ev.ClockOverdue)
    return replace(h, records=[*h.records[:at], changed(h.records[at], at=h.records[0].at), *h.records[at + 1 :]])


def _told(h: History) -> int:
    return _last(h, ev.ResemblanceFound)


def _told_again(h: History) -> History:
    told = h.records[_told(h)]
    again = changed(told, version=told.version + 1, cause="another")
    return replace(h, records=[*h.records, again])


def _repaired_twice(h: History) -> History:
    """The auditor's one command had something fired, twice."""
    record = h.records[_last(h, ev.ClockOverdue)]
    asked = changed(record, cause=repair_id(record.case, 1), source="")
    again = changed(asked, version=record.version + 1)
    at = h.records.index(record)
    return replace(h, records=[*h.records[:at], asked, *h.records[at + 1 :], again])


def _told_between(h: History) -> History:
    """One case says something to another, and delivery never hands it over."""
    said = changed(h.outbox[-1].messages[0], to="case:another", id="between")
    return replace(h, outbox=[*h.outbox, changed(h.outbox[-1], messages=(said,))])


def _fired_again(h: History) -> History:
    record = h.records[_last(h, ev.ClockOverdue)]
    fired = tuple(e for e in record.events if isinstance(e, ev.ClockOverdue))
    again = changed(record, version=record.version + 1, cause="another", source="", events=fired, sent=())
    return replace(h, records=[*h.records, again])


PLANTS: dict[str, tuple[str, Callable[[History], History]]] = {
    "an acknowledged input is not on its topic": ("lost", lambda h: replace(h, inputs=h.inputs[:-1])),
    "an input has no effect": ("lost", lambda h: replace(h, records=_without(h.records, _last(h, ev.DuplicateReceived)))),
    "a case is not there": ("lost", lambda h: replace(h, records=[r for r in h.records if r.case != h.records[3].case])),
    "a reply has no effect": ("lost", lambda h: replace(h, records=[r for r in h.records if r.source not in h.replies])),
    "an id used again has no dead letter": ("lost", lambda h: replace(h, dead=[])),
    "a message never left": ("lost", lambda h: replace(h, left=h.left[:-1])),
    "an event record is missing in the middle": ("order", lambda h: replace(h, records=h.records[1:])),
    "an event record is there twice": ("double", lambda h: replace(h, records=_again(h.records, 0))),
    "an input took effect twice": (
        "double",
        lambda h: replace(h, records=[*h.records, changed(h.records[0], case="another", cause="another")]),
    ),
    "an input is opened and dead": ("double", lambda h: replace(h, dead=[*h.dead, h.inputs[0].source])),
    "nobody sent this input": ("double", lambda h: replace(h, inputs=[*h.inputs, Input("intake.x/0/9", 99, b"")])),
    "a message is in the outbox twice": ("double", lambda h: replace(h, outbox=_again(h.outbox, 0))),
    "a message says two things": ("double", lambda h: replace(h, left=[*h.left, h.left[0]._replace(digest=b"x")])),
    "a message is on a topic and not in the outbox": (
        "double",
        lambda h: replace(h, left=[*h.left, Left("tasks.desk", "dirty", "c", 0, 0, "", b"x")]),
    ),
    "a task is at two endpoints": (
        "double",
        lambda h: replace(
            h, left=[*h.left, next(x for x in h.left if x.task)._replace(topic="tasks.elsewhere", id="other", seq=0)]
        ),
    ),
    "versions of a case change places": ("order", lambda h: replace(h, records=_swapped(h.records, lambda r: r.case))),
    "messages of a case change places in the outbox": (
        "order",
        lambda h: replace(h, outbox=_swapped(h.outbox, lambda r: (r.case, r.messages[0].to))),
    ),
    "messages of a case change places outside": (
        "order",
        lambda h: replace(h, left=_swapped(h.left, lambda x: (x.case, x.topic))),
    ),
    "a deadline fired before its time": ("early", _early),
    "a deadline fired twice": ("double", _fired_again),
    "a look that the auditor asked for took effect twice": ("double", _repaired_twice),
    "a case was told of others again": ("double", _told_again),
    "a case was told of others by nobody": ("double", lambda h: replace(h, asked=[])),
    "a case was told of others and has not noted it": (
        "lost",
        lambda h: replace(h, records=_without(h.records, _told(h))),
    ),
    "a case never heard what another said": ("lost", _told_between),
}  # fmt: skip


def test_a_history_that_is_right_has_no_findings(history: History) -> None:
    audit = history.audited()
    assert not audit.found
    assert (audit.counts["fate_opened"], audit.counts["fate_duplicate"], audit.counts["fate_reused"]) == (7, 1, 1)
    assert audit.counts["fired"] >= 6
    assert (audit.counts["resembles"], audit.counts["rechecks"], audit.counts["repaired"]) == (1, 1, 0)


def test_copies_of_what_left_are_no_findings(history: History) -> None:
    """Delivery is at-least-once: a tail may come again, and so may a dead letter."""
    tail = history.left[len(history.left) // 2 :]
    assert not replace(history, left=[*history.left, *tail], dead=history.dead * 2).found()


@pytest.mark.parametrize("plant", PLANTS)
def test_a_plant_is_found(history: History, plant: str) -> None:
    kind, made = PLANTS[plant]
    assert kind in made(history).found()


def _begun_anew(h: History, *, said: bool) -> History:
    """The clock whose due passes stops just before, and is promised anew in the same record where that is `said`."""
    at = _last(h, ev.ClockOverdue)
    record = h.records[at]
    due = next(e for e in record.events if isinstance(e, ev.ClockOverdue))
    started = next(
        e
        for r in h.records
        for e in r.events
        if r.case == record.case and isinstance(e, ev.ClockStarted) and (e.kind, e.of) == (due.kind, due.of)
    )
    stopped = ev.ClockStopped(kind=due.kind, of=due.of, consumed=0, met=True)
    first = (stopped, started) if said else (stopped,)
    return replace(h, records=[*h.records[:at], changed(record, events=(*first, *record.events)), *h.records[at + 1 :]])


def test_a_clock_that_stood_still_fires_only_once_it_has_begun_anew(history: History) -> None:
    """To be done again (重办): the promise to the citizen ends and begins anew in one record."""
    assert _begun_anew(history, said=False).found() == {"early"}
    assert not _begun_anew(history, said=True).found()


def test_a_deadline_that_never_fired_is_lost(history: History) -> None:
    audit = history.audited()
    latest = max(case.next_due for case in audit.cases.values())
    audit.unfired([latest - 1], slack=latest)
    assert not audit.found
    audit.unfired([latest + 1], slack=0)
    assert set(audit.found) == {"lost"}


# -- three ways to the same state ------------------------------------------------------------------------


def bodies(history: History) -> dict[bytes, bytes]:
    held = dict_at(history.changelog).items()
    return {key: body_of(value) for key, value in held if not key.startswith(b"_") and b"/" not in key}


def test_replay_changelog_and_store_agree(history: History) -> None:
    cases = history.audited().cases
    assert replayed_hash(cases) == stored_hash(bodies(history))
    assert not list(differences(cases, bodies(history), "case.state"))
    assert not list(compare(history.store, dict_at(history.changelog)))


def test_a_state_that_is_not_the_replay_is_found(history: History) -> None:
    cases = history.audited().cases
    name, case = next(iter(cases.items()))
    other = bodies(history) | {name.encode(): encode(changed(case, grade=5))}
    assert replayed_hash(cases) != stored_hash(other)
    assert "grade" in next(differences(cases, other, "case.state"))
    less = {key: body for key, body in other.items() if key != name.encode()}
    assert "only in" in next(differences(cases, less, "case.state"))


@pytest.mark.parametrize("first", [b"c", b"r", b"d", b"mshard"])
def test_a_store_that_lost_or_kept_something_is_found(history: History, first: bytes) -> None:
    expected = dict_at(history.changelog)
    key = next(key for key in history.store if key.startswith(first))
    assert list(compare({k: v for k, v in history.store.items() if k != key}, expected))
    assert list(compare(history.store | {key: b"\1" + bytes(8) + b"other"}, expected))
    if first == b"d":
        assert list(compare(history.store | {b"d" + bytes(8) + b"stale": b""}, expected))


def test_the_changelog_is_read_up_to_where_a_store_stands() -> None:
    log: list[tuple[int, bytes, bytes | None]] = [(0, b"a", b"1"), (2, b"b", b"2"), (3, b"a", None), (5, b"b", b"3")]
    assert dict_at(log, 3) == {b"a": b"1", b"b": b"2"}
    assert dict_at(log, 4) == {b"b": b"2"}
    assert dict_at(log) == {b"b": b"3"}


def test_events_are_json_that_can_be_read_again(history: History) -> None:
    """What the plants change is what the log would hold."""
    assert [events.decode(events.encode(r)) for r in history.records] == history.records
