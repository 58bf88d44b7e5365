"""
One batch of a shard: an overlay over the store in which commands are decided one after the other.

Nothing here waits. What the batch brings about is written to the log in one transaction; only when
that is committed does the store see it (router/engine/shard.py).

Nothing that is decided here may stop the shard: what it cannot do for one case is kept aside and said so.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

import msgspec
import structlog
from msgspec import Struct, json

from adapters.clock import BEIJING
from router.engine.store import REQUEST_SUFFIX, SHARD_KEY, NewerFormat, Store, body_of, state_value
from router.operate import metrics
from schemas.ids import event_id, shard_of
from workflows import commands, events, outgoing
from workflows.case import Case, decode, encode
from workflows.facts import Facts
from workflows.handle import Step, step

log = structlog.get_logger()

HOUR_MS = 3600 * 1000
RECORD_BYTES = 12 << 20
"""What one record may hold: the topics take 13 MB."""
MANY = 8
"""Messages, or legs, beyond which it is worth while to measure: one is below 1 MB, a leg's reply below 256 KB."""
PARKED_MS = 3600 * 1000
"""When a deadline that could not be decided is tried again, in business time."""


@lru_cache(4)
def _day(hour: int) -> str:
    """yymmdd in Beijing; days there begin on a full hour."""
    return datetime.fromtimestamp(hour * HOUR_MS / 1000, UTC).astimezone(BEIJING).strftime("%y%m%d")


class CaseTooLarge(Exception):
    """A case that the log could not hold any more."""


class ShardRecord(Struct, kw_only=True, omit_defaults=True):
    """
    The key `_shard` of `case.state`: what the shard is, as of its last transaction (design D5).

    input: the next offset of `case.commands`. now: the last business time used, so that time never runs back.
    day, serial: the running part of the case numbers of that day.
    """

    format: int = 1
    log: str
    shards: int
    input: int = 0
    now: int = 0
    catalogue: int = 0
    catalogue_hash: str = ""
    day: str = ""
    serial: int = 0


class DeadLetter(Struct, frozen=True, kw_only=True):
    """Why the engine could not take a record; the record's own words stay where they are."""

    stage: str
    code: str
    source: str


