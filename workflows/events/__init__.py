"""
What has happened to a case, in the past tense, with the version in the type.

One record on `case.events` per command: an `EventRecord`, JSON. It is the truth: kept, never
compacted; `evolve` of a released event version never changes. Times are milliseconds since
1970-01-01T00:00Z on the business clock. Events carry what was decided (due dates, units,
endpoints), so that folding them needs no catalogue and no calendar.
"""

import msgspec
from msgspec import Struct

from workflows.events.case import *
from workflows.events.clocks import *
from workflows.events.courses import *
from workflows.events.disputes import *
from workflows.events.event import *
from workflows.events.feedback import *
from workflows.events.legs import *
from workflows.events.orders import *
from workflows.events.stars import *

AnyEvent = CaseEvent | LegEvent | ClockEvent | OrderEvent | DisputeEvent | CourseEvent | StarEvent | FeedbackEvent


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


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(EventRecord).decode
