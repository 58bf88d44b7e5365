"""`duokua rules diff A B`: what differs between the rules of any two versions, drafts and folders, cell by cell."""

from typing import Annotated, Any

import msgspec
import typer

from router.catalogue.catalogue import Catalogue
from router.catalogue.desk import NotAllowed
from router.catalogue.named import ACTIVE, UnknownCatalogue, named
from router.catalogue.order import turned
from router.catalogue.rule_difference import Side, compare_rules
from router.catalogue.sheets import vocabularies
from router.cli.acting import stage
from router.cli.catalog import AsJson, Lang
from router.cli.rules_changes import lines, order_line, texts
from router.operate.topics import Topics

What = "文件夹、版本号、active（在用）或草稿名 / a folder, a version's number, active, or a draft"


def add_to(app: typer.Typer) -> None:
    """The command, as one of those of the rules."""
    app.command("diff")(diff)


def diff(
    before: Annotated[str, typer.Argument(metavar="A", help=What)],
    after: Annotated[str, typer.Argument(metavar="B", help=What)],
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """两版规则逐条逐格比较；有差异时退出码为 1 / the rules of two versions, cell by cell; exit code 1 if any differ."""
    at = stage(lang, as_json)
    found = [at.run(_fetching(name)) for name in (before, after)]
    was, now = (Side(catalogue.rules, vocabularies(catalogue, at.lang), at.lang) for catalogue in found)
    changes = compare_rules(was, now)
    order = turned(found[0], found[1], at.now)
    for change in changes:
        for line in lines(change, at.lang):
            at.say(line)
    for pair in order.turned:
        first, second = (found[1].rules[name] for name in (pair.first, pair.second))
        at.say(order_line(first, second, sure=pair.sure, lang=at.lang))
    if order.more:
        at.say(texts(at.lang)["more"])
    if not changes:
        at.say(texts(at.lang)["same"])
    at.result({"differences": msgspec.to_builtins(changes), "order": msgspec.to_builtins(order)})
    raise typer.Exit(1 if changes else 0)


def _fetching(name: str) -> Any:
    async def fetch(broker: Any, topics: Topics) -> Catalogue:
        try:
            return await named(broker, topics, name)
        except UnknownCatalogue:
            if name == ACTIVE:
                raise NotAllowed("no_version") from None
            if name.isdecimal():
                raise NotAllowed("no_such_version", version=int(name)) from None
            raise NotAllowed("no_draft", name=name) from None

    return fetch
