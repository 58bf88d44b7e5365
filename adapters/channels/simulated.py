"""
Simulated channels: the samples of a folder, or the lines of a file, as the records that channel systems would publish.

A sample is one line of JSON, a CloudEvent in structured mode whose `source` is `/channels/<id>`. Times may be
relative (`-2h`): they become real times when the sample is published, since the samples outlive every clock.
Some channel systems speak CloudEvents' binary mode, as in life: `BINARY` says which.

    *.jsonl          the requests of a channel
    followups.jsonl  supplements, withdrawals, evaluations of those requests
    resent.jsonl     requests sent a second time: word for word (duplicate), or the id with another body (id_reused)
    malformed.yaml   records that are broken on purpose, each with the code it must get
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from schemas.times import to_text

__all__ = ["Sample", "Sent", "read_lines", "read_samples", "send"]

SOURCE = "/channels/"
STRUCTURED = "application/cloudevents+json"
FALLBACK_CHANNEL = "website"
"""Where a line without a channel of the catalogue is published: intake must refuse it there, by its rules."""
BINARY = frozenset({"police_110", "superior_order", "one_thing_desk", "nyc311"})
TIMES = ("time", "occurred_at", "received_at")

_UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_relative = re.compile(r"([+-][0-9]{1,6})([smhd])").fullmatch
_placeholder = re.compile(r"@([+-][0-9]{1,6}[smhd])@")


@dataclass(frozen=True)
class Sample:
    """
    Something to publish on a channel's topic: `event` (a CloudEvent), or `raw` bytes (None: a tombstone).

    expect: the code of the answer that a broken record must get; empty for a good one. at: when, in 0..1 of the run.
    """

    channel: str
    event: Mapping[str, Any] | None = None
    raw: bytes | None = None
    expect: str = ""
    at: float = 0.0

    @property
    def ref(self) -> str:
        return str(self.event.get("id", "")) if self.event else ""


@dataclass(frozen=True)
class Sent:
    """A record as a channel system writes it."""

    channel: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def read_samples(folder: Path) -> list[Sample]:
    """All samples of a folder in the order of publication: each channel spread over the run, answers to it after it."""
    files = {path.stem: _events(path) for path in sorted(folder.glob("*.jsonl"))}
    followups, resent = files.pop("followups", []), files.pop("resent", [])
    samples = [s for events in files.values() for s in _spread(events, 0.0, 0.7)]
    samples += _spread(_broken(folder / "malformed.yaml"), 0.05, 0.65)
    samples += _spread(resent, 0.7, 0.8)
    samples += _spread(followups, 0.8, 1.0)
    return sorted(samples, key=lambda sample: sample.at)


def read_lines(path: Path, channels: Sequence[str]) -> list[Sample]:
    """
    Each line of a file as it stands, on the channel that its `source` names.

    A line that names no channel of the catalogue, or that cannot be read at all, is sent to FALLBACK_CHANNEL
    unchanged, so that it is refused and counted like any other input. Blank lines are no lines.
    """
    lines = [line for line in path.read_bytes().split(b"\n") if line.strip()]
    samples = [Sample(channel=_channel_of(line, channels) or FALLBACK_CHANNEL, raw=line) for line in lines]
    return _spread(samples, 0.0, 1.0)


def send(sample: Sample, now: int) -> Sent:
    """The record of a sample, its relative times counted from `now`."""
    if sample.event is None:
        value = None if sample.raw is None else _placed(sample.raw, now)
        return Sent(sample.channel, sample.channel.encode() if value is None else None, value, [])
    event = resolved(sample.event, now)
    key = str(event.get("subject") or event["id"]).encode()
    if sample.channel in BINARY:
        return Sent(sample.channel, key, _json(event["data"]), _headers(event))
    return Sent(sample.channel, key, _json(event), [("content-type", STRUCTURED.encode())])


def resolved(event: Mapping[str, Any], now: int) -> dict[str, Any]:
    """The event with its relative times as RFC 3339."""
    data = {name: _time(value, now) if name in TIMES else value for name, value in event["data"].items()}
    return {name: _time(value, now) if name in TIMES else value for name, value in event.items()} | {"data": data}


# -- reading -------------------------------------------------------------------------------------------


def _events(path: Path) -> list[Sample]:
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [Sample(channel=e["source"].removeprefix(SOURCE), event=e) for e in events]


def _broken(path: Path) -> list[Sample]:
    if not path.exists():
        return []
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [Sample(channel=row["channel"], raw=_raw(row), expect=row["expect"]) for row in rows]


def _raw(row: Mapping[str, Any]) -> bytes | None:
    if "text" in row:
        return str(row["text"]).encode()
    if "base64" in row:
        return base64.b64decode(row["base64"])
    if "repeat" in row:
        parts = row["repeat"]
        return f"{parts['head']}{parts['unit'] * parts['times']}{parts['tail']}".encode()
    return None


def _spread(samples: Sequence[Sample], first: float, last: float) -> list[Sample]:
    """The samples, evenly over a part of the run, in their order."""
    step = (last - first) / max(len(samples), 1)
    return [Sample(s.channel, s.event, s.raw, s.expect, first + n * step) for n, s in enumerate(samples)]


def _channel_of(line: bytes, channels: Sequence[str]) -> str:
    try:
        source = json.loads(line).get("source", "")
    except (ValueError, AttributeError, RecursionError):
        return ""
    name = source.removeprefix(SOURCE) if isinstance(source, str) else ""
    return name if name in channels else ""


# -- writing -------------------------------------------------------------------------------------------


def _headers(event: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    attributes = {name: value for name, value in event.items() if name not in ("data", "datacontenttype")}
    return [*_ce(attributes), ("content-type", b"application/json")]


def _ce(attributes: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    yield from ((f"ce_{name}", str(value).encode()) for name, value in attributes.items())


def _placed(raw: bytes, now: int) -> bytes:
    if b"@" not in raw or len(raw) > 100_000:
        return raw
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return raw
    return _placeholder.sub(lambda found: _time(found[1], now), text).encode()


def _time(value: Any, now: int) -> Any:
    found = _relative(value) if isinstance(value, str) else None
    return to_text(now + int(found[1]) * _UNITS[found[2]]) if found else value


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
