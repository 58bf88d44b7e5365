"""`duokua rules diff A B`: what differs between the rules of any two versions, drafts and folders, cell by cell."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from router.catalogue import drafts, releases
from router.catalogue.catalogue import Catalogue
from router.catalogue.desk import NotAllowed
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.load import from_files, load
from router.catalogue.publish import fetch_active, fetch_version
from router.catalogue.rule_difference import Side, compare_rules
from router.catalogue.sheets import vocabularies
from router.cli.acting import stage
from router.cli.catalog import AsJson, Lang, print_findings
from router.cli.rules_changes import lines, texts
from router.operate.topics import Topics

ACTIVE = "active"
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
    try:
        found = [load(Path(name)) if _is_folder(name) else at.run(_fetching(name)) for name in (before, after)]
    except CatalogueFaulty as faulty:
        print_findings(faulty.findings, at.lang, as_json)
        raise typer.Exit(1) from None
    was, now = (Side(catalogue.rules, vocabularies(catalogue, at.lang), at.lang) for catalogue in found)
    changes = compare_rules(was, now)
    for change in changes:
        for line in lines(change, at.lang):
            at.say(line)
    if not changes:
        at.say(texts(at.lang)["same"])
    at.result({"differences": msgspec.to_builtins(changes)})
    raise typer.Exit(1 if changes else 0)


def _is_folder(name: str) -> bool:
    return name != ACTIVE and not name.isdecimal() and Path(name).is_dir()


def _fetching(name: str) -> Any:
    async def fetch(broker: Any, topics: Topics) -> Catalogue:
        if name == ACTIVE:
            catalogue = await fetch_active(broker, topics.catalog)
            if catalogue is None:
                raise NotAllowed("no_version")
            return catalogue
        if name.isdecimal():
            version = (await releases.history(broker, topics)).versions.get(int(name))
            if version is None:
                raise NotAllowed("no_such_version", version=int(name))
            return await fetch_version(broker, topics.catalog, version.number, version.hash)
        return from_files((await drafts.fetch(broker, topics, name)).files)

    return fetch
