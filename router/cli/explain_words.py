"""How a decision and what is around it are told (`duokua rules explain|try`): to people line by line, to programs as JSON."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import typer

from router.catalogue.catalogue import Catalogue
from router.catalogue.explained import Explained, Other, Outcome
from router.cli.case_words import Words
from router.cli.rules_words import LABELS, function, name, outcome
from router.rules.model import STATES, Rule
from router.rules.nearest import Cell, Reading
from schemas.times import to_text

SHOWN = 6
"""Values of a cell that are written out; a program gets them all."""

TEXTS = {
    "zh": {
        "catalogue": "目录", "request": "诉求", "decided": "决定", "cells": "逐格", "beside": "也成立", "missed": "差一条", "asked": "问到",
        "version": "第 {version} 版 {hash}", "folder": "文件夹 {hash}", "received": "{moment} 收到（{hours}）",
        "answered": "话务员已直接答复，不问规则", "emergency": "紧急情况，先于规则转 {unit}", "otherwise": "若问规则：", "policy": "时限方案 {policy}",
        "due": "{kind} {due} 到期（{budget}）", "provisional": "暂定", "triage": "转人工分派（{reason}）", "task": "经办任务",
        "refusal": "理由 {ground}，依据 {basis}，可向 {where}", "joined": "补充：{rules}", "urgency": "紧急程度升为 {urgency}", "answer": "知识库条目 {answer}", "asks": "要求 {asked}", "none found": "没有找到", "more": "等 {count} 个",
        "any": "任一组之第 {box} 组", "unless": "除非第 {box} 组", "held": "除非第 {box} 组成立：{cells}", "always": "无条件",
        "count": "{found} 条规则只差一个条件，列出 {shown} 条", "holds": "成立", "fails": "不成立",
        "differs": "！！与当时的记录不一致：{fields}。当时：{was}", "case": "工单",
        "same": "与当时的记录一致", "sep": "；", "comma": "，", "colon": "：",
    },
    "en": {
        "catalogue": "catalogue", "request": "request", "decided": "decided", "cells": "cells", "beside": "also hold", "missed": "nearly", "asked": "asked",
        "version": "version {version} {hash}", "folder": "folder {hash}", "received": "received {moment} ({hours})",
        "answered": "answered at once by the call agent, no rule was asked", "emergency": "an emergency, before any rule to {unit}", "otherwise": "had the rules been asked: ", "policy": "time limits {policy}",
        "due": "{kind} due {due} ({budget})", "provisional": "provisional", "triage": "left to a dispatcher ({reason})", "task": "officer's task",
        "refusal": "ground {ground}, basis {basis}, where to turn: {where}", "joined": "added by {rules}", "urgency": "urgency raised to {urgency}", "answer": "entry {answer} of the knowledge base", "asks": "asks for {asked}", "none found": "none found", "more": "… {count} in all",
        "any": "box {box} of any", "unless": "box {box} of unless", "held": "box {box} of unless holds: {cells}", "always": "no condition",
        "count": "{found} rules fail by one condition alone, {shown} shown", "holds": "holds", "fails": "does not hold",
        "differs": "!! NOT what was recorded: {fields}. Recorded: {was}", "case": "case",
        "same": "the same as recorded", "sep": "; ", "comma": ", ", "colon": ": ",
    },
}  # fmt: skip
TOLD = ("channel", "place_under", "category_under", "matter_under", "one_thing")
"""Columns with named codes that say what a request is about."""
WORDED = {"kind": "appeal_kind", "urgency": "urgency", "origin": "origin"}
"""Column → the contract's vocabulary of its words."""


