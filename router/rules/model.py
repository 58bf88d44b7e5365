"""
A routing rule: a condition of typed columns and what follows in `then` (design D9, docs/rules.md).

The condition is made of boxes: `when` must hold, of `any` at least one, of `unless` none. A box holds if all columns
that it names hold. There is one level and no nesting: a clerk can read it, and sets of boxes can be compared exactly.
"""

import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from workflows.facts import Reason

COLUMNS = (
    "one_thing",
    "matter_under",
    "category_under",
    "place_under",
    "channel",
    "kind",
    "origin",
    "applicant",
    "urgency",
    "medium",
    "disclosure",
    "place_level",
    "tags",
)
"""The columns of words and codes, in the order in which an index looks at them: what tells most rules apart stands first."""

INDEXED = COLUMNS[:5]
"""The columns with many values; the rest have a handful and are checked one by one at the leaf."""

MISSING, NULL, EMPTY, PRESENT = "(missing)", "(null)", "(empty)", "(present)"
STATES = frozenset((MISSING, NULL, EMPTY, PRESENT))
"""What a cell may ask of a field instead of a value: not there, there as null, there without content, there with a value."""

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTE, _OFFSET, _DAY = 60_000, 8 * 60, 24 * 60
WEEK = 7 * _DAY
"""Minutes."""
_THURSDAY = 3 * _DAY
"""1970-01-01 was a Thursday."""


