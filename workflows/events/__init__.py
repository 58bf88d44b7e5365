"""
What has happened to a case, in the past tense, with the version in the type.

One record on `case.events` per command: an `EventRecord`, JSON. It is the truth: kept, never
compacted; `evolve` of a released event version never changes. Times are milliseconds since
1970-01-01T00:00Z on the business clock. Events carry what was decided (due dates, units,
endpoints), so that folding them needs no catalogue and no calendar.
"""

from collections.abc import Iterable
from itertools import repeat

import msgspec
from msgspec import Struct

from workflows.events.adopting import *
from workflows.events.case import *
from workflows.events.clocks import *
from workflows.events.courses import *
from workflows.events.disputes import *
from workflows.events.event import *
from workflows.events.feedback import *
from workflows.events.legs import *
from workflows.events.orders import *
from workflows.events.stars import *

AnyEvent = (
    CaseEvent | LegEvent | ClockEvent | OrderEvent | DisputeEvent | CourseEvent | StarEvent | FeedbackEvent
    | AdoptingEvent
)  # fmt: skip


class EventRecord(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One record of `case.events`: all that one command brought about. `version` counts 1, 2, 3 … per case."""

    case: str
    version: int
    at: int
    cause: str
    """the command's id"""
    source: str = ""
    """topic/partition/offset of the input behind the command; empty for deadlines"""
    number: str = ""
    catalogue: int = 0
    events: tuple[AnyEvent, ...]
    sent: tuple[str, ...] = ()
    """The destination of each message that left with it, in order: folding them gives the sequences per destination."""
    times: tuple[int, ...] = ()
    """When each of the events happened, where that was before the record: of a case that another system had until then."""


def timed(record: EventRecord) -> Iterable[tuple[int, AnyEvent]]:
    """The events of a record, each with the time at which it happened."""
    return zip(record.times or repeat(record.at), record.events, strict=False)


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(EventRecord).decode
