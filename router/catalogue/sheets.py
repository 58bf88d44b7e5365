"""
Rules as rows of a sheet, and rows as rules: one row a rule, below it one for each box of `any` and `unless`.

The columns come from the model: each field of a rule, of its box and of its outcome has a label and a place in `SHOWN`,
or this module does not load. Rows become the same plain document that a rule file is, with the cell in which each part
stands, so that whatever reads and checks rule files reads and checks sheets (reading.py, rules.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from router.catalogue.catalogue import Catalogue
from router.catalogue.findings import At, Findings
from router.catalogue.reading import Document, Path
from router.catalogue.words import LABELS
from router.rules import cells
from router.rules.cells import NOTHING, PARTS, Vocabularies, Vocabulary
from router.rules.model import Box, Refusal, Rule, Then

Cell = str | int | float
Row = Mapping[str, Cell]
"""By field; what is left out is blank."""


class Column(NamedTuple):
    """A field of a rule: where it stands in a rule file, what people call it, how its cells read, how wide it is."""

    field: str
    path: tuple[str, ...]
    zh: str
    en: str
    kind: str
    width: int
    vocabulary: str = ""

    @property
    def of_box(self) -> bool:
        return self.path[0] == "when"

    def label(self, lang: str) -> str:
        return self.en if lang == "en" else self.zh


PART = "part"
"""The column that says what a row is: a rule, or a box of the rule above."""
BOXES = {"any": "且任一", "unless": "除非"}
RULE, GONE = "规则", "删除"
"""A row without any of these words is a rule; one that says GONE is taken for not there, with its boxes."""
_PARTS = {"": RULE, RULE: RULE, "rule": RULE, GONE: GONE, "gone": GONE} | {
    name: part for part, zh in BOXES.items() for name in (part, zh)
}

SHOWN: dict[str, tuple[str, str, str, int, str]] = {
    "id": ("规则编号", "id", "text", 22, ""), "number": ("规则号", "number", "number", 8, ""), "name": ("名称", "name", "text", 26, ""),
    "category_under": ("诉求分类", "category", "codes", 26, "category"), "matter_under": ("事项", "matter", "codes", 26, "matter"),
    "place_under": ("区划", "place", "codes", 18, "place"), "place_level": ("区划级别", "level of the place", "codes", 12, "level"),
    "channel": ("渠道", "channel", "codes", 22, "channel"), "kind": ("诉求类型", "kind", "codes", 14, "kind"),
    "one_thing": ("一件事套餐", "one-thing asked for", "codes", 18, "one_thing"),
    "words_any": ("含任一词", "any of the words", "words", 20, ""), "words_all": ("含全部词", "all of the words", "words", 16, ""),
    "words_none": ("不含词", "none of the words", "words", 16, ""), "tags": ("标签", "tags", "words", 14, "state"),
    "time": ("收到时间", "received", "times", 22, "hours"), "urgency": ("紧急程度", "urgency", "codes", 12, "urgency"),
    "origin": ("来源", "origin", "codes", 14, "origin"), "medium": ("来电方式", "medium", "codes", 14, "medium"),
    "applicant": ("诉求人", "applicant", "codes", 16, "applicant"), "disclosure": ("身份公开", "disclosure", "codes", 14, "disclosure"),
    "form": ("表单", "form", "form", 26, "state"),
    "then.route": ("派单", "route", "bearers", 46, ""), "then.one_thing": ("按一件事办理", "one-thing plan", "code", 20, "one_thing"),
    "then.propose_refusal.ground": ("拟不予受理：理由", "refusal: ground", "code", 22, "ground"),
    "then.propose_refusal.basis": ("拟不予受理：依据", "refusal: basis", "text", 26, ""),
    "then.propose_refusal.where_to_turn": ("拟不予受理：告知去向", "refusal: where to turn", "text", 26, ""),
    "then.answer": ("知识库答复", "answer", "code", 22, "answer"), "then.triage": ("人工分派", "triage", "yes", 10, ""),
    "adds": ("只追加协办抄送", "only adds", "yes", 10, ""), "then.urgency": ("提高紧急程度", "raises urgency to", "code", 14, "raised"),
    "then.policy": ("时限政策", "policy", "code", 24, "policy"),
    "basis": ("依据", "basis", "text", 28, ""), "reason": ("理由", "reason", "text", 36, ""),
    "valid_from": ("生效日期", "valid from", "day", 12, ""), "valid_to": ("失效日期", "valid to", "day", 12, ""),
}  # fmt: skip
"""Field → label in Chinese and English, how its cells read, width, whose codes it takes; in the order of the sheet."""


def _fields() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every field of the model, and its path in a rule file."""
    for field in msgspec.structs.fields(Rule):
        if field.type is Box:
            yield from ((name, (field.encode_name, name)) for name in Box.__struct_fields__)
        elif field.type is Then:
            for name in Then.__struct_fields__:
                inner = Refusal.__struct_fields__ if name == "propose_refusal" else ("",)
                paths = [(field.encode_name, name, part)[: 3 if part else 2] for part in inner]
                yield from ((".".join(path), path) for path in paths)
        elif field.encode_name not in BOXES:
            yield field.encode_name, (field.encode_name,)


