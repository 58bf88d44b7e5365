"""
What a batch keeps aside: dead letters, and the cases that are parked from their first on (docs/adr/0016).
"""

from collections import Counter

import msgspec
import structlog
from msgspec import Struct, json
from msgspec.structs import replace

from router.engine.limits import COUNTED
from router.engine.record import ShardRecord
from router.engine.store import Store
from router.operate.letters import FIRST, DeadLetter, Retry
from schemas.ids import event_id
from workflows import commands
from workflows.answers import undecided
from workflows.outbox import DEAD_LETTER, Message, OutboxRecord, encode

log = structlog.get_logger()

PARKING = frozenset(["engine_fault", "engine_crashed"])
"""Why a case is parked. Not `case_too_large`: that is an answer, after which less may still come."""


class Parked(Struct, frozen=True, kw_only=True):
    """
    The key `<case>/parked`: why the case's commands are kept aside, since when (business time), how many letters there
    are by now, and how many of them are faults of their own.
    """

    code: str
    since: int
    letters: int = 0
    faults: int = 0


class Aside:
    """
    Letters go to `outbox`, among what else leaves in this batch. parked: whose parking changed in it, None where it ended;
    letters: how many were written, by code.
    """

    def __init__(self, store: Store, shard: ShardRecord, partition: int, outbox: list[tuple[bytes, bytes]]) -> None:
        self._store, self._shard, self._partition, self._outbox = store, shard, partition, outbox
        self.parked: dict[bytes, Parked | None] = {}
        self.letters: Counter[str] = Counter()

    def keep(self, command: commands.AnyCommand, source: str, code: str, now: int, retry: Retry) -> None:
        """A letter, an answer to its sender, and where it is our fault its case is parked; a deadline is tried again by itself."""
        key, parked = command.case.encode(), None
        if code == "case_parked" or (code in PARKING and not isinstance(command, commands.ReachDeadline)):
            parked = self.park(key, code, now)
        # whoever was told already that his message is held need not be told again
        said = "case_too_large" if code == "case_too_large" else "held"
        answers = () if said == "held" and retry is not FIRST else undecided(command, said)
        letter = DeadLetter(
            stage="engine", code=code, source=source, case=command.case, action=type(command).__name__, input=command.source
        )  # fmt: skip
        self.write(key, letter, parked, retry, answers)

    def park(self, case: bytes, code: str, now: int) -> Parked:
        """One letter more of a case that is parked from here on, if it was not before."""
        name = case.decode("utf-8", "replace")
        before = self.of(case)
        if before is None:
            before = Parked(code=code, since=now)
            log.error("case.parked", case_id=name, shard=self._partition, code=code)
        faults = before.faults + (code != "case_parked")
        parked = self.parked[case] = Parked(
            code=before.code, since=before.since, letters=before.letters + 1, faults=faults
        )
        return parked

    def of(self, case: bytes) -> Parked | None:
        """How a case is parked, by this batch or before."""
        if case in self.parked:
            return self.parked[case]
        value = self._store.parked.get(case)
        return json.decode(value, type=Parked) if value else None

    def must_wait(self, command: commands.AnyCommand, retry: Retry) -> bool:
        """Whether its case is parked and it was not written again since the last fault."""
        parked = self.of(command.case.encode())
        return parked is not None and parked.faults != retry.faults

    def write_parking(self, case: bytes, code: str, source: str, action: str, now: int, retry: Retry = FIRST) -> None:
        """A letter that parks its case, of what is not read, or is no sender's."""
        letter = DeadLetter(
            stage="engine", code=code, source=source, case=case.decode("utf-8", "replace"), action=action
        )
        self.write(case, letter, self.park(case, code, now), retry)

    def unread(self, key: bytes, source: str, code: str, retry: Retry = FIRST) -> None:
        """A dead letter for what cannot be read, or is not ours."""
        self.write(key, DeadLetter(stage="engine", code=code, source=source), None, retry)

    def write(
        self,
        key: bytes,
        letter: DeadLetter,
        parked: Parked | None,
        retry: Retry,
        answers: tuple[Message, ...] = (),
    ) -> None:
        """A letter, counted where it is a fault of ours, with what its sender is answered."""
        if parked is not None:
            letter = replace(letter, parked=parked.letters, faults=parked.faults)
        if retry is not FIRST:
            letter = replace(letter, retry_of=retry.of, root=retry.root)
        elif letter.code in COUNTED:
            self._shard.seen += 1
            self._shard.letters += 1
            self._shard.row += 1
        # a command has its place once; the same deadline may kill again after its case was released
        cause = f"{letter.source}|{self._shard.now}" if letter.source.startswith("deadline/") else letter.source
        message = Message(
            to="dead-letters.engine",
            key=key.decode("utf-8", "replace"),
            id=event_id(cause, 0),
            type=DEAD_LETTER,
            data=msgspec.Raw(json.encode(letter)),
        )
        record = OutboxRecord(
            case="", version=0, at=self._shard.now, source=letter.source, messages=(message, *answers)
        )
        self._outbox.append((key, encode(record)))
        self.letters[letter.code] += 1
