"""`duokua rules list|show`: the routing rules as they stand in the folder."""

import json
import sys
from typing import Annotated, Any

import msgspec
import typer

from router.catalogue.catalogue import Catalogue
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.load import load
from router.cli import (
    rules_backtest,
    rules_diff,
    rules_explain,
    rules_life,
    rules_returns,
    rules_ruling,
    rules_sheets,
    rules_train,
)
from router.cli.catalog import AsJson, Folder, Lang, print_findings
from router.cli.rules_check import check
from router.cli.rules_words import LABELS, described, outcome
from router.operate.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, help="路由规则 / routing rules")
rules_explain.add_to(app)
rules_life.add_to(app)
rules_ruling.add_to(app)
rules_returns.add_to(app)
rules_sheets.add_to(app)
rules_diff.add_to(app)
rules_backtest.add_to(app)
app.command()(check)
rules_train.add_to(app)


@app.command("list")
def list_(folder: Folder = None, as_json: AsJson = False, lang: Lang = "") -> None:
    """按规则号列出全部规则 / all rules by number."""
    catalogue, labels = _load(folder, lang, as_json)
    rules = sorted(catalogue.rules.values(), key=lambda rule: rule.number)
    if as_json:
        typer.echo(json.dumps({"rules": msgspec.to_builtins(rules)}, ensure_ascii=False))
        return
    for rule in rules:
        typer.echo(f"{rule.number}\t{rule.id}\t{labels[outcome(rule)]}\t{rule.name}")


@app.command()
def show(
    rule_id: Annotated[str, typer.Argument(metavar="ID")],
    folder: Folder = None,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """一条规则：条件、结果、依据和理由 / one rule with its conditions, outcome and grounds."""
    catalogue, labels = _load(folder, lang, as_json)
    rule = catalogue.rules.get(rule_id)
    if rule is None:
        print(labels["unknown"].format(id=rule_id), file=sys.stderr)
        raise typer.Exit(1)
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(rule), ensure_ascii=False))
        return
    for line in described(rule, catalogue, labels):
        typer.echo(line)


def _load(folder: Any, lang: str, as_json: bool) -> tuple[Catalogue, dict[str, str]]:
    settings = Settings()
    lang = lang or settings.lang
    try:
        return load(folder or settings.catalog), LABELS.get(lang, LABELS["zh"])
    except CatalogueFaulty as faulty:
        print_findings(faulty.findings, lang, as_json)
        raise typer.Exit(1) from None
