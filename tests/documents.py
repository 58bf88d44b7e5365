"""The documents as data: their commands, headings and links, for the tests that hold them to the truth."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README, README_ZH = ROOT / "README.md", ROOT / "README.zh.md"
HOWTO = ROOT / "docs" / "howto"

_blocks = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL).finditer
_exit_code = re.compile(r"\s+# (?:退出码|exit code) (\d+)$")
_link = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Step:
    """A command of a document. `shown`: the output that stands under it, None where none does; `…` stands for anything."""

    place: str
    command: str
    shown: str | None = None
    exit_code: int = 0


def pages() -> list[Path]:
    """Every document that we wrote."""
    folders = ("docs", "catalog", "examples")
    return [*ROOT.glob("*.md"), *(page for folder in folders for page in sorted((ROOT / folder).rglob("*.md")))]


def steps(page: Path) -> list[Step]:
    """The commands of a page, in order: the `$` lines of each console block, each bash block as one script."""
    text = page.read_text(encoding="utf-8")
    found: list[Step] = []
    for block in _blocks(text):
        place = f"{page.relative_to(ROOT)}:{text[: block.start()].count(chr(10)) + 2}"
        if block[1] == "console":
            found += _console(place, block[2])
        elif block[1] == "bash":
            found.append(Step(place, block[2].rstrip()))
    return found


def _console(place: str, text: str) -> Iterator[Step]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        code = _exit_code.search(command)
        yield Step(place, _exit_code.sub("", command), shown, int(code[1]) if code else 0)


def as_pattern(shown: str) -> re.Pattern[str]:
    """What is shown, as a pattern for the whole output: `…` for any text in a line, alone on a line for any lines."""
    lines = (_line(line) for line in shown.rstrip("\n").split("\n")) if shown.strip() else ()
    return re.compile("".join(lines))


def _line(line: str) -> str:
    if line == "…":
        return r"(?:.*\n)*?"
    return ".*?".join(map(re.escape, line.rstrip().split("…"))) + r"\n"


def headings(page: Path) -> list[tuple[int, str]]:
    """Level and text of each heading."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [(len(found[1]), found[2]) for found in re.finditer(r"^(#+) (.+)$", text, re.MULTILINE)]


def anchor(heading: str) -> str:
    """The anchor that a heading gets on the usual forges."""
    kept = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower())
    return kept.strip().replace(" ", "-")


def links(page: Path) -> list[str]:
    """The targets of all links and pictures."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return _link.findall(text)