@dataclass
class Batch:
    """The overlay. `add` is called once per command; `records` is what to write."""

    store: Store
    shard: ShardRecord
    partition: int
    touched: dict[bytes, None] = field(default_factory=dict)
    parked: dict[bytes, int] = field(default_factory=dict)
    requests: dict[bytes, bytes | None] = field(default_factory=dict)
    cases: dict[bytes, Case] = field(default_factory=dict)
    events: list[tuple[bytes, bytes]] = field(default_factory=list)
    outbox: list[tuple[bytes, bytes]] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.touched or self.parked or self.outbox)

    def decide(self, key: bytes | None, value: bytes | None, source: str, facts: Facts, now: int) -> None:
        """A record of `case.commands`. One that cannot be read, or breaks the rules of the log, is dead-lettered."""
        try:
            command = commands.decode(value or b"")
        except msgspec.MsgspecError:
            self.put_aside(key or source.encode(), source, "unreadable_command")
            return
        if shard_of(command.case, self.shard.shards) == self.partition:
            self._guarded(command, source, facts, now)
        else:
            self.put_aside(command.case.encode(), source, "wrong_shard")

    def expire(self, case: bytes, facts: Facts, now: int) -> None:
        """
        A case of the due index. Its command is derived from the case's version, so a replay makes the same one.

        Where nothing comes of it the case would be due again at once, and for ever: it is parked.
        """
        source = f"deadline/{case.decode('utf-8', 'replace')}"
        try:
            held = self._case(case)
        except msgspec.MsgspecError as error:
            log.error("case.unreadable", case_id=case.decode("utf-8", "replace"), error=error)
            self.put_aside(case, source, "engine_fault")
        else:
            if held is None:
                return
            cause = event_id(held.id, held.version)
            self._guarded(
                commands.ReachDeadline(id=cause, case=held.id, at=now), f"{source}/{held.version}", facts, now
            )
        if case not in self.touched:
            self.parked[case] = now + PARKED_MS

    def _guarded(self, command: commands.AnyCommand, source: str, facts: Facts, now: int) -> None:
        try:
            self._step(command, facts, now)
        except NewerFormat:
            raise  # the whole shard is not ours to serve
        except Exception as error:
            # our own fault, not the sender's: the record is kept aside and said so, the others go on
            log.error("command.failed", command_id=command.id, case_id=command.case, error=error)
            code = "case_too_large" if isinstance(error, CaseTooLarge) else "engine_fault"
            self.put_aside(command.case.encode(), source, code)

    def _step(self, command: commands.AnyCommand, facts: Facts, now: int) -> None:
        key = command.case.encode()
        before = self._case(key)
        if isinstance(command, commands.Submit) and before is None:
            command = msgspec.structs.replace(command, serial=self._serial(now))
        result = step(before, command, facts, now, self._request(key))
        if result.case is not None and len(result.case.legs) > MANY and len(encode(result.case)) > RECORD_BYTES:
            raise CaseTooLarge
        written = [(key, outgoing.encode(record)) for record in _outbox(command, result, now)]
        kind = type(command).__name__
        if result.record is not None and result.case is not None:
            self.events.append((key, events.encode(result.record)))
            self._keep(key, result.case)
            if isinstance(command, commands.Submit) and before is None:
                self.requests[key] = bytes(command.request)
            elif result.case.state == "archived":
                self.requests[key] = None  # of an archived case only the stub stays
        self.outbox += written
        metrics.COMMANDS.labels(kind, "changed" if result.record is not None else "unchanged").inc()

    def _keep(self, key: bytes, case: Case) -> None:
        self.cases[key] = case
        self.touched[key] = None

    def _case(self, key: bytes) -> Case | None:
        held = self.cases.get(key)
        if held is None and (value := self.store.state(key)) is not None:
            held = self.cases[key] = decode(body_of(value))
        return held

    def _request(self, key: bytes) -> bytes | None:
        return self.requests[key] if key in self.requests else self.store.request(key)

    def _serial(self, now: int) -> str:
        """Shard and running number of the day: unique over the deployment without asking anybody."""
        day = _day(now // HOUR_MS)
        if day != self.shard.day:
            self.shard.day, self.shard.serial = day, 0
        self.shard.serial += 1
        return f"{self.partition:02d}{self.shard.serial:05d}"

    def put_aside(self, key: bytes, source: str, code: str) -> None:
        """A dead letter for what the engine could not take."""
        letter = DeadLetter(stage="engine", code=code, source=source)
        message = outgoing.Message(
            to="dead-letters.engine",
            key=key.decode("utf-8", "replace"),
            id=event_id(source, 0),
            type="cn.duokua.dead_letter.written.v1",
            data=msgspec.Raw(json.encode(letter)),
        )
        self.outbox.append(
            (
                key,
                outgoing.encode(
                    outgoing.OutboxRecord(case="", version=0, at=self.shard.now, source=source, messages=(message,))
                ),
            )
        )
        metrics.DEAD_LETTERS.labels("engine", code).inc()

    def changelog(self) -> list[tuple[bytes, bytes | None]]:
        """The records of `case.state`: each case that changed once, new requests, and `_shard` last."""
        records: list[tuple[bytes, bytes | None]] = [
            (key, state_value(self.cases[key].next_due, encode(self.cases[key]))) for key in self.touched
        ]
        records += [(key, state_value(until, self._as_it_is(key))) for key, until in self.parked.items()]
        records += [(key + REQUEST_SUFFIX, body) for key, body in self.requests.items()]
        return [*records, (SHARD_KEY, json.encode(self.shard))]

    def _as_it_is(self, key: bytes) -> bytes:
        return body_of(self.store.state(key) or state_value(0, b""))


def _outbox(command: commands.AnyCommand, result: Step, now: int) -> Iterator[outgoing.OutboxRecord]:
    """One record, or as few as can hold the messages: a large request may go to fifty units at once."""
    version = result.case.version if result.case else 0
    for messages in _pages(result.messages):
        yield outgoing.OutboxRecord(
            case=command.case,
            version=version,
            at=now,
            source=command.source,
            number=result.case.number if result.case else "",
            messages=messages,
        )


def _pages(messages: tuple[outgoing.Message, ...]) -> Iterator[tuple[outgoing.Message, ...]]:
    if len(messages) <= MANY:
        if messages:
            yield messages
        return
    page: list[outgoing.Message] = []
    size = 0
    for message in messages:
        size += memoryview(message.data).nbytes
        if page and size > RECORD_BYTES // 2:
            yield tuple(page)
            page, size = [], memoryview(message.data).nbytes
        page.append(message)
    yield tuple(page)