COLUMNS = tuple(
    Column(field, path, *SHOWN[field])
    for field, path in sorted(_fields(), key=lambda found: list(SHOWN).index(found[0]))
)
FIELDS = (COLUMNS[0].field, PART, *(column.field for column in COLUMNS[1:]))
KINDS = {PART: "text"} | {column.field: column.kind for column in COLUMNS}
NEEDED = tuple(column for column in COLUMNS if column.field in ("id", "number", "name"))
REFUSAL = tuple(column for column in COLUMNS if column.path[1:2] == ("propose_refusal",))


def vocabularies(catalogue: Catalogue, lang: str) -> dict[str, Vocabulary]:
    """What the codes of a catalogue are called; `lang` is what is written, both languages are understood."""

    def words(*lists: str) -> list[tuple[str, ...]]:
        labels = [(word, *said) for name in lists for word, said in LABELS[name].items()]
        return [(word, en, zh) if lang == "en" else (word, zh, en) for word, zh, en in labels]

    def rows(table: Mapping[str, Any]) -> list[tuple[str, ...]]:
        return [(code, row.name) for code, row in table.items()]

    c, states = catalogue, words("state")
    channels = [(row.id, row.name_zh, row.name_en) for row in c.channels.values()]
    parts: list[tuple[str, ...]] = [(part, part if lang == "en" else zh, zh, part) for part, zh in PARTS.items()]
    found: dict[str, list[tuple[str, ...]]] = {
        "category": rows(c.categories), "matter": rows(c.matters), "place": rows(c.divisions), "one_thing": rows(c.one_things),
        "channel": [(code, en, zh) if lang == "en" else (code, zh, en) for code, zh, en in channels],
        **{name: words(name) for name in ("kind", "origin", "medium", "applicant", "urgency", "disclosure", "level")},
    }  # fmt: skip
    plain: dict[str, list[tuple[str, ...]]] = {
        "policy": rows(c.policies), "answer": [(code, row.title) for code, row in c.answers.items()], "function": [*words("row"), *rows(c.functions)], "part": parts, "state": states,
        **{name: words(name) for name in ("role", "ground", "hours", "raised")},
    }  # fmt: skip
    return {name: Vocabulary([*some, *states]) for name, some in found.items()} | {
        name: Vocabulary(some) for name, some in plain.items()
    }


# -- rules as rows ------------------------------------------------------------------------------------------


def rows_of(rule: Rule, names: Vocabularies) -> list[dict[str, str | int]]:
    """The row of a rule and those of its boxes, as they are written."""
    said = {column.field: written(column, value_of(rule, column.path), names) for column in COLUMNS}
    rows: list[dict[str, str | int]] = [_filled({"id": said["id"], PART: RULE} | said)]
    for part, boxes in (("any", rule.any_of), ("unless", rule.unless)):
        for box in boxes:
            cells_of = {
                column.field: written(column, getattr(box, column.field), names) for column in COLUMNS if column.of_box
            }
            rows.append(_filled({"id": said["id"], PART: BOXES[part]} | cells_of))
    return rows


