"""
The cells of a rule as text that a clerk reads and edits, and back: exact both ways, and what it cannot read is a fault.

Values stand one a line. A code has its name behind it (`C0108 噪音`), and the name alone will do where only one code has
it. A value that would not come back as it is (blanks at its ends, a separator in it) stands in quotes, as in JSON.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from router.rules.model import DAYS, Bearer, Range, Window

Fault = tuple[str, Mapping[str, object]]
"""The code of a finding, and what its text needs."""
Read = tuple[Any, list[Fault]]
"""A value as a rule file would have it (None: nothing stands there), and what was wrong."""

CODES, WORDS, LINES = "\n;；", "\n;；、，,", "\n"
"""What parts the values of a cell."""
DIGITS = 10**15
"""From here on a spreadsheet program replaces digits of a number by zeros."""
WEEK = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
YES, NO = ("是", "yes", "true", "1", "√"), ("否", "no", "false", "0")
PARTS = {"lead": "主办", "assist": "协办", "copy": "抄送"}

_QUOTED = r'"(?:[^"\\\n]|\\.)*"'
_UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]|_x[0-9a-fA-F]{4}_")
"""What a workbook cannot hold as it is."""
_BEARER = re.compile(
    rf"(?P<part>\S+)\s+(?:(?P<quoted>{_QUOTED})|(?P<function>[@＠]?[^\s:：@＠\"]+))"
    r"(?:\s*[:：]\s*(?P<role>[^\s@＠]+))?(?:\s*[@＠]\s*(?P<level>\S+))?(?:\s+(?P<name>.+))?"
)
_FIELD = re.compile(rf"\s*(?P<field>{_QUOTED}|[^:：\"]*)\s*[:：](?P<cell>.*)", re.DOTALL)
_BOUNDS = re.compile(r"(?:(?:≥|>=)\s*(?P<low>[^\s,，;；≤<]+))?[\s,，;；]*(?:(?:≤|<=)\s*(?P<high>[^\s,，;；]+))?")
_SPAN = re.compile(r"(?P<days>.*?)\s*(?P<since>\d{1,2}:\d\d)\s*[-–—~至到]\s*(?P<until>\d{1,2}:\d\d)")
_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")


class Vocabulary:
    """Codes and what they are called, in every language that a cell may use; `names` is what is written."""

    def __init__(self, rows: Iterable[Sequence[str]] = ()) -> None:
        """Rows are a code, the name that is written, and others under which it is known."""
        self.names: dict[str, str] = {}
        self.codes: dict[str, list[str]] = {}
        for code, *names in rows:
            self.names[code] = names[0]
            for name in filter(None, dict.fromkeys(names)):
                self.codes.setdefault(name, []).append(code)

    def shown(self, code: str) -> str:
        """The code with its name, as it stands in a cell."""
        if code not in self.names or not _plain(code, CODES) or any(map(str.isspace, code)):
            return quoted(code)
        name = self.names[code]
        said = f"{code} {name}" if name and _plain(name, CODES) else code
        return quoted(code) if said != code and said in self.names else said

    def code(self, text: str) -> tuple[str, list[Fault]]:
        """The code that a text names. A text that names none is returned as it is: who checks codes will say so."""
        for said in dict.fromkeys((text, " ".join(unicodedata.normalize("NFKC", text).split()))):
            if said in self.names:
                return said, []
            head, _, name = said.partition(" ")
            if head in self.names and name.strip():
                right = head in self.codes.get(name.strip(), ())
                values = {"code": head, "name": self.names[head], "found": name.strip()}
                return head, [] if right else [("cell_name", values)]
            if said in self.codes:
                codes = self.codes[said]
                return codes[0], [] if len(codes) == 1 else [
                    ("cell_ambiguous", {"name": said, "codes": "、".join(codes[:5])})
                ]
        longer = next((code for code in self.names if text.isdigit() and code.lstrip("0") == text), "")
        return text, [("cell_zeros", {"value": text, "meant": longer})] if longer else []


Vocabularies = Mapping[str, Vocabulary]
NOTHING = Vocabulary()


def quoted(text: str) -> str:
    """A JSON string in which nothing stands that a workbook would change."""
    return re.sub(_UNSAFE, lambda found: "".join(_escape(c) for c in found[0]), json.dumps(text, ensure_ascii=False))


def _escape(character: str) -> str:
    return f"\\u{ord(character):04x}"


def _plain(text: str, separators: str) -> bool:
    """Whether it comes back as it is without quotes."""
    return (
        bool(text)
        and text == text.strip()
        and not text.startswith('"')
        and not any(separator in text for separator in separators)
        and not _UNSAFE.search(text)
    )


def split(text: str, separators: str) -> list[tuple[str, bool]]:
    """The values of a cell, and of each whether it stood in quotes."""
    found = []
    marks = re.escape(separators)
    for piece in re.finditer(rf"\s*(?P<quoted>{_QUOTED})\s*?(?=[{marks}]|\Z)|[^{marks}]+", text):
        if piece["quoted"]:
            found.append((_unquoted(piece["quoted"]), True))
        elif piece[0].strip():
            found.append((piece[0].strip(), False))
    return found


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        return text


# -- one text, one code -----------------------------------------------------------------------------------


def write_text(text: str) -> str:
    return text if _plain(text, "") else quoted(text)


def read_text(text: str) -> str:
    return _unquoted(text.strip()) if re.fullmatch(_QUOTED, text.strip()) else text.strip()


def read_code(text: str, vocabulary: Vocabulary) -> Read:
    return (read_text(text), []) if text.strip().startswith('"') else vocabulary.code(text.strip())


def read_number(text: str) -> Read:
    said = unicodedata.normalize("NFKC", text.strip())
    return (said, []) if re.fullmatch(r"-?[0-9]{1,30}", said) else (None, [("cell_number", {"value": said})])


def write_day(text: str) -> str:
    return text if _plain(text, "") and read_day(text) == text else quoted(text)


def read_day(text: str) -> str:
    """2026/1/5 and 2026年1月5日 are 2026-01-05; another text is left to who checks dates."""
    found = _DAY.fullmatch(unicodedata.normalize("NFKC", text.strip()))
    return f"{found[1]}-{int(found[2]):02}-{int(found[3]):02}" if found else read_text(text)


def read_yes(text: str) -> Read:
    said = unicodedata.normalize("NFKC", text.strip()).lower()
    if said in YES or said in NO:
        return ("true" if said in YES else None), []
    return None, [("cell_yes", {"value": text.strip()})]


# -- lists --------------------------------------------------------------------------------------------------


def write_codes(codes: Iterable[str], vocabulary: Vocabulary) -> str:
    return "\n".join(map(vocabulary.shown, codes))


def read_codes(text: str, vocabulary: Vocabulary) -> Read:
    values: list[str] = []
    faults: list[Fault] = []
    for said, literal in split(text, CODES):
        code, wrong = (said, []) if literal else vocabulary.code(said)
        values.append(code)
        faults += wrong
    return values, faults


def write_words(words: Iterable[str], states: Vocabulary) -> str:
    return "\n".join(_word(word, states, WORDS) for word in words)


def _word(word: str, states: Vocabulary, separators: str) -> str:
    if word in states.names:
        return states.shown(word)
    odd = word.partition(" ")[0] in states.names or word[:1] in "≥≤<>"
    return word if _plain(word, separators) and not odd else quoted(word)


def read_words(text: str, states: Vocabulary) -> Read:
    """Words as they are; one that begins with a state is the state (`(missing) 未填`)."""
    found = [(said, literal, said.partition(" ")[0]) for said, literal in split(text, WORDS)]
    return [head if head in states.names and not literal else said for said, literal, head in found], []


# -- times ---------------------------------------------------------------------------------------------------


def write_times(cells: Iterable[str | Window], hours: Vocabulary) -> str:
    return "\n".join(_window(cell) if isinstance(cell, Window) else hours.shown(cell) for cell in cells)


def _window(window: Window) -> str:
    """`周一至周五 22:00-06:00`"""
    days, said = [DAYS.index(day) for day in window.days], []
    while days:
        run = 1
        while run < len(days) and days[run] == days[0] + run:
            run += 1
        run = run if run > 2 else 1
        said.append(WEEK[days[0]] + (f"至{WEEK[days[run - 1]]}" if run > 1 else ""))
        days = days[run:]
    return " ".join([*said, f"{window.since}-{window.until}"])


def read_times(text: str, hours: Vocabulary) -> Read:
    values: list[Any] = []
    faults: list[Fault] = []
    for said, _ in split(text, CODES):
        code, wrong = hours.code(said)
        if code in hours.names:
            values, faults = [*values, code], [*faults, *wrong]
            continue
        try:
            values.append(_window_of(unicodedata.normalize("NFKC", said)))
        except ValueError:
            faults.append(("cell_time", {"value": said}))
    return values, faults


def _window_of(said: str) -> dict[str, object]:
    span = _SPAN.fullmatch(said)
    days = [day for word in re.split(r"[\s、,]+", span["days"] if span else said) if word for day in _days(word)]
    window: dict[str, object] = {"days": days} if days else {}
    if span:
        return window | {"from": span["since"].zfill(5), "to": span["until"].zfill(5)}
    if not days:
        raise ValueError(said)
    return window


def _days(word: str) -> list[str]:
    ends = [_weekday(part) for part in re.split(r"[-–—~至到]", word, maxsplit=1)]
    if ends[-1] < ends[0]:
        raise ValueError(word)
    return list(DAYS[ends[0] : ends[-1] + 1])


def _weekday(word: str) -> int:
    word = word.strip().lower().replace("星期", "周").replace("周天", "周日")
    return WEEK.index(word) if word in WEEK else DAYS.index(word)


# -- the form ---------------------------------------------------------------------------------------------------


def write_form(form: Mapping[str, tuple[str, ...] | Range], states: Vocabulary) -> str:
    """`entity: company; partnership` and `capital: ≥ 0.3 ≤ 1000000`, a field a line."""
    return "\n".join(f"{_field(field)}: {_choice(cell, states)}" for field, cell in form.items())


def _field(field: str) -> str:
    return field if _plain(field, '\n:："') else quoted(field)


def _choice(cell: tuple[str, ...] | Range, states: Vocabulary) -> str:
    return str(cell) if isinstance(cell, Range) else "; ".join(_word(value, states, WORDS) for value in cell)


def read_form(text: str, states: Vocabulary) -> Read:
    values: dict[str, Any] = {}
    faults: list[Fault] = []
    for line in filter(str.strip, text.split("\n")):
        found = _FIELD.fullmatch(line)
        field = read_text(found["field"]) if found else ""
        if found is None or not found["cell"].strip() or field in values:
            faults.append(("cell_form", {"value": line.strip()}))
            continue
        bounds = _BOUNDS.fullmatch(found["cell"].strip())
        if bounds:
            ends = {"at_least": bounds["low"], "at_most": bounds["high"]}
            values[field] = {name: number for name, number in ends.items() if number}
        else:
            values[field] = read_words(found["cell"], states)[0]
    return values, faults


# -- who is to act -------------------------------------------------------------------------------------------------


def write_bearers(bearers: Iterable[Bearer], names: Vocabularies) -> str:
    """`主办 urban-management:handle@county 城市管理与综合执法`, one a line."""
    return "\n".join(_bearer(bearer, names) for bearer in bearers)


def _bearer(bearer: Bearer, names: Vocabularies) -> str:
    function, functions = bearer.function, names["function"]
    name = functions.names.get(function, "")
    plain = function in functions.names and re.fullmatch(r"@?[^\s:：@＠\"]+", function) and _plain(function, CODES)
    said = function if plain else quoted(function).replace(";", "\\u003b").replace("；", "\\uff1b")
    said += f":{bearer.role}" * bool(bearer.role) + f"@{bearer.level}" * bool(bearer.level)
    part = names["part"].names[bearer.part]
    return f"{part} {said} {name}" if plain and name and _plain(name, CODES) else f"{part} {said}"


def read_bearers(text: str, names: Vocabularies) -> Read:
    values: list[dict[str, str]] = []
    faults: list[Fault] = []
    for line, _ in split(text, CODES):
        found = _BEARER.fullmatch(line)
        part = names["part"].code(found["part"])[0] if found else ""
        if found is None or part not in PARTS:
            faults.append(("cell_bearer", {"value": line}))
            continue
        bearer = {"part": part}
        if found["quoted"]:
            bearer["function"] = _unquoted(found["quoted"])
        else:
            said = found["function"].replace("＠", "@")
            known = said in names["function"].names
            named = f"{said} {found['name']}" if known and found["name"] else said
            bearer["function"], wrong = names["function"].code(named)
            faults += wrong
        for column in ("role", "level"):
            if found[column]:
                bearer[column] = names[column].code(found[column])[0]
        values.append(bearer)
    return values, faults
