"""
Instants at the edges are RFC 3339 with an offset; inside they are milliseconds since 1970-01-01T00:00Z.

Naive times do not exist here. What leaves is written with `+08:00`, the only civil time of China.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

CHINA = timezone(timedelta(hours=8))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)

RFC_3339 = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)
_matches = re.compile(RFC_3339).match


def milliseconds(when: datetime) -> int:
    """Milliseconds since the epoch of an aware time."""
    return (when - EPOCH) // _MS


def from_milliseconds(at: int) -> datetime:
    """The aware time, with the offset of China, of milliseconds since the epoch."""
    return (EPOCH + timedelta(milliseconds=at)).astimezone(CHINA)


def to_text(at: int) -> str:
    """RFC 3339 with `+08:00`; milliseconds only where there are any."""
    when = from_milliseconds(at)
    return when.isoformat(timespec="milliseconds" if at % 1000 else "seconds")


@lru_cache(4096)  # the texts of one second come in bursts, and each is looked at twice
def parse(text: str) -> int | None:
    """Milliseconds since the epoch of an RFC 3339 time with offset, or None where it is none."""
    if _matches(text) is None:
        return None
    try:
        return milliseconds(datetime.fromisoformat(text.upper()))
    except ValueError:
        return None


class _Rfc3339:
    """Takes an aware datetime or its RFC 3339 text: never a number, never a naive time."""

    @staticmethod
    def __get_pydantic_core_schema__(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        aware = core_schema.datetime_schema(tz_constraint="aware", strict=True)
        text = core_schema.chain_schema(
            [
                core_schema.str_schema(pattern=RFC_3339, strict=True),
                core_schema.datetime_schema(tz_constraint="aware", strict=False),
            ]
        )
        return core_schema.union_schema(
            [text, aware],
            mode="left_to_right",
            custom_error_type="bad_time",
            custom_error_message="an RFC 3339 time with offset is expected",
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda when: to_text(milliseconds(when)), return_schema=core_schema.str_schema(), when_used="json"
            ),
        )

    @staticmethod
    def __get_pydantic_json_schema__(schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "format": "date-time", "pattern": RFC_3339}


Instant = Annotated[datetime, _Rfc3339]
"""An aware point in time; on the wire RFC 3339 with offset, e.g. `2026-09-18T09:00:00+08:00`."""
