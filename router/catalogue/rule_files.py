"""
Rule files with other rules in them: what did not change stays as it was written, remarks and all.

A changed rule is written anew where it stood, a new one behind the rule before it; only remarks inside a rule that
changed are lost, and their rules are named. A file stays below the limit of what is read (reading.py).
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import yaml

from router.catalogue.findings import Findings
from router.catalogue.reading import YAML_LIMIT, Document, read_yaml
from router.catalogue.tables import Files
from router.rules.model import Rule

FOLDER = "rules/"
Rules = Mapping[str, Rule]
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_remark = re.compile(r"(?:^|\s)#", re.MULTILINE).search


class Block(NamedTuple):
    """A rule as it stands in a file; `tail`: blank lines and remarks below it. What stands above the first has no rule."""

    rule: str | None
    body: str
    tail: str


def rewritten(files: Files, before: Rules, after: Rules) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The files of a catalogue with the rules `after` instead of `before`, and the rules of which remarks are lost."""
    new = {file: data for file, data in files.items() if not _holds_rules(file)}
    ours = {file: data for file, data in sorted(files.items()) if _holds_rules(file)} or {f"{FOLDER}rules.yaml": b""}
    news = _news(before, after)
    lost: list[str] = []
    for file, data in ours.items():
        document = read_yaml(file, data, Findings())
        text = data.decode("utf-8-sig")
        blocks = _blocks(text, document, before)
        texts = [text for block in blocks for text in _written(block, before, after, news)]
        if "".join(texts) == "".join(block.body + block.tail for block in blocks):
            new[file] = data
            continue
        new |= _parted(file, texts, {*files, *new})
        changed = [block for block in blocks if block.rule is not None and before[block.rule] != after.get(block.rule)]
        if _apart(text, document):
            lost += [str(block.rule) for block in changed if _remark(block.body)]
        elif _remark(text):
            lost += [block.rule for block in blocks if block.rule is not None]
    return new, tuple(lost)


def _holds_rules(file: str) -> bool:
    return file.startswith(FOLDER) and file.endswith(".yaml")


def dumped(rule: Rule) -> str:
    """A rule as an item of a rule file."""
    return str(
        yaml.dump(
            [_plain(rule)], Dumper=_Dumper, allow_unicode=True, sort_keys=False, default_flow_style=None, width=10**9
        )
    )


def _plain(value: Any) -> Any:
    """What a rule file says of it: fields that say nothing are left out."""
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(value)
        said = ((field, getattr(value, field.name)) for field in fields)
        return {field.encode_name: _plain(one) for field, one in said if field.required or one != _default(field)}
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return format(value, "f") if isinstance(value, Decimal) else value


def _default(field: Any) -> Any:
    return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()


def _news(before: Rules, after: Rules) -> dict[str | None, list[str]]:
    """New rules by the nearest old one before them; None: before all."""
    news: dict[str | None, list[str]] = {}
    last = None
    for rule in sorted(after.values(), key=lambda rule: (rule.number, rule.id)):
        if rule.id in before:
            last = rule.id
        else:
            news.setdefault(last, []).append(rule.id)
    return news


def _written(block: Block, before: Rules, after: Rules, news: dict[str | None, list[str]]) -> Iterator[str]:
    stands = None if block.rule is None else after.get(block.rule)
    stays = block.rule is None or before[block.rule] == stands
    yield block.body if stays else dumped(stands) if stands else ""
    yield from (dumped(after[rule]) for rule in news.pop(block.rule, ()))
    yield block.tail


def _parted(file: str, texts: list[str], taken: set[str]) -> dict[str, bytes]:
    """The texts as one file, or as several below the limit."""
    parts: list[list[bytes]] = [[]]
    size = 0
    for data in (text.encode() for text in texts):
        if size and size + len(data) > YAML_LIMIT:
            parts.append([])
            size = 0
        parts[-1].append(data)
        size += len(data)
    stem, number, named = file.removesuffix(".yaml"), 1, {file: b"".join(parts[0])}
    for part in parts[1:]:
        while f"{stem}-{number}.yaml" in taken | named.keys():
            number += 1
        named[f"{stem}-{number}.yaml"] = b"".join(part)
    return named


def _apart(text: str, document: Document | None) -> bool:
    """Whether each rule has lines of its own, as in a list of which each item begins with `- `."""
    if document is None or not isinstance(document.value, list) or re.search("[\r\x85\u2028\u2029]", text):
        return document is None or document.value is None
    lines, starts = text.split("\n"), [document.at(i).line for i in range(len(document.value))]
    return starts == sorted(set(starts)) and all(lines[start - 1].startswith("- ") for start in starts)


def _blocks(text: str, document: Document | None, before: Rules) -> list[Block]:
    """The file in pieces that can be changed apart; a file in another style as it would be written here."""
    value = document.value if document else None
    rules = [rule["id"] for rule in ([value] if isinstance(value, dict) else value or [])]
    if not _apart(text, document):
        return [Block(None, "", ""), *(Block(rule, dumped(before[rule]), "") for rule in rules)]
    lines = text.removesuffix("\n").split("\n") if text else []
    starts = [document.at(i).line - 1 for i in range(len(rules))] if document else []
    ends = [*starts, len(lines)]
    head = Block(None, "".join(f"{line}\n" for line in lines[: ends[0]]), "")
    return [head, *(_block(rule, lines[start:end]) for rule, start, end in zip(rules, starts, ends[1:], strict=True))]


def _block(rule: str, lines: list[str]) -> Block:
    end = len(lines)
    while end > 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    return Block(rule, "".join(f"{line}\n" for line in lines[:end]), "".join(f"{line}\n" for line in lines[end:]))
