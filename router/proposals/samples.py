"""
Labelled messages: from files of others, and from what our own dispatchers have decided.

Samples hold what citizens wrote. They stay in memory: nothing here writes, names or logs them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from workflows import events as ev


class Sample(NamedTuple):
    """A message that somebody has labelled. `who`: whose it is, to keep them together."""

    title: str
    text: str
    category: str
    who: str


class _Said(msgspec.Struct):
    title: str = ""
    text: str = ""


_said = msgspec.json.Decoder(_Said).decode


class LineUnreadable(Exception):
    """The line, counted from 1, is no JSON object with a text."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def of_file(lines: Iterable[str], words: Mapping[str, str]) -> Iterator[Sample]:
    """
    JSON Lines with `title`, `text` (or `content`), `category` (a code, or a word that `words` translates), `user`.

    What has no category is left out. Raises LineUnreadable.
    """
    for number, line in enumerate(lines, 1):
        if line.strip():
            row = _row(line, number)
            text, category = row.get("text") or row.get("content") or "", row.get("category") or ""
            if category:
                who = str(row.get("user") or f"line {number}")
                yield Sample(str(row.get("title") or ""), str(text), words.get(str(category), str(category)), who)


def _row(line: str, number: int) -> dict[str, Any]:
    try:
        row = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise LineUnreadable(number) from error
    if not isinstance(row, dict):
        raise LineUnreadable(number)
    return row


class Decided:
    """
    What `case.events` says messages are about: what a dispatcher said, else what the channel said and no unit returned.

    A category that was only proposed is no label: a model must not learn from itself.
    """

    def __init__(self) -> None:
        self._told: dict[str, _Said] = {}
        self._label: dict[str, str] = {}
        self._channel: set[str] = set()

    def take(self, record: ev.EventRecord) -> None:
        """The records of a case in their order."""
        for event in record.events:
            if isinstance(event, ev.CaseRegistered):
                self._told[record.case] = _said(event.request)
                if event.category:
                    self._label[record.case] = event.category
                    self._channel.add(record.case)
            elif isinstance(event, ev.TriageEnded) and event.category:
                self._label[record.case] = event.category
                self._channel.discard(record.case)
            elif isinstance(event, ev.LegReturned) and record.case in self._channel:
                self._label.pop(record.case, None)

    def samples(self) -> Iterator[Sample]:
        for case, category in self._label.items():
            told = self._told[case]
            yield Sample(told.title, told.text, category, case)
