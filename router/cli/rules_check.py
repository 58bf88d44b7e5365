"""`duokua rules check`: the rules as a whole, each finding with a request that shows it."""

from collections.abc import Iterator
from typing import Any

import typer

from adapters.clock import Clock
from router.catalogue.analyse import inspect_rules
from router.catalogue.catalogue import Catalogue
from router.catalogue.findings import Finding, Witness
from router.catalogue.load import read_folder
from router.cli.catalog import AsJson, Folder, Lang, print_findings
from router.cli.rules_words import LABELS, name
from router.operate.settings import Settings

COLUMNS = {
    "appeal_kind": "kind", "appeal_category": "category_under", "matter_code": "matter_under", "place": "place_under", "origin": "origin",
    "urgency": "urgency", "medium": "medium", "one_thing": "one_thing", "applicant": "applicant", "tags": "tags",
}  # fmt: skip
"""Field of a request → the column that looks at it."""
TEXTS = {
    "zh": {"such": "例如 {said}", "decides": "，由规则 {rule} 决定", "text": "内容", "none": "空值", "comma": "，"},
    "en": {"such": "such as {said}", "decides": "; rule {rule} decides", "text": "text", "none": "null", "comma": ", "},
}


def check(folder: Folder = None, as_json: AsJson = False, lang: Lang = "") -> None:
    """检查全部规则：重复、冲突、遮盖、空档、派不到的职能，各附一件诉求为证；有错误时退出码为 1 / duplicates, conflicts, shadows, gaps and more, each with a request that shows it; exit code 1 on errors."""
    settings = Settings()
    lang = lang or settings.lang
    catalogue, findings = inspect_rules(read_folder(folder or settings.catalog), Clock.from_text(settings.clock).now())

    def shown(finding: Finding) -> str:
        return _in_words(finding.witness, catalogue, lang) if finding.witness and catalogue else ""

    print_findings(findings, lang, as_json, shown)
    raise typer.Exit(1 if any(finding.level == "error" for finding in findings) else 0)


def _in_words(witness: Witness, catalogue: Catalogue, lang: str) -> str:
    """The request in one line, and which rule decides it."""
    texts, labels = TEXTS.get(lang, TEXTS["zh"]), LABELS.get(lang, LABELS["zh"])
    said = texts["comma"].join(_said(witness, catalogue, texts, labels))
    decides = texts["decides"].format(rule=witness.decides) if witness.decides else ""
    return texts["such"].format(said=said) + decides


def _said(witness: Witness, catalogue: Catalogue, texts: dict[str, str], labels: dict[str, str]) -> Iterator[str]:
    request = witness.request
    yield f"{labels['channel']} {name(catalogue, 'channel', witness.channel)}"
    for field, column in COLUMNS.items():
        if field in request:
            value = _value(field, request[field], texts)
            yield f"{labels[column]} {name(catalogue, column, value)}"
    thing = request.get("one_thing") or {}
    yield from (f"{labels['form']} {field}: {_plain(value, texts)}" for field, value in thing.get("form", {}).items())
    if "text" in request:
        yield f"{texts['text']}“{request['text'].replace(chr(10), ' ')}”"
    yield f"{labels['time']} {witness.received.replace('T', ' ')[:16]}"


def _value(field: str, value: Any, texts: dict[str, str]) -> str:
    """What of a field the rules look at."""
    inner = {"place": "region", "one_thing": "package"}.get(field)
    if isinstance(value, dict):
        return str(value[inner]) if inner else " ".join(map(str, value.values()))
    return _plain(value, texts)


def _plain(value: Any, texts: dict[str, str]) -> str:
    if value is None:
        return texts["none"]
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