class Teller:
    """Tells in one language, with the names of one catalogue."""

    def __init__(self, lang: str, catalogue: Catalogue) -> None:
        self._catalogue, self._texts = catalogue, TEXTS[lang]
        self.labels: Mapping[str, str] = LABELS[lang]
        self._words = Words(lang, Path())  # only what needs no catalogue is asked of it

    # -- for programs ----------------------------------------------------------------------------

    def as_json(self, told: Explained) -> dict[str, Any]:
        """All of it, times as RFC 3339."""
        return {
            "catalogue": {"version": self._catalogue.version, "hash": self._catalogue.hash},
            "request": {**told.request, "received_at": to_text(told.received_at), "working": told.working},
            "decided": self.outcome_json(told.decided),
            "rule": _reading(told.deciding) if told.deciding else None,
            "runners_up": [self._other(other) for other in told.runners_up],
            "missed": told.missed,
            "misses": [self._other(other) for other in told.misses],
            "asked": [self._other(other) for other in told.asked],
        }

    def outcome_json(self, outcome: Outcome) -> dict[str, Any]:
        told: dict[str, Any] = msgspec.to_builtins(outcome)
        told["clocks"] = [clock | {"due": to_text(clock["due"])} for clock in told["clocks"]]
        return {field: value for field, value in told.items() if value not in ("", 0, [])}

    def _other(self, other: Other) -> dict[str, Any]:
        return _reading(other.reading) | {"would": self.outcome_json(other.would)}

    # -- for people ------------------------------------------------------------------------------

    def tell(
        self, told: Explained, number: str = "", was: Outcome | None = None, differing: Sequence[str] = ()
    ) -> None:
        """Heading by heading. number: of the case that it is about; was: what it recorded, where that is something else."""
        catalogue = self._catalogue
        said = self._say(
            "version" if catalogue.version else "folder", version=catalogue.version, hash=catalogue.hash[:12]
        )
        if number:
            self._block("case", [number])
        self._block("catalogue", [said])
        self._block("request", [self._request(told)])
        self._block("decided", self._decision(told))
        if was is not None:
            typer.echo(self._say("differs", fields=", ".join(differing), was=f"{was.rule} → {self._short(was)}"))
        elif number:
            self._block("", [self._say("same")])
        if told.deciding is not None:
            self._block("cells", self._cells(told.deciding.cells, told) or [self._say("always")])
        self._block(
            "beside", [f"{self._rule(other.reading.rule)} → {self._short(other.would)}" for other in told.runners_up]
        )
        if told.missed:
            counted = self._say("count", found=told.missed, shown=len(told.misses))
            self._block("missed", [counted, *(line for other in told.misses for line in self._miss(other, told))])
        self._block("asked", [line for other in told.asked for line in self._asked(other, told)])

    def _block(self, heading: str, lines: Iterable[str]) -> None:
        title = self._texts[heading] if heading else ""
        blank = " " * sum(2 if ord(letter) > 0x2E80 else 1 for letter in title)
        for i, line in enumerate(lines):
            typer.echo(f"{blank if i else title}  {line}".rstrip())

    def _say(self, text: str, **values: object) -> str:
        return self._texts[text].format(**values)

    def _request(self, told: Explained) -> str:
        held = told.request
        codes = [self._value(column, held[column]) for column in TOLD if not held[column].startswith("(")]
        hours = self.labels["working_hours" if told.working else "outside_working_hours"]
        received = self._say("received", moment=self._words.moment(told.received_at), hours=hours)
        return self._texts["comma"].join([self._words.label("appeal_kind", held["kind"]), *codes, received])

    def _decision(self, told: Explained) -> list[str]:
        made = told.decided
        if made.before:
            unit = self._unit(made.units[0].unit) if made.units else ""
            rest = [f"{self._say('otherwise')}{self._rule(told.runners_up[0].reading.rule)}"] if told.runners_up else []
            return [self._say(made.before, unit=unit), *rest]
        rule = self._catalogue.rules[made.rule]
        lines = [f"{self._rule(rule)} → {self._word(made.outcome)}", *self._acts(made)]
        lines += [
            f"{self.labels[key]}{self._texts['colon']}{text}"
            for key in ("basis", "reason")
            if (text := getattr(rule, key))
        ]
        return [*lines, self._texts["colon"].join((self._say("policy", policy=made.policy), self._clocks(made)))]

    def _acts(self, made: Outcome) -> Iterator[str]:
        """Who acts, or why nobody can yet."""
        for unit in made.units:
            does = self._words.aside(function(self._catalogue, unit.function)) if unit.function else ""
            yield f"{self._words.label('part', unit.part)} {unit.name}{does}"
        if made.joined:
            rules = (self._rule(self._catalogue.rules[more.rule]) for more in made.joined)
            yield self._say("joined", rules=self._texts["sep"].join(rules))
        if made.urgency:
            yield self._say("urgency", urgency=self._words.label("urgency", made.urgency))
        if made.answer:
            yield self._say("answer", answer=made.answer)
        if made.triage:
            code, _, rest = made.triage.partition(": ")
            yield self._say("triage", reason=f"{self._word(code)} {rest}".rstrip())
        if made.ground:
            ground = self._words.label("ground", made.ground)
            yield self._say("refusal", ground=ground, basis=made.basis, where=made.where_to_turn)

    def _clocks(self, made: Outcome) -> str:
        due = []
        for clock in made.clocks:
            whose = {"case": "", "task": f" {self._say('task')}"}.get(clock.of, f" {self._unit(clock.of)}")
            kind, budget = self._words.label("kind", clock.kind), self._words.budget(clock.budget)
            budget += f"{self._texts['comma']}{self._say('provisional')}" if clock.provisional else ""
            due.append(self._say("due", kind=kind + whose, due=self._words.moment(clock.due), budget=budget))
        return self._texts["sep"].join(due)

    def _short(self, made: Outcome) -> str:
        acts = self._texts["comma"].join(f"{self._words.label('part', unit.part)} {unit.name}" for unit in made.units)
        said = self._word(made.outcome) if made.outcome else self._texts.get(made.before, "").format(unit="")
        return f"{said} {acts}".rstrip()

    def _miss(self, other: Other, told: Explained) -> Iterator[str]:
        yield f"{self._rule(other.reading.rule)} → {self._short(other.would)}"
        yield from (f"  ✗ {self._fault(fault, told)}" for fault in other.reading.faults)

    def _asked(self, other: Other, told: Explained) -> Iterator[str]:
        verdict = self._say("holds" if other.reading.holds else "fails")
        yield f"{self._rule(other.reading.rule)}{self._texts['colon']}{verdict} → {self._short(other.would)}"
        yield from (f"  {line}" for line in self._cells(other.reading.cells, told))

    def _cells(self, cells: Iterable[Cell], told: Explained) -> list[str]:
        return [f"{'✓' if cell.holds else '✗'} {self._cell(cell, told)}" for cell in cells]

    def _fault(self, fault: Sequence[Cell], told: Explained) -> str:
        if fault and fault[0].part == "unless":
            cells = self._texts["sep"].join(self._bare(cell, told) for cell in fault)
            return self._say("held", box=fault[0].box, cells=cells)
        return self._texts["sep"].join(self._cell(cell, told) for cell in fault)

    def _cell(self, cell: Cell, told: Explained) -> str:
        where = f"{self._say(cell.part, box=cell.box)} " if cell.box else ""
        return where + self._bare(cell, told)

    def _bare(self, cell: Cell, told: Explained) -> str:
        """Column, what the request held, what is asked for."""
        field = cell.column.removeprefix("form.")
        label = f"{self.labels['form']} {field}" if field != cell.column else self.labels[cell.column]
        held, asked = self._held(cell, told), self._list(cell.column, cell.asked)
        return f"{label}{self._texts['colon']}{held}{self._texts['comma']}{self._say('asks', asked=asked)}"

    def _held(self, cell: Cell, told: Explained) -> str:
        if cell.column == "time":
            return f"{self._words.moment(told.received_at)} {self.labels[cell.held[1]]}"
        return self._list(cell.column, cell.held) if cell.held else self._say("none found")

    def _list(self, column: str, values: Sequence[str]) -> str:
        shown = ", ".join(self._value(column, value) for value in values[:SHOWN])
        return shown if len(values) <= SHOWN else f"{shown} {self._say('more', count=len(values))}"

    def _value(self, column: str, value: str) -> str:
        if value in STATES or column == "time":
            return self.labels.get(value, value)
        if column in WORDED:
            return self._words.label(WORDED[column], value)
        return name(self._catalogue, column, value)

    def _rule(self, rule: Rule) -> str:
        return f"{rule.number} {rule.id} {rule.name}".rstrip()

    def _unit(self, unit: str) -> str:
        row = self._catalogue.units.get(unit)
        return row.name if row else unit

    def _word(self, text: str) -> str:
        return self._words.word(text)


def _reading(reading: Reading) -> dict[str, Any]:
    rule = reading.rule
    return {
        "id": rule.id, "number": rule.number, "name": rule.name, "outcome": outcome(rule), "holds": reading.holds,
        "cells": msgspec.to_builtins(reading.cells), "faults": msgspec.to_builtins(reading.faults),
    }  # fmt: skip
