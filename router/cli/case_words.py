"""
Words for what the read model holds in codes: times, units, clocks, rules; in the reader's language.

Names of channels, places, categories, rules and units come from the catalogue on this machine, if there is
a sound one; without it the codes are shown as they are, which is what the log holds.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from adapters.readmodel import CaseFile, ClockRow, StepRow
from router.catalogue.catalogue import Catalogue
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.load import FolderUnreadable, load
from router.cli.case_texts import CELLS, COLUMNS, HEADINGS, SENTENCES, UNITS, WEEKDAYS, WORDS
from schemas import handling as h
from schemas import vocabulary as v
from schemas.times import from_milliseconds
from workflows.calendars import Calendar

NOTHING = "—"
LABELS: Mapping[str, type[v.Word] | tuple[type[v.Word], ...]] = {
    "appeal_kind": v.AppealKind,
    "part": v.Part,
    "kind": h.ClockKind,
    "result": h.ReplyResult,
    "ground": v.RefusalGround,
    "action": (h.ReplyAction, h.OrderAction),
    "what": (h.SupervisionStep, h.ResemblanceKind),
    "urgency": v.Urgency,
    "case_state": h.CaseState,
    "close_reason": h.CloseReason,
    "origin": v.Origin,
}
"""Which of the contract's vocabularies words a field."""


