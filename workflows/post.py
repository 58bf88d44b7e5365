"""
The messages of one event record while they are being written: numbered by destination, with ids that follow from their cause.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Raw, Struct

from schemas.ids import command_id, event_id, message_id
from workflows import commands as cmd
from workflows.case import Case
from workflows.decision import Decision
from workflows.messages import encode
from workflows.outbox import Message
from workflows.task_body import Asked, asked

Ask = Callable[[], bytes | Raw | None]
"""Gives the body of the case's ServiceRequest."""


class Post:
    """The messages of one record while they are being written. `d` and `case` (after the command) are of a case that exists; `before`: as it was."""

    __slots__ = (
        "_asked",
        "_cause",
        "_numbered",
        "_request",
        "_sent",
        "before",
        "case",
        "command",
        "d",
        "messages",
        "version",
    )

    d: Decision
    case: Case

    def __init__(
        self,
        d: Decision | None,
        command: cmd.AnyCommand | cmd.Rebase,
        request: Ask | None,
        before: Case | None,
    ) -> None:
        if d is not None:
            self.d = d
            self.case = d.case
        self.command = command
        # to a case that is not there yet the same command may have an effect, and its own answers, when it comes again
        self._cause = command.id if d is not None else event_id(f"{command.id}|lost", 0)
        self._request = request
        self._asked: Asked | None = None
        self.before = before
        self.version = before.version + 1 if before else 1
        self.messages: list[Message] = []
        self._numbered = d is not None
        self._sent = dict(before.sent) if before else {}

    @property
    def asked(self) -> Asked:
        """The request, read when the first task needs it."""
        if self._asked is None:
            self._asked = asked(self.case, self._request() if self._request else None, self.d.title)
        return self._asked

    def add(self, to: str, key: str, kind: str, data: Struct) -> None:
        """One more message; of a case that exists it gets the next number of its destination."""
        seq = 0
        if self._numbered:
            seq = self._sent[to] = self._sent.get(to, 0) + 1
        message = message_id(self._cause, len(self.messages))
        self.messages.append(Message(to=to, key=key, id=message, type=kind, seq=seq, data=Raw(encode(data))))

    def to_case(self, case: str, type_: str, kind: type[cmd.Command], **fields: Any) -> None:
        """A command to another case; its id follows from the message's."""
        said = message_id(self._cause, len(self.messages))
        self.add(f"case:{case}", case, type_, kind(id=command_id(case, said), case=case, at=self.d.now, **fields))

    def answer(self, kind: str, data: Struct) -> None:
        """To the channel that the case came from."""
        self.add(f"answers.{self.case.channel}", self.case.ref, kind, data)

    def to_endpoint(self, endpoint: str, kind: str, data: Struct) -> None:
        """To an endpoint of units."""
        self.add(f"tasks.{endpoint}", self.command.case, kind, data)
