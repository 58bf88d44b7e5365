"""
One batch of a shard: an overlay over the store in which commands are decided one after the other.

Nothing here waits. What the batch brings about is written to the log in one transaction; only when
that is committed does the store see it (router/engine/shard.py).
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
import structlog
from msgspec import Struct, json

from adapters.clock import BEIJING
from router.engine.store import REQUEST_SUFFIX, SHARD_KEY, Store, body_of, state_value
from router.operate import metrics
from schemas.ids import event_id, shard_of
from workflows import commands, events, outgoing
from workflows.case import Case, decode, encode
from workflows.facts import Facts
from workflows.handle import step

log = structlog.get_logger()


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
    requests: dict[bytes, bytes | None] = field(default_factory=dict)
    cases: dict[bytes, Case] = field(default_factory=dict)
    events: list[tuple[bytes, bytes]] = field(default_factory=list)
    outbox: list[tuple[bytes, bytes]] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.touched or self.outbox)

    def decide(self, key: bytes | None, value: bytes | None, source: str, facts: Facts, now: int) -> None:
        """A record of `case.commands`. One that cannot be read, or breaks the rules of the log, is dead-lettered."""
        try:
            command = commands.decode(value or b"")
        except msgspec.MsgspecError:
            self._dead(key or source.encode(), source, "unreadable_command")
            return
        if shard_of(command.case, self.shard.shards) == self.partition:
            self._guarded(command, source, facts, now)
        else:
            self._dead(command.case.encode(), source, "wrong_shard")

    def expire(self, case: bytes, facts: Facts, now: int) -> None:
        """A case of the due index. Its command is derived from the case's version, so a replay makes the same one."""
        held = self._case(case)
        if held is None:
            return
        cause = event_id(held.id, held.version)
        self._guarded(commands.ReachDeadline(id=cause, case=held.id, at=now), "", facts, now)

    def _guarded(self, command: commands.AnyCommand, source: str, facts: Facts, now: int) -> None:
        try:
            self._step(command, facts, now)
        except Exception as error:
            # our own fault, not the sender's: the record is kept aside and said so, the others go on
            log.error("command.failed", command_id=command.id, case_id=command.case, error=error)
            self._dead(command.case.encode(), source or command.id, "engine_fault")

    def _step(self, command: commands.AnyCommand, facts: Facts, now: int) -> None:
        key = command.case.encode()
        before = self._case(key)
        if isinstance(command, commands.Submit) and before is None:
            command = msgspec.structs.replace(command, serial=self._serial(now))
        result = step(before, command, facts, now, self._request(key))
        kind = type(command).__name__
        if result.record is not None and result.case is not None:
            self._keep(key, result.case)
            self.events.append((key, events.encode(result.record)))
            if isinstance(command, commands.Submit) and before is None:
                self.requests[key] = bytes(command.request)
            elif result.case.state == "archived":
                self.requests[key] = None  # of an archived case only the stub stays
        if result.messages:
            version = result.case.version if result.case else 0
            record = outgoing.OutboxRecord(
                case=command.case, version=version, at=now, source=command.source, messages=result.messages
            )
            self.outbox.append((key, outgoing.encode(record)))
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
        day = datetime.fromtimestamp(now / 1000, UTC).astimezone(BEIJING).strftime("%y%m%d")
        if day != self.shard.day:
            self.shard.day, self.shard.serial = day, 0
        self.shard.serial += 1
        return f"{self.partition:02d}{self.shard.serial:05d}"

    def _dead(self, key: bytes, source: str, code: str) -> None:
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
        records += [(key + REQUEST_SUFFIX, body) for key, body in self.requests.items()]
        return [*records, (SHARD_KEY, json.encode(self.shard))]
