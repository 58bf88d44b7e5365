"""
What one request costs at the edge, in µs: parse, validate, canonical JSON and hash; and the whole translation.

    python -m bench.intake_parse [--repeats N]

One process, no broker. The best of the repeats is printed, with the median beside it: the difference is the noise.
"""

import argparse
import statistics
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from router.intake.translate import Known, translate
from schemas.cloudevents import canonical, decode, digest
from schemas.registry import REQUEST_SUBMITTED
from schemas.request import ServiceRequest
from schemas.times import parse
from schemas.validation import read

CALLS = 5_000
EVENT = {
    "specversion": "1.0",
    "id": "RX-20260918-000123",
    "source": "/channels/hotline_12345",
    "type": REQUEST_SUBMITTED,
    "time": "2026-09-18T09:00:00+08:00",
    "data": {
        "title": "小区门口路灯不亮",
        "text": "历下区某小区南门口的路灯已经一个星期不亮了，晚上老人孩子出行不安全。打过物业电话，物业说路段不归他们管，"
        "请城管部门尽快查看维修，并告知大概什么时候能修好。如果需要现场指认位置，可以在傍晚六点以后联系。",
        "appeal_kind": "help",
        "medium": "phone",
        "origin": "citizen",
        "appeal_category": "C0204",
        "place": {
            "region": "370102",
            "address": "历下区某路1号南门",
            "lon": 117.03,
            "lat": 36.66,
            "precision": "street",
        },
        "applicant": {"kind": "person", "name": "张某", "phone": "0531-00000000", "disclosure": "open"},
        "wants": {"reply": True, "callback": True},
        "tags": ["路灯"],
        "recording_ref": "rec-20260918-090000-07",
        "occurred_at": "2026-09-17T20:00:00+08:00",
        "received_at": "2026-09-18T08:59:00+08:00",
    },
}


@dataclass(frozen=True)
class Channel:
    id: str = "hotline_12345"
    origin: str = "citizen"
    medium: str = "phone"
    default_kind: str = "help"


@dataclass(frozen=True)
class Catalogue:
    channels: dict[str, Channel]
    endpoints: dict[str, object]

    def has_region(self, code: str) -> bool:
        return code == "370102"


@dataclass(frozen=True)
class Record:
    value: bytes
    topic: str = "duokua.intake.hotline_12345"
    partition: int = 0
    offset: int = 5
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


def edge(raw: bytes) -> str:
    """What the limit of 30 µs is about: parse, validate, canonical JSON, SHA-256."""
    event = decode(raw)
    read(ServiceRequest, event.data)
    return digest(canonical(event.data))


def measure(name: str, call: Callable[[], Any], repeats: int) -> None:
    spent = [seconds / CALLS * 1e6 for seconds in timeit.repeat(call, number=CALLS, repeat=repeats)]
    print(f"{name:<44} {min(spent):7.1f} µs   median {statistics.median(spent):7.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    raw = orjson.dumps(EVENT)
    event, record = decode(raw), Record(raw)
    known = Known(directory=Catalogue({"hotline_12345": Channel()}, {}), prefix="duokua.", shards=4, secret=b"bench")
    now = parse("2026-09-18T09:00:00+08:00") or 0
    print(f"a request of {len(raw)} bytes, {CALLS} calls a repeat")
    measure("decode (JSON and envelope)", lambda: decode(raw), repeats)
    measure("validate", lambda: read(ServiceRequest, event.data), repeats)
    measure("canonical JSON and SHA-256", lambda: digest(canonical(event.data)), repeats)
    measure("parse + validate + canonical + SHA-256", lambda: edge(raw), repeats)
    measure("translate (the same, and the command)", lambda: translate(record, known, now), repeats)


if __name__ == "__main__":
    main()
