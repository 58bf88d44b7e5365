"""`duokua catalog publish|rollback`, beside what router/cli/catalog.py has: a folder put in force, an old version again."""

from typing import Annotated

import typer

from router.catalogue.load import read_folder
from router.catalogue.publish import publish as put_in_force
from router.cli.acting import stage
from router.cli.catalog import AsJson, Folder, Lang, app
from router.cli.rules_life import rollback

TEXTS = {
    "published": ("已发布第 {version} 版 {hash}，未经他人批准", "published version {version} {hash}; nobody else approved it"),
    "unchanged": ("与在用的第 {version} 版相同，未发布", "the same as version {version} in force, nothing published"),
}  # fmt: skip

app.command("rollback")(rollback)


@app.command()
def publish(
    folder: Folder = None,
    reason: Annotated[str, typer.Option("--reason", help="为什么发布 / why")] = "",
    actor: Annotated[str, typer.Option("--actor", help="发布人账号 / the account that publishes")] = "",
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """把文件夹发布为新版本，供启动和试用；生产环境有版本后只经草稿（rules publish）/ a folder, without approval: to begin with and for trials."""
    at = stage(lang, as_json)
    production = at.settings.environment == "production"
    published = at.run(
        lambda broker, topics: put_in_force(
            broker, topics, read_folder(folder or at.settings.catalog), by=actor, reason=reason, now=at.now,
            only_first=production,
        )
    )  # fmt: skip
    text = TEXTS["published" if published.changed else "unchanged"]
    at.say(at.choose(text, version=published.version, hash=published.hash[:12]))
    at.result({"version": published.version, "hash": published.hash, "changed": published.changed})
