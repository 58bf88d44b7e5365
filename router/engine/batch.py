"""
One batch of a shard: an overlay over the store in which commands are decided one after the other.

Nothing here waits. What the batch brings about is written to the log in one transaction; only when
that is committed does the store see it (router/engine/ledger.py).

Nothing that is decided here may stop the shard: what it cannot do for one case is kept aside and said so. A case
of which a command could not be decided is *parked*: what comes for it later is kept aside too, so that its order
holds, until somebody has the letters written again or gives them up, and releases it (docs/adr/0016).
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

import msgspec
import structlog
from msgspec import json
from msgspec.structs import replace

from router.engine.aside import Aside
from router.engine.pages import CaseTooLarge, check, pages
from router.engine.record import ShardRecord, next_serial
from router.engine.store import (
    PARKED_SUFFIX,
    REQUEST_SUFFIX,
    SHARD_KEY,
    NewerFormat,
    Store,
    body_of,
    due_of,
    state_value,
)
from router.operate import metrics
from router.operate.letters import FIRST, DeadLetter, Retry
from router.operate.table import Damaged, DiskRefuses
from schemas.ids import event_id, shard_of
from workflows import commands, events
from workflows.case import Case, decode, encode
from workflows.facts import Facts
from workflows.handle import Step, give_up, rebase, step
from workflows.outbox import OutboxRecord
from workflows.outbox import encode as encode_messages

log = structlog.get_logger()

POSTPONED_MS = 3600 * 1000
"""When a deadline that could not be decided is tried again, in business time."""


@dataclass
class Batch:
    """
    The overlay. `decide` is called once per command, `expire` once per case that is due; `events`, `changelog` and `outbox` are
    what to write.

    stored: what the store has of the cases that were looked up together. may_fire: whether deadlines are not held.
    stale: whether there may be clocks that count by
    a calendar no longer in force; then each case is re-based before anything is decided about it.
    """

    store: Store
    shard: ShardRecord
    partition: int
    stored: dict[bytes, bytes | None] = field(default_factory=dict)
    touched: dict[bytes, None] = field(default_factory=dict)
    postponed: dict[bytes, int] = field(default_factory=dict)
    requests: dict[bytes, bytes | None] = field(default_factory=dict)
    cases: dict[bytes, Case | None] = field(default_factory=dict)
    events: list[tuple[bytes, bytes]] = field(default_factory=list)
    outbox: list[tuple[bytes, bytes]] = field(default_factory=list)
    decided: list[tuple[str, str]] = field(default_factory=list)
    may_fire: Callable[[], bool] = lambda: True
    stale: bool = False
    rebased: int = 0
    aside: Aside = field(init=False)

    def __post_init__(self) -> None:
        self.aside = Aside(self.store, self.shard, self.partition, self.outbox)

    @property
    def changed(self) -> bool:
        return bool(self.touched or self.postponed or self.aside.parked or self.outbox)

    def look_up(self, cases: Iterable[bytes | None]) -> None:
        """
        What comes next is about these: whoever says so beforehand has them read at half the price. Not of those that are
        parked: what waits does not need their state, and reading it may be what kills.
        """
        parked = self.store.parked
        wanted = [case for case in dict.fromkeys(cases) if case and case not in parked]
        self.stored.update(zip(wanted, self.store.states(wanted), strict=True))

    def _stored(self, case: bytes) -> bytes | None:
        return self.stored[case] if case in self.stored else self.store.state(case)

    def decide(
        self, key: bytes | None, value: bytes | None, source: str, facts: Facts, now: int, retry: Retry = FIRST
    ) -> None:
        """
        A record of `case.commands`. One that cannot be read, or breaks the rules of the log, is dead-lettered; so is
        one of a parked case, unless it was written again (`retry`).
        """
        command = self._read(key, value, source, retry)
        if command is None:
            return
        if isinstance(command, commands.Release):
            self._release(command)
        elif isinstance(command, commands.GiveUp):
            self._give_up(command, facts, now)
        elif isinstance(command, commands.Recheck):
            self.decided.append(("Recheck", self._recheck(command, source, facts, now)))
        elif (self.aside.parked or self.store.parked) and self.aside.must_wait(command, retry):
            self.aside.keep(command, source, "case_parked", now, retry)
        else:
            self._guarded(command, source, facts, now, retry)

    def _read(
        self, key: bytes | None, value: bytes | None, source: str, retry: Retry
    ) -> commands.AnyCommand | commands.Release | commands.GiveUp | commands.Recheck | None:
        try:
            command: commands.AnyCommand | commands.Release | commands.GiveUp | commands.Recheck = commands.decode(
                value or b""
            )
        except msgspec.MsgspecError:
            self.aside.unread(key or source.encode(), source, "unreadable_command", retry)
            return None
        if shard_of(command.case, self.shard.shards) != self.partition:
            key = command.case.encode()
            letter = DeadLetter(stage="engine", code="wrong_shard", source=source, input=command.source)
            self.aside.write(key, letter, None, retry)
            return None
        return command

    def crashed(
        self,
        key: bytes | None,
        value: bytes | None,
        source: str,
        now: int,
        retry: Retry = FIRST,
        *,
        blind: bool = False,
    ) -> None:
        """
        A record at which the process died too often: its case is parked. `blind`: it is not even read any more,
        because that was what it died of.
        """
        command = None if blind else self._read(key, value, source, retry)
        if isinstance(command, commands.AnyCommand):
            self.aside.keep(command, source, "engine_crashed", now, retry)
        elif command is not None or blind:
            self.aside.write_parking(key or source.encode(), "engine_crashed", source, "", now, retry)

    def crashed_deadline(self, case: bytes, source: str, now: int) -> None:
        """The same for a deadline. It is not due again before the case is released, or something else happens to it."""
        if case not in self.touched and self._stored(case) is None:
            return  # there is no such case any more
        self.aside.write_parking(case, "engine_crashed", source, "ReachDeadline", now)
        self.postponed[case] = 0

    def expire(self, case: bytes, facts: Facts, now: int) -> None:
        """
        A case of the due index. Its command is derived from the case's version, so a replay makes the same one.

        Where nothing comes of it the case would be due again at once, and for ever: it is put off. Of what failed and
        fails again there is no second letter.
        """
        value = self._stored(case)
        if value is None and case not in self.touched:
            return
        try:
            held = self.cases[case] if case in self.cases else self._read_case(case, value)
        except msgspec.MsgspecError as error:
            self._park_unreadable(case, value, error, now)
        else:
            if held is not None and self.stale:
                # late is better than by the wrong calendar
                held = self.cases.get(case) if self.rebase(case, facts, now) else None
            if held is None:
                if case not in self.touched:
                    self.postponed[case] = now + POSTPONED_MS
                return
            # with the number, as an id that was forgotten and comes again begins anew with version 1
            cause = event_id(f"{held.id}/{held.number}", held.version)
            command = commands.ReachDeadline(id=cause, case=held.id, at=now)
            self._guarded(command, f"deadline/{held.id}/{held.version}", facts, now)
        if case not in self.touched:
            self.postponed[case] = now + POSTPONED_MS

    def _park_unreadable(self, case: bytes, value: bytes | None, error: Exception, now: int) -> None:
        """Its deadline is tried again, as what cannot be read now may be readable for another release."""
        name = case.decode("utf-8", "replace")
        log.error("case.unreadable", case_id=name, error=error)
        if self.aside.of(case) is None:
            source = f"deadline/{name}/{due_of(value) if value else 0}"
            self.aside.write_parking(case, "engine_fault", source, "ReachDeadline", now)
        self.postponed[case] = now + POSTPONED_MS

    def _recheck(self, command: commands.Recheck, source: str, facts: Facts, now: int) -> str:
        """What came of it: it fires only what the index of the shard has lost."""
        key = command.case.encode()
        if self.aside.of(key) is not None:
            return "parked"
        if not self.may_fire():
            return "held"
        value = None if key in self.touched else self._stored(key)
        try:
            case = self._case(key)
        except msgspec.MsgspecError as error:
            self._park_unreadable(key, value, error, now)
            return "unreadable"
        if case is None or not 0 < case.next_due <= now:
            return "nothing_due"
        if key in self.touched or (value is not None and self.store.is_waiting(key, value)):
            return "to_come"
        log.error("deadline.lost", case_id=command.case)
        self._guarded(commands.ReachDeadline(id=command.id, case=command.case, at=now), source, facts, now)
        return "fired"

    def _guarded(self, command: commands.AnyCommand, source: str, facts: Facts, now: int, retry: Retry = FIRST) -> None:
        """Decide it. A failure is told by a letter, unless it is a deadline's that was put off, and so was told."""
        try:
            self._step(command, facts, now)
        except (NewerFormat, Damaged, DiskRefuses):
            raise  # the whole shard is not to be served: it is not the record's fault
        except Exception as error:
            # our own fault, not the sender's: the record is kept aside and said so, the others go on
            log.error("command.failed", command_id=command.id, case_id=command.case, error=error)
            code = "case_too_large" if isinstance(error, CaseTooLarge) else "engine_fault"
            if not (isinstance(command, commands.ReachDeadline) and self._was_put_off(command.case.encode())):
                self.aside.keep(command, source, code, now, retry)
        else:
            self.shard.seen += 1
            self.shard.row = 0

    def _was_put_off(self, key: bytes) -> bool:
        """Whether it is due now because `expire` put it off, and not because the case says so."""
        held, value = self.cases.get(key), None if key in self.touched else self._stored(key)
        return held is not None and value is not None and due_of(value) != held.next_due

    def _step(self, command: commands.AnyCommand, facts: Facts, now: int) -> None:
        key = command.case.encode()
        before = self._case(key)
        if self.stale and before is not None and before.clocks:
            before = self._rebased(key, before, facts, now)
        request = None
        if before is None and isinstance(command, commands.OPENING):
            request = bytes(command.request)
            command = replace(command, serial=next_serial(self.shard, self.partition, now))
        result = step(before, command, facts, now, None if before is None else partial(self._request, key))
        self._take(key, result, command, now, request)

    def rebase(self, key: bytes, facts: Facts, now: int) -> bool:
        """
        Have the clocks of a case count by the calendars in force. False where that failed: our fault, and tried again by the
        next sweep (router/engine/sweep.py). Until then its deadlines are held; a command fails as this did, and parks it.
        """
        try:
            case = self._case(key)
            if case is not None and case.clocks:
                held_back = self._is_held_back(key)
                self._rebased(key, case, facts, now)
                if held_back and key in self.touched:
                    self.postponed[key] = 0
        except (NewerFormat, Damaged, DiskRefuses):
            raise
        except Exception as error:
            log.error("case.not_rebased", case_id=key.decode("utf-8", "replace"), error=error)
            return False
        return True

    def _is_held_back(self, key: bytes) -> bool:
        """Whether its deadline killed the process, and so is not due again before its release."""
        if not (self.aside.parked or self.store.parked) or self.aside.of(key) is None:
            return False
        if key in self.postponed:
            return self.postponed[key] == 0
        value = None if key in self.touched else self._stored(key)
        return value is not None and due_of(value) == 0

    def _rebased(self, key: bytes, case: Case, facts: Facts, now: int) -> Case:
        """The command is derived from the case's version, so a replay makes the same one."""
        cause = event_id(f"{case.id}/{case.number}/calendar", case.version)
        command = commands.Rebase(id=cause, case=case.id, at=now)
        result = rebase(case, command, facts, now, partial(self._request, key))
        if result.record is None or result.case is None:
            return case
        self._take(key, result, command, now)
        self.rebased += 1
        return result.case

    def _take(
        self,
        key: bytes,
        result: Step,
        command: commands.AnyCommand | commands.Rebase,
        now: int,
        request: bytes | None = None,
    ) -> None:
        """Write what came of a command. `request`: what is kept of one that opened its case."""
        case = result.case
        check(case)
        version, number = (case.version, case.number) if case is not None else (0, "")
        written = [
            (key, encode_messages(OutboxRecord(
                case=command.case, version=version, at=now, source=command.source, number=number, messages=messages,
            )))
            for messages in pages(result.messages)
        ]  # fmt: skip
        if result.record is not None:
            self.events.append((key, events.encode(result.record)))
            self._keep(key, case)
            if request is not None:
                self.requests[key] = request
            elif case is None or case.state == "archived":
                self.requests[key] = None  # of an archived case only the stub stays, of a forgotten one nothing
        self.outbox += written
        self.decided.append((type(command).__name__, _outcome(result.record)))

    def _keep(self, key: bytes, case: Case | None) -> None:
        self.postponed.pop(key, None)  # it is due when the case as it now stands says so
        self.cases[key] = case
        self.touched[key] = None

    def _case(self, key: bytes) -> Case | None:
        return self.cases[key] if key in self.cases else self._read_case(key, self._stored(key))

    def _read_case(self, key: bytes, value: bytes | None) -> Case | None:
        if value is None:
            return None
        held = self.cases[key] = decode(body_of(value))
        return held

    def _request(self, key: bytes) -> bytes | None:
        return self.requests[key] if key in self.requests else self.store.request(key)

    def _release(self, command: commands.Release) -> None:
        """Unless more letters came meanwhile: its commands are decided again, its deadlines stand as the case has them."""
        key = command.case.encode()
        parked = self.aside.of(key)
        if parked is not None:
            if parked.letters != command.letters:
                log.warning("case.not_released", case_id=command.case, shard=self.partition, count=parked.letters)
                return
            self.aside.parked[key] = None
            log.info("case.released", case_id=command.case, shard=self.partition, count=parked.letters)
        self.postponed.pop(key, None)
        try:
            case = self._case(key)
        except msgspec.MsgspecError:
            return  # its deadline says so again
        value = self._stored(key)
        if case is not None and value is not None and key not in self.touched and due_of(value) != case.next_due:
            self.postponed[key] = case.next_due

    def _give_up(self, order: commands.GiveUp, facts: Facts, now: int) -> None:
        """Of a case that cannot be read, or takes nothing more, nothing is claimed, as nothing could be remembered."""
        key = order.case.encode()
        try:
            result = give_up(self._case(key), order, facts, now, partial(self._request, key))
            self._take(key, result, order.of, now)
        except (NewerFormat, Damaged, DiskRefuses):
            raise
        except Exception as error:
            log.error("command.failed", command_id=order.id, case_id=order.case, error=error)

    def count(self) -> None:
        """Tell the metrics what was decided: once it is committed, as what is not will be decided again."""
        for (kind, outcome), count in Counter(self.decided).items():
            metrics.COMMANDS.labels(kind, outcome).inc(count)
        if self.rebased:
            metrics.REBASED.labels(str(self.partition)).inc(self.rebased)
        for code, count in self.aside.letters.items():
            metrics.DEAD_LETTERS.labels("engine", code).inc(count)

    def changelog(self) -> list[tuple[bytes, bytes | None]]:
        """The records of `case.state`: each case that changed once, new requests, and `_shard` last."""
        records: list[tuple[bytes, bytes | None]] = [(key, self._value(key)) for key in self.touched]
        records += [(key, state_value(until, self._as_it_is(key))) for key, until in self.postponed.items()]
        records += [(key + REQUEST_SUFFIX, body) for key, body in self.requests.items()]
        for key, parked in self.aside.parked.items():
            records.append((key + PARKED_SUFFIX, state_value(0, json.encode(parked)) if parked else None))
        return [*records, (SHARD_KEY, json.encode(self.shard))]

    def _value(self, key: bytes) -> bytes | None:
        case = self.cases[key]
        return None if case is None else state_value(case.next_due, encode(case))

    def _as_it_is(self, key: bytes) -> bytes:
        return body_of((self._value(key) if key in self.touched else self._stored(key)) or state_value(0, b""))


def _outcome(record: events.EventRecord | None) -> str:
    """What became of a command, for the metrics."""
    if record is None:
        return "unchanged"
    return "refused" if type(record.events[0]) is events.CommandRefused else "changed"