def _filled(row: Mapping[str, str | int]) -> dict[str, str | int]:
    return {field: value for field, value in row.items() if value != ""}


def value_of(rule: Rule, path: tuple[str, ...]) -> Any:
    """What the rule holds there; None where nothing is."""
    value: Any = rule
    for name in path:
        value = None if value is None else getattr(value, name)
    return value


def written(column: Column, value: Any, names: Vocabularies) -> str | int:
    """A value of a rule as its cell says it; of a text that must stand there, nothing is `""`."""
    vocabulary = names.get(column.vocabulary, NOTHING)
    if value is None or (not value and column not in NEEDED + REFUSAL):
        return ""
    match column.kind:
        case "number":
            return int(value) if abs(value) < cells.DIGITS else str(value)
        case "yes":
            return cells.YES[0]
        case "code":
            return vocabulary.shown(value)
        case "codes":
            return cells.write_codes(value, vocabulary)
        case "words":
            return cells.write_words(value, vocabulary)
        case "times":
            return cells.write_times(value, vocabulary)
        case "form":
            return cells.write_form(value, vocabulary)
        case "bearers":
            return cells.write_bearers(value, names)
        case "day":
            return cells.write_day(value)
        case _:
            return cells.write_text(value)


# -- rows as rules ------------------------------------------------------------------------------------------


def address(at: At) -> str:
    """`D17`: the line is the row of a cell, the column its column."""
    letters, column = "", at.column
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(65 + letter) + letters
    return f"{letters}{at.line}"


class Sheet(NamedTuple):
    """What stands in a sheet: where each field has its column, and each row with its texts that are not blank; from 1."""

    file: str
    columns: Mapping[str, int]
    rows: Sequence[tuple[int, Mapping[str, str]]]


def document_of(sheet: Sheet, names: Vocabularies, findings: Findings) -> Document:
    """The rules of a sheet as a rule file has them, each part with its cell. What cannot be read is in `findings`."""
    return _Reading(sheet, names, findings).document()


_OF_RULE: Mapping[Path, str] = {
    (): "id", ("then",): "then.route", ("when",): PART, **{column.path: column.field for column in COLUMNS},
}  # fmt: skip
_OF_BOX: Mapping[Path, str] = {(): PART, **{(column.field,): column.field for column in COLUMNS if column.of_box}}
"""The path of a part of a rule, and of a part of a box → in which column it stands."""


class SheetDocument(Document):
    """
    The rules of a sheet. Where a part of them stands follows from its row and its column, filled or blank.

    `rows`: of each rule its row, and by (rule, `any` or `unless`, which) of each box its own.
    """

    def __init__(self, sheet: Sheet, value: Sequence[dict[str, Any]], rows: Mapping[Path, int]) -> None:
        super().__init__(sheet.file, value, {})
        self._rows, self._of = rows, sheet.columns

    def at(self, *path: str | int) -> At:
        box = len(path) > 2 and path[:3] in self._rows
        inner, fields = (path[3:], _OF_BOX) if box else (path[1:], _OF_RULE)
        while inner not in fields:
            inner = inner[:-1]
        return At(self.file, self._rows[path[: 3 if box else 1]], self._of[fields[inner]])