class Window(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Part of the days named (none: of every day), China time. One that ends before it begins goes on past midnight."""

    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = ()
    since: str = msgspec.field(name="from", default="00:00")
    until: str = msgspec.field(name="to", default="24:00")

    def spans(self) -> list[tuple[int, int]]:
        """Day by day the first minute of the week and how many it lasts. Raises ValueError."""
        start, end = _minute(self.since), _minute(self.until)
        if start in (end, _DAY):
            raise ValueError("a window without length")
        return [(DAYS.index(day) * _DAY + start, (end - start) % _DAY or _DAY) for day in self.days or DAYS]

    def covers(self, at: int) -> bool:
        minute = minute_of_week(at)
        return any((minute - start) % WEEK < length for start, length in self.spans())

    def __str__(self) -> str:
        return f"{' '.join(self.days)} {self.since}–{self.until}".strip()


def minute_of_week(at: int) -> int:
    """Minutes since Monday 00:00, China time."""
    return (at // _MINUTE + _OFFSET + _THURSDAY) % WEEK


def _minute(text: str) -> int:
    hours, minutes = text[:2], text[3:]
    if len(text) != 5 or text[2] != ":" or not (text.isascii() and hours.isdigit() and minutes.isdigit()):
        raise ValueError(f"not a time of day such as 08:30: {text!r}")
    minute = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or minute > _DAY:
        raise ValueError(f"not a time of day such as 08:30: {text!r}")
    return minute


Hours = Literal["working_hours", "outside_working_hours"]


class Range(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Numbers between two bounds, both included; one may be left out. Exact decimals."""

    at_least: Decimal | None = None
    at_most: Decimal | None = None

    def covers(self, text: str) -> bool:
        """Whether `text` is a plain decimal number within the bounds."""
        number = as_number(text)
        return (
            number is not None
            and (self.at_least is None or self.at_least <= number)
            and (self.at_most is None or number <= self.at_most)
        )

    def __str__(self) -> str:
        low = "" if self.at_least is None else f"≥ {self.at_least:f}"
        high = "" if self.at_most is None else f"≤ {self.at_most:f}"
        return f"{low} {high}".strip()


def as_number(text: str) -> Decimal | None:
    """`-12.50`: digits with at most one point, and nothing else."""
    return _short_number(text) if len(text) <= SHORT else _number(text)


def _number(text: str) -> Decimal | None:
    whole, point, part = text.removeprefix("-").partition(".")
    plain = text.isascii() and whole.isdigit() and (part.isdigit() if point else not part)
    return Decimal(text) if plain else None


SHORT = 40
_short_number = lru_cache(maxsize=1024)(_number)
"""The same value is compared with the ranges of many rules."""


class Box(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A condition: all columns named here must hold. Within a column any value may."""

    one_thing: tuple[str, ...] = ()
    matter_under: tuple[str, ...] = ()
    category_under: tuple[str, ...] = ()
    place_under: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    origin: tuple[str, ...] = ()
    applicant: tuple[str, ...] = ()
    urgency: tuple[str, ...] = ()
    medium: tuple[str, ...] = ()
    disclosure: tuple[str, ...] = ()
    place_level: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    words_any: tuple[str, ...] = ()
    words_all: tuple[str, ...] = ()
    words_none: tuple[str, ...] = ()
    time: tuple[Hours | Window, ...] = ()
    form: dict[str, tuple[str, ...] | Range] = {}

    def cells(self) -> tuple[tuple[str, ...], ...]:
        """By COLUMNS, which are the first fields."""
        return astuple(self)[: len(COLUMNS)]

    @property
    def looks_further(self) -> bool:
        """Whether it asks for more than words and codes: keywords, times or the form."""
        return bool(self.words_any or self.words_all or self.words_none or self.time or self.form)

    def words(self) -> tuple[str, ...]:
        """Every keyword that it asks for, as written."""
        return self.words_any + self.words_all + self.words_none


class View(Struct, frozen=True, kw_only=True):
    """
    What a request shows to the rules.

    held: by COLUMNS, its values, for trees with everything above, nearest first, then PRESENT; or the state of a field
    without a value. text: title and text, folded. at: when it was received. working: whether the office was open then,
    where the request is. form: by field of the one-thing form the texts of its values, then PRESENT, or its state.
    """

    held: tuple[tuple[str, ...], ...]
    text: str = ""
    at: int = 0
    working: bool = False
    form: Mapping[str, tuple[str, ...]] = {}


def fold(text: str) -> str:
    """The form in which keywords are looked for: full and half width, upper and lower case are one."""
    for wide, narrow in PUNCTUATION:
        text = text.replace(wide, narrow)
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


PUNCTUATION = tuple((chr(ord(narrow) + 0xFEE0), narrow) for narrow in ",;:!?()")
"""Full width to half: NFKC would do the same, but takes ten times as long for a text that is not normal yet."""


class Bearer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is to act: a function in a role, not a unit. `@category` and `@matter` mean what the request's row names."""

    function: str
    role: str = ""
    level: Literal["", "village", "town", "county", "city", "province"] = ""
    part: Literal["lead", "assist", "copy"] = "lead"


class Refusal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule may only propose it; a person confirms."""

    ground: str
    basis: str
    where_to_turn: str


class Then(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Exactly one of the first five. `policy` overrides the channel's and the catalogue's, `urgency` raises the case's.

    answer: an entry of the knowledge base.
    """

    route: tuple[Bearer, ...] = ()
    one_thing: str = ""
    propose_refusal: Refusal | None = None
    answer: str = ""
    triage: bool = False
    policy: str = ""
    urgency: Literal["", "urgent", "emergency"] = ""

    def outcomes(self) -> int:
        ends = (self.route, self.one_thing, self.propose_refusal, self.answer, self.triage)
        return sum(map(bool, ends))


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One row. The lowest `number` that matches decides. Valid from the start of `valid_from` to the end of `valid_to`.

    adds: it never decides; wherever it holds it adds its assists, copies and urgency to what another rule decided.
    """

    id: str
    number: int
    name: str
    then: Then
    when: Box = Box()
    any_of: tuple[Box, ...] = msgspec.field(name="any", default=())
    unless: tuple[Box, ...] = ()
    basis: str = ""
    reason: str = ""
    valid_from: str = ""
    valid_to: str = ""
    adds: bool = False

    @property
    def unconditional(self) -> bool:
        """Whether it holds for every request at any time."""
        return self.when == Box() and not (self.any_of or self.unless or self.valid_from or self.valid_to)

    def boxes(self) -> tuple[Box, ...]:
        """All boxes of the condition, whatever they are for."""
        return (self.when, *self.any_of, *self.unless)


class Match(Struct, frozen=True, kw_only=True):
    """A rule that holds, and why: per column what the request held and which cell took it."""

    rule: Rule
    why: tuple[Reason, ...]
