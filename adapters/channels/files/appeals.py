"""
Letters to the message boards of a province, as published for research: JSON Lines.

One object a line: `id`, `title`, `content`, `time` (local, without offset: UTC+08:00), `category` (the
first-level class, or null), `user` (a code). What the department answered is not part of the request.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from adapters.channels.files.foreign import Foreign, LineFault
from schemas.times import CHINA

TITLE_CHARS = 30


def read_appeals(lines: Iterable[str]) -> Iterator[Foreign | LineFault]:
    """Each line as a request or as the fault that keeps it from being one; the next line is read all the same."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _letter(number, _parsed(number, line))
        except LineFault as fault:
            yield fault


def _parsed(number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise LineFault(number, "not_json") from error
    if not isinstance(row, dict):
        raise LineFault(number, "not_an_object")
    return row


def _letter(number: int, row: dict[str, Any]) -> Foreign:
    text = _said(number, row, "content")
    title = str(row.get("title") or "").strip() or text.strip()[:TITLE_CHARS]
    return Foreign(
        line=number,
        ref=f"appeals-{_said(number, row, 'id')}",
        happened=_moment(number, _said(number, row, "time")),
        title=title,
        text=text,
        words={"category": str(row.get("category") or ""), "place": ""},
        data={"applicant": {"kind": "person", "name": str(row["user"])}} if row.get("user") else {},
    )


def _said(number: int, row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if value is None or value == "":
        raise LineFault(number, "missing_field", name)
    return str(value)


def _moment(number: int, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise LineFault(number, "bad_time", "time") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=CHINA)