class _Reading:
    def __init__(self, sheet: Sheet, names: Vocabularies, findings: Findings) -> None:
        self.sheet, self.names, self.findings = sheet, names, findings
        self.rules: list[dict[str, Any]] = []
        self.places: dict[Path, int] = {}
        self.boxes: list[tuple[int, str, str, Mapping[str, str]]] = []
        self.by_id: dict[str, int] = {}
        self.gone: set[str] = set()

    def document(self) -> Document:
        for row, said in self.sheet.rows:
            part = self._part(row, said)
            if part == RULE:
                self._rule(row, said)
            elif part == GONE:
                self.gone.add(cells.read_text(said.get("id", "")))
            elif part:
                self._below(row, part, said)
        for row, part, rule, said in self.boxes:
            self._box(row, part, rule, said)
        return SheetDocument(self.sheet, self.rules, self.places)

    def _part(self, row: int, said: Mapping[str, str]) -> str:
        text = said.get(PART, "").strip()
        if text.lower() not in _PARTS:
            self._fault("cell_part", row, PART, value=text)
        return _PARTS.get(text.lower(), "")

    def _rule(self, row: int, said: Mapping[str, str]) -> None:
        index = len(self.rules)
        rule: dict[str, Any] = {}
        self.places[index,] = row
        for column in COLUMNS:
            self._put(rule, column.path, column, row, said)
        rule.setdefault("then", {})
        for column in REFUSAL:
            if "propose_refusal" in rule["then"] and column.path[-1] not in rule["then"]["propose_refusal"]:
                rule["then"]["propose_refusal"][column.path[-1]] = ""
                self._fault("cell_needed", row, column.field, column=column.zh, column_en=column.en)
        for column in NEEDED[1:]:
            if column.field not in rule:
                rule[column.field] = -row  # stands for what was not readable, and clashes with nothing
                if column.field not in said:
                    self._fault("cell_needed", row, column.field, column=column.zh, column_en=column.en)
        rule.setdefault("id", f"rule-{rule['number']}")
        rule["name"] = str(rule["name"])
        if rule["id"] in self.by_id:
            first = address(At("", self.places[self.by_id[rule["id"]],], self.sheet.columns["id"]))
            self._fault("cell_twice", row, "id", id=rule["id"], first=first)
            rule["id"] = f"{rule['id']}#{row}"
        self.by_id[rule["id"]] = index
        self.rules.append(rule)

    def _below(self, row: int, part: str, said: Mapping[str, str]) -> None:
        """A box belongs to the rule whose id it has, wherever that stands; without an id, to the rule above."""
        for column in COLUMNS:
            if said.get(column.field) and not column.of_box and column.field != "id":
                self._fault("cell_of_rule", row, column.field, part=BOXES[part], part_en=part)
        rule = cells.read_text(said.get("id", "")) or (self.rules[-1]["id"] if self.rules else "")
        self.boxes.append((row, part, rule, said))

    def _box(self, row: int, part: str, rule: str, said: Mapping[str, str]) -> None:
        index = self.by_id.get(rule)
        if index is None and rule in self.gone:
            return
        if index is None:
            self._fault("cell_no_rule", row, "id", id=rule)
            return
        boxes = self.rules[index].setdefault(part, [])
        self.places[index, part, len(boxes)] = row
        box: dict[str, Any] = {}
        for column in COLUMNS:
            if column.of_box:
                self._put(box, (column.field,), column, row, said)
        boxes.append(box)

    def _put(
        self, into: dict[str, Any], keys: tuple[str, ...], column: Column, row: int, said: Mapping[str, str]
    ) -> None:
        """What the cell says to where `keys` lead."""
        value, faults = _read(column, said[column.field], self.names) if column.field in said else (None, [])
        for code, values in faults:
            self._fault(code, row, column.field, **values)
        if value is None or value in ([], {}):
            return
        for key in keys[:-1]:
            into = into.setdefault(key, {})
        into[keys[-1]] = value

    def _fault(self, code: str, row: int, field: str, /, **values: object) -> None:
        self.findings.add(code, At(self.sheet.file, row, self.sheet.columns[field]), **values)


def _read(column: Column, text: str, names: Vocabularies) -> cells.Read:
    vocabulary = names.get(column.vocabulary, NOTHING)
    match column.kind:
        case "number":
            return cells.read_number(text)
        case "yes":
            return cells.read_yes(text)
        case "code":
            return cells.read_code(text, vocabulary)
        case "codes":
            return cells.read_codes(text, vocabulary)
        case "words":
            return cells.read_words(text, vocabulary)
        case "times":
            return cells.read_times(text, vocabulary)
        case "form":
            return cells.read_form(text, vocabulary)
        case "bearers":
            return cells.read_bearers(text, names)
        case "day":
            return cells.read_day(text), []
        case _:
            return cells.read_text(text), []
