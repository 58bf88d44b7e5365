"""`duokua catalog publish|rollback`, beside what router/cli/catalog.py has: a folder put in force, an old version again."""

from typing import Annotated, Any

import typer

from router.catalogue.desk import NotAllowed
from router.catalogue.keys import file_of
from router.catalogue.load import read_folder
from router.catalogue.publish import Published
from router.catalogue.publish import publish as put_in_force
from router.catalogue.releases import SHOWN
from router.cli.acting import stage
from router.cli.catalog import AsJson, Folder, Lang, app
from router.cli.rules_life import rollback

TEXTS = {
    "published": ("已发布第 {version} 版 {hash}，未经他人批准", "published version {version} {hash}; nobody else approved it"),
    "mended": ("在用的第 {version} 版 {hash} 已补写，内容未变", "version {version} {hash} in force was written again; its content is the same"),
    "drafts": ("新版本经草稿发布，文件夹未发布", "new versions come from drafts, the folder was not published"),
    "recounts": ("日历有变：在走的时限逐件改按新日历计算；下次发布前可先看：duokua calendar moves 文件夹", "a calendar changed: running clocks are re-based; before a publication look with: duokua calendar moves FOLDER"),
    "unchanged": ("与在用的第 {version} 版相同，未发布", "the same as version {version} in force, nothing published"),
}  # fmt: skip

app.command("rollback")(rollback)


@app.command()
def publish(
    folder: Folder = None,
    reason: Annotated[str, typer.Option("--reason", help="为什么发布 / why")] = "",
    actor: Annotated[str, typer.Option("--actor", help="发布人账号 / the account that publishes")] = "",
    to_begin: Annotated[bool, typer.Option("--to-begin", help="已改由草稿发布的，不发布，也不算错 / where drafts are the way by now: nothing, and no fault")] = False,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:  # fmt: skip
    """把文件夹发布为新版本，供启动和试用；登记了密钥或在生产环境，有版本后只经草稿（rules publish）/ a folder, without approval: to begin with and for trials."""
    at = stage(lang, as_json)
    production = at.settings.environment == "production"
    # as long as no key is known anybody may say who he is; from then on he signs
    signer = at.signer(actor) if actor and file_of(at.settings.keys, actor).is_file() else None

    async def put(broker: Any, topics: Any) -> Published | None:
        files = read_folder(folder or at.settings.catalog)
        try:
            return await put_in_force(
                broker, topics, files, by=actor, reason=reason, now=at.now, only_first=production, signer=signer
            )
        except NotAllowed as refused:
            if to_begin and refused.code == "drafts_only":
                return None
            raise

    published = at.run(put)
    if published is None:
        at.say(at.choose(TEXTS["drafts"]))
        at.result({"version": None, "hash": None, "changed": False})
        return
    text = TEXTS["mended" if published.mended else "published" if published.changed else "unchanged"]
    at.say(at.choose(text, version=published.version, hash=published.hash[:SHOWN]))
    if published.recounts:
        at.say(at.choose(TEXTS["recounts"]))
    facts = {"version": published.version, "hash": published.hash, "changed": published.changed}
    at.result(facts | {"recounts": published.recounts})