class Words:
    """Everything that is said about cases, in one language (`zh` or `en`)."""

    def __init__(self, lang: str, catalog: Path) -> None:
        self._side = 1 if lang == "en" else 0
        self._catalog = catalog

    @cached_property
    def _catalogue(self) -> Catalogue | None:
        try:
            return load(self._catalog)
        except (CatalogueFaulty, FolderUnreadable):
            return None

    @property
    def side(self) -> int:
        """Which of a pair of texts: 0 Chinese, 1 English."""
        return self._side

    def heading(self, name: str) -> str:
        return HEADINGS[name][self._side]

    def word(self, name: str, **values: object) -> str:
        """A word of ours; a name that has none is shown as it is."""
        return WORDS.get(name, (name, name))[self._side].format_map(values)

    def label(self, field: str, word: str) -> str:
        """A word of the contract's vocabularies, else one of ours, else the word itself."""
        kinds = LABELS.get(field, ())
        for kind in kinds if isinstance(kinds, tuple) else (kinds,):
            if word in kind.__members__.values():
                return kind(word).en if self._side else kind(word).zh
        return self.word(word) if word else NOTHING

    def moment(self, at: int) -> str:
        """Beijing time with the day of the week, to the minute; seconds where there are any."""
        return self._moment(from_milliseconds(at)) if at else NOTHING

    def _moment(self, when: datetime) -> str:
        clock = f"{when:%H:%M:%S}" if when.second else f"{when:%H:%M}"
        return f"{when:%Y-%m-%d} {WEEKDAYS[when.weekday()][self._side]} {clock}"

    def weekday(self, day: date) -> str:
        return WEEKDAYS[day.weekday()][self._side]

    def budget(self, budget: str) -> str:
        for suffix, texts in UNITS.items():
            if budget.endswith(suffix):
                return texts[self._side].format(n=budget.removesuffix(suffix))
        return budget or NOTHING

    def aside(self, text: str) -> str:
        """In brackets, as the language writes them."""
        return ("（{}）", " ({})")[self._side].format(text)

    # -- names of the catalogue ---------------------------------------------------------------

    def channel(self, channel: str) -> str:
        row = self._catalogue and self._catalogue.channels.get(channel)
        return (row.name_en if self._side else row.name_zh) if row else channel or NOTHING

    def region(self, code: str) -> str:
        return self._named(code, self._catalogue and self._catalogue.divisions.get(code))

    def category(self, code: str) -> str:
        return self._named(code, self._catalogue and self._catalogue.categories.get(code))

    def matter(self, code: str) -> str:
        return self._named(code, self._catalogue and self._catalogue.matters.get(code))

    def rule(self, rule: str) -> str:
        return self._named(rule, self._catalogue and self._catalogue.rules.get(rule))

    def unit(self, unit: str) -> str:
        row = self._catalogue and self._catalogue.units.get(unit)
        return row.name if row else unit or NOTHING

    @staticmethod
    def _named(code: str, row: Any) -> str:
        return f"{code} {row.name}" if row else code or NOTHING

    def calendar(self, calendar: str) -> Calendar | None:
        """The very calendar of this name, if the catalogue on this machine has it."""
        return self._catalogue.calendars.get(calendar) if self._catalogue else None

    # -- sentences ----------------------------------------------------------------------------

    def reasons(self, why: Sequence[Mapping[str, str]]) -> str:
        """Which columns of the rule matched: what the request held and which cell of the rule took it."""
        parts = []
        for reason in why:
            name, _, field = reason["column"].partition(".")  # of the one-thing form: `form.<field>`
            column = " ".join(filter(None, (COLUMNS.get(name, (name, name))[self._side], field)))
            held, cell = (self._cell(reason.get(part, "")) for part in ("value", "cell"))
            parts.append(f"{column} {held or cell}" + (f" ∈ {cell}" if held and held != cell else ""))
        return f"{self.heading('why')} " + (("；", "; ")[self._side].join(parts) or self.word("any"))

    def _cell(self, cell: str) -> str:
        """What a cell says; states and kinds of hours in words."""
        return CELLS.get(cell, (cell, cell))[self._side]

    def clock_reason(self, clock: ClockRow) -> str:
        """Why a clock is due when it is: budget, start rule, from when, calendar, policy."""
        parts = [
            self.budget(clock.budget),
            self.word(clock.start) if clock.start else "",
            self.word("from", anchor=self.moment(clock.anchor)),
            self.word("calendar", calendar=clock.calendar or NOTHING),
            self.word("policy", policy=clock.policy or NOTHING),
            self.word("provisional") if clock.provisional else "",
        ]
        return ("，", ", ")[self._side].join(part for part in parts if part)

    def sentence(self, step: StepRow, file: CaseFile) -> str:
        """One event of the timeline as a sentence."""
        name = step.type.partition(".")[0]
        detail = json.loads(step.detail)
        variants = [f"{name}+{field}" for field, value in detail.items() if value and f"{name}+{field}" in SENTENCES]
        texts = SENTENCES.get(variants[0] if variants else name)
        if texts is None:
            return step.type
        values = defaultdict(lambda: NOTHING, {"of": "", "start": ""})
        values.update({field: self._field(name, field, value, file) for field, value in detail.items()})
        return texts[self._side].format_map(values)

    def holder(self, of: str, file: CaseFile) -> str:
        """Who must act on a leg or an officer's task: the leg's unit, the unit the task was given to, else the centre."""
        for leg in file.legs:
            if leg.leg == of:
                return leg.unit_name or leg.unit
        for detail in (json.loads(step.detail) for step in file.timeline):
            if detail.get("task") == of:
                return self.unit(detail.get("unit") or file.case.centre)
        return of

    def _field(self, event: str, field: str, value: Any, file: CaseFile) -> str:
        if field in ("leg", "parent"):
            return self.holder(value, file)
        if field == "of":
            return self.aside(self.holder(value, file))
        if event == "CaseClosed" and field == "reason":
            return self.label("close_reason", value)
        if event == "TriageAsked" and field == "reason":
            code, _, rest = value.partition(": ")
            return f"{self.word(code)} {rest}".rstrip()
        if event == "EscalationSkipped" and field == "why":
            return self.label("case_state", value)
        if event == "CommandRefused" and field == "state":
            return self.label("case_state", value)
        if field == "why" and event != "CaseRouted":  # a code; of a routing it is the columns that matched
            return self.word(value)
        if event == "ClockExtended" and field == "by":
            return self.budget(value)
        say = self._sayers.get(field)
        return say(value) if say else self.label(field, value) if isinstance(value, str) else str(value)

    def _proposal(self, proposal: Mapping[str, Any]) -> str:
        """What was proposed, whether it counted, and what else was likely."""
        name = "proposed" if proposal.get("category") else "not proposed"
        top = ("、", ", ")[self._side].join(
            f"{self.category(guess['category'])} {guess['score']}" for guess in proposal.get("top", ())
        )
        said = {**proposal, "top": top, "by": self.word(proposal["by"])}
        told = self.word(name, **said | {"category": self.category(proposal.get("category", ""))})
        found = proposal.get("answer")
        return told + (("；", "; ")[self._side] + self.word("found", **found) if found else "")

    @cached_property
    def _sayers(self) -> Mapping[str, Callable[[Any], str]]:
        return {
            "due": self.moment,
            "until": self.moment,
            "before": self.moment,
            "limit": self.budget,
            "budget": self.budget,
            "start": self.word,
            "channel": self.channel,
            "region": self.region,
            "category": self.category,
            "matter": self.matter,
            "rule": self.rule,
            "unit": self.unit,
            "proposed": self.unit,
            "lead": self.unit,
            "charged": self.unit,
            "why": self.reasons,
            "proposal": self._proposal,
            "joined": lambda joined: ("、", ", ")[self._side].join(self.rule(more["rule"]) for more in joined),
            "by": lambda by: self.word("by rule") if by == "rule" else self.unit(by),
        }
