"""
A request of a foreign system, and its way into the contract.

A reader turns a line of its format into a `Foreign`: what is said in the foreign system's own words
stays apart (`words`) and is translated here by tables. A word that no table knows is no fault: the
request goes to the province's root without a category, where a person looks at it (triage).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from schemas.cloudevents import channel_source
from schemas.identity import ref_fault
from schemas.registry import REQUEST_SUBMITTED
from schemas.request import ServiceRequest

Vocabularies = Mapping[str, Mapping[str, str]]
"""By what is translated (`category`, `place`, `medium`): foreign word → ours."""


class LineFault(Exception):
    """A line that cannot become an event: its number, a code and, where there is one, the field. Never its content."""

    def __init__(self, line: int, code: str, field: str = "") -> None:
        super().__init__(f"line {line}: {code} {field}".rstrip())
        self.line, self.code, self.field = line, code, field


@dataclass(frozen=True)
class Foreign:
    """
    One request as its file gives it. `happened` is aware, in the zone of the source.

    words: what is translated, by kind (`category`, `place`, `medium`); an empty word was not given.
    place: further fields of the contract's Place; data: further fields of the ServiceRequest.
    """

    line: int
    ref: str
    happened: datetime
    title: str
    text: str
    words: Mapping[str, str] = field(default_factory=dict)
    place: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)


def to_event(
    foreign: Foreign, channel: str, root: str, vocabularies: Vocabularies
) -> tuple[dict[str, Any], frozenset[str]]:
    """
    The CloudEvent (structured mode) of a foreign request, and which kinds of its words no table knows.

    `root` is the division that takes what has no place of ours. Raises LineFault when the contract refuses it.
    """
    if fault := ref_fault(foreign.ref):
        raise LineFault(foreign.line, fault, "id")
    known = {kind: vocabularies.get(kind, {}).get(word.strip(), "") for kind, word in foreign.words.items()}
    when = foreign.happened.isoformat()
    data: dict[str, Any] = {"title": foreign.title, "text": foreign.text, **foreign.data, "occurred_at": when}
    data["place"] = {"region": known.get("place") or root, **foreign.place}
    data |= {name: known[kind] for kind, name in TRANSLATED.items() if known.get(kind)}
    _check(foreign.line, data)
    event = {
        "specversion": "1.0",
        "id": foreign.ref,
        "source": channel_source(channel),
        "type": REQUEST_SUBMITTED,
        "time": when,
    }
    return event | {"datacontenttype": "application/json", "data": data}, frozenset(
        k for k, ours in known.items() if not ours
    )


TRANSLATED = {"category": "appeal_category", "medium": "medium"}
"""Kinds of words and the field of the ServiceRequest that takes the translation; `place` stands apart."""


def _check(line: int, data: Mapping[str, Any]) -> None:
    try:
        ServiceRequest.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise LineFault(line, first["type"], "/".join(map(str, first["loc"]))) from None
