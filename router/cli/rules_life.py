"""
`duokua rules draft …|approve|publish|withdraw|rollback|history|reviews|review`: from a draft to what is in force.

Exit codes: 0 ok; 1 refused, or for `reviews` something waits; 2 usage or no key file; 3 Kafka is not reachable.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from router.catalogue import drafts, releases
from router.catalogue.difference import compare
from router.catalogue.fetch import fetch_version
from router.catalogue.life import Head, Version
from router.catalogue.load import from_files, read_folder
from router.catalogue.publish import Published, recounts
from router.cli.acting import Actor, Reason, Stage, stage
from router.cli.catalog import AsJson, Lang, print_differences
from schemas.times import CHINA, milliseconds, to_text

MARK = ".duokua-draft"
"""In a folder that was taken out or saved: which draft it is, from which version and revision."""

TEXTS = {
    "taken": ("已取出到 {folder}：草稿“{name}”，自第 {base} 版，第 {revision} 稿", "taken out to {folder}: draft '{name}', from version {base}, revision {revision}"),
    "not_empty": ("{folder} 里已有文件：换一个空的文件夹", "{folder} holds files: name an empty folder"),
    "no_mark": ("{folder} 不知道是从哪一版改起的：用 duokua rules draft take 取出，或写明 --base", "it is not known from which version {folder} was made: take it out with duokua rules draft take, or say --base"),
    "other_mark": ("{folder} 是草稿“{name}”，不是“{asked}”", "{folder} is the draft '{name}', not '{asked}'"),
    "saved": ("已保存草稿“{name}”第 {revision} 稿，内容 {hash}", "saved draft '{name}', revision {revision}, content {hash}"),
    "dropped": ("已放弃草稿“{name}”", "dropped the draft '{name}'"),
    "none": ("没有草稿", "no drafts"),
    "draft": ("{name}\t第 {revision} 稿\t自第 {base} 版\t{by} {at}\t{state}", "{name}\trevision {revision}\tfrom version {base}\t{by} {at}\t{state}"),
    "approved": ("{who} 于 {at} 批准", "approved by {who} at {at}"),
    "open": ("待批准", "not approved"),
    "content": ("内容 {hash}", "content {hash}"),
    "why": ("理由 {why}", "reason {why}"),
    "basis": ("依据 {basis}", "basis {basis}"),
    "authors": ("起草 {authors}", "authors {authors}"),
    "agreed": ("已批准草稿“{name}”，内容 {hash}", "approved the draft '{name}', content {hash}"),
    "published": ("已发布第 {version} 版 {hash}", "published version {version} {hash}"),
    "waits": ("已存为第 {version} 版 {hash}，{start} 启用", "stored as version {version} {hash}, takes effect at {start}"),
    "alone": ("无人批准：已列入待复核（duokua rules reviews）", "nobody approved it: it stands among the reviews (duokua rules reviews)"),
    "recounts": ("日历有变：在走的时限逐件改按新日历计算，诉求人和承办单位会得知", "a calendar changed: running clocks are re-based, citizens and units are told"),
    "will_recount": ("日历有变：在走的时限将改按新日历计算；启用前先看：duokua calendar moves {which}", "a calendar changes: running clocks will be re-based; before it takes effect look with: duokua calendar moves {which}"),
    "withdrawn": ("已撤回第 {version} 版，不再启用", "version {version} is withdrawn and will not take effect"),
    "bad_day": ("“{day}”不是日期（应如 2026-12-01）", "'{day}' is not a date such as 2026-12-01"),
    "reviewed": ("已复核第 {version} 版", "version {version} is reviewed"),
    "no_reviews": ("没有待复核的版本", "no version wants a review"),
    "version": ("第 {number} 版\t{state}\t{at}\t发布 {by}\t{approval}\t{why}", "version {number}\t{state}\t{at}\tpublished by {by}\t{approval}\t{why}"),
    "in_force": ("在用", "in force"), "waiting": ("待启用", "waiting"), "earlier": ("曾用", "earlier"), "withdrawn_state": ("已撤回", "withdrawn"),
    "starts": ("{start} 启用", "takes effect at {start}"), "rolled": ("恢复第 {version} 版", "rollback to version {version}"),
    "alone_short": ("未经批准", "nobody approved it"), "looked": ("{who} 于 {at} 复核", "reviewed by {who} at {at}"),
    "of_draft": ("草稿 {name}，起草 {authors}", "draft {name}, by {authors}"), "nothing": ("尚未发布过", "nothing was published yet"),
}  # fmt: skip

Name = Annotated[str, typer.Argument(metavar="DRAFT", help="草稿名 / its name")]
Number = Annotated[int, typer.Argument(metavar="VERSION", min=1, help="版本号 / its number")]

draft = typer.Typer(no_args_is_help=True, help="草稿 / drafts")


def add_to(app: typer.Typer) -> None:
    """Put these commands into the group."""
    app.add_typer(draft, name="draft")
    for command in (approve, publish, withdraw, rollback, history, reviews, review):
        app.command(command.__name__)(command)


# -- drafts --------------------------------------------------------------------------------------------


@draft.command()
def take(
    name: Name,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="空文件夹 / an empty folder")],
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """取出到文件夹：已有的草稿，否则在用的版本 / into a folder: the draft if there is one, else what is in force."""
    at = stage(lang, as_json)
    if folder.exists() and any(folder.iterdir()):
        at.fail(at.choose(TEXTS["not_empty"], folder=folder), 2)
    taken = at.run(lambda broker, topics: drafts.begin(broker, topics, name))
    for file, data in taken.files.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    _mark(folder, taken.head)
    at.say(at.choose(TEXTS["taken"], folder=folder, **_numbers(taken.head)))
    at.result(asdict(taken.head))


@draft.command()
def save(
    name: Name,
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="缺省取设置 / by default the setting's")
    ] = None,
    actor: Actor = ...,  # type: ignore[assignment]
    reason: Reason = ...,  # type: ignore[assignment]
    basis: Annotated[str, typer.Option("--basis", help="依据文号 / the document behind it")] = "",
    base: Annotated[
        int | None,
        typer.Option("--base", min=0, help="作为新草稿，写明从哪一版改起 / as a new draft, made from this version"),
    ] = None,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """检查并保存整个文件夹；有错误或别人保存过时不保存 / check and save a folder; not over somebody else's work."""
    at = stage(lang, as_json)
    by, folder = at.signer(actor), folder or at.settings.catalog
    mark: Mapping[str, Any] = _marked(folder) if base is None else {"name": name, "base": base}
    if mark and mark["name"] != name:
        at.fail(at.choose(TEXTS["other_mark"], folder=folder, name=mark["name"], asked=name), 2)
    if not mark:
        at.fail(at.choose(TEXTS["no_mark"], folder=folder), 2)
    head = at.run(
        lambda broker, topics: drafts.save(
            broker, topics, name, read_folder(folder), by=by, reason=reason, basis=basis, base=mark["base"],
            revision=mark.get("revision", 0), now=at.now,
        )
    )  # fmt: skip
    _mark(folder, head)
    at.say(at.choose(TEXTS["saved"], name=name, revision=head.revision, hash=head.content[: releases.SHOWN]))
    at.result(asdict(head))


@draft.command("list")
def list_(as_json: AsJson = False, lang: Lang = "") -> None:
    """有哪些草稿 / what drafts there are."""
    at = stage(lang, as_json)
    heads = at.run(drafts.listed)
    for head in heads:
        at.say(_line(at, head))
    if not heads:
        at.say(at.choose(TEXTS["none"]))
    at.result({"drafts": [asdict(head) for head in heads]})


@draft.command()
def show(name: Name, as_json: AsJson = False, lang: Lang = "") -> None:
    """一份草稿：谁、为何、内容哈希，与所改版本的差异 / one draft, and how it differs from the version it was made from."""
    at = stage(lang, as_json)

    async def look(broker: Any, topics: Any) -> tuple[drafts.Draft, Any]:
        found = await drafts.fetch(broker, topics, name)
        versions = (await releases.history(broker, topics)).versions
        base = versions.get(found.head.base)
        return found, await fetch_version(broker, topics.catalog, base.number, base.hash) if base else None

    found, base = at.run(look)
    head = found.head
    drafted = from_files(found.files)
    differences = compare(base, drafted) if base else ()
    moves = base is not None and recounts(base, drafted)
    if as_json:
        told = [[d.table, d.id, d.change, *d.fields] for d in differences]
        at.result(asdict(head) | {"differences": told, "recounts": moves})
        return
    at.say(_line(at, head))
    at.say(at.choose(TEXTS["content"], hash=head.content))
    at.say(at.choose(TEXTS["authors"], authors=_joined(head.authors)))
    at.say(at.choose(TEXTS["why"], why=head.why))
    if head.basis:
        at.say(at.choose(TEXTS["basis"], basis=head.basis))
    print_differences(differences, at.lang, as_json=False)
    if moves:
        at.say(at.choose(TEXTS["will_recount"], which=name))


@draft.command()
def drop(
    name: Name,
    actor: Actor = ...,  # type: ignore[assignment]
    reason: Reason = ...,  # type: ignore[assignment]
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """放弃一份草稿；审计里仍留着 / give a draft up; the audit keeps that it was there."""
    at = stage(lang, as_json)
    by = at.signer(actor)
    at.run(lambda broker, topics: drafts.drop(broker, topics, name, by=by, reason=reason, now=at.now))
    at.say(at.choose(TEXTS["dropped"], name=name))
    at.result({"name": name})


# -- versions ------------------------------------------------------------------------------------------


def approve(
    name: Name,
    seen: Annotated[str, typer.Option("--hash", help="所看内容的哈希，至少 16 位（rules draft show）/ the content that was looked at, 16 digits or more")] = ...,  # type: ignore[assignment]
    actor: Actor = ...,  # type: ignore[assignment]
    reason: Reason = "",
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:  # fmt: skip
    """批准草稿的这一内容，须为别人所起草 / approve this very content, of which one is no author."""
    at = stage(lang, as_json)
    by = at.signer(actor)
    head = at.run(lambda broker, topics: releases.approve(broker, topics, name, seen, by=by, reason=reason, now=at.now))
    at.say(at.choose(TEXTS["agreed"], name=name, hash=head.content[: releases.SHOWN]))
    at.result(asdict(head))


def publish(
    name: Name,
    actor: Actor = ...,  # type: ignore[assignment]
    day: Annotated[str, typer.Option("--from", metavar="DATE", help="到这一天零时启用，缺省立即 / takes effect when this day begins; by default at once")] = "",
    emergency: Annotated[bool, typer.Option("--emergency", help="未经批准立即启用，须写理由，事后复核 / at once, without approval; needs a reason and a later review")] = False,
    reason: Reason = "",
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:  # fmt: skip
    """发布已批准的草稿 / publish an approved draft."""
    at = stage(lang, as_json)
    by, start = at.signer(actor), _start(at, day)
    published = at.run(
        lambda broker, topics: releases.publish_draft(
            broker, topics, name, by=by, reason=reason, now=at.now, start=start, emergency=emergency
        )
    )
    _tell(at, published, start, alone=emergency)


def rollback(
    version: Number,
    actor: Actor = ...,  # type: ignore[assignment]
    reason: Reason = ...,  # type: ignore[assignment]
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """把旧版的内容作为新版启用；进行中的工单不变 / put an old version's content in force as a new version."""
    at = stage(lang, as_json)
    by = at.signer(actor)
    published = at.run(
        lambda broker, topics: releases.rollback(broker, topics, version, by=by, reason=reason, now=at.now)
    )
    _tell(at, published, 0, alone=True)


def withdraw(
    actor: Actor = ...,  # type: ignore[assignment]
    reason: Reason = ...,  # type: ignore[assignment]
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """撤回等待启用的版本 / have the version that waits for its day never take effect."""
    at = stage(lang, as_json)
    by = at.signer(actor)
    version = at.run(lambda broker, topics: releases.withdraw(broker, topics, by=by, reason=reason, now=at.now))
    at.say(at.choose(TEXTS["withdrawn"], version=version))
    at.result({"version": version})


def history(as_json: AsJson = False, lang: Lang = "") -> None:
    """全部版本：谁发布、谁批准、为何 / every version: who published it, who approved it, why."""
    at = stage(lang, as_json)
    versions = sorted(at.run(releases.history).versions.values(), key=lambda version: -version.number)
    for version in versions:
        at.say(_told(at, version))
    if not versions:
        at.say(at.choose(TEXTS["nothing"]))
    at.result({"versions": [asdict(version) | {"approved_by": version.approved_by} for version in versions]})


def reviews(as_json: AsJson = False, lang: Lang = "") -> None:
    """未经第二人批准而启用、待复核的版本；有则退出码为 1 / versions that nobody else has looked at; exit code 1 if any."""
    at = stage(lang, as_json)
    open_ = [version for version in at.run(releases.history).versions.values() if version.wants_review]
    for version in open_:
        at.say(_told(at, version))
    if not open_:
        at.say(at.choose(TEXTS["no_reviews"]))
    at.result({"versions": [asdict(version) for version in open_]})
    raise typer.Exit(1 if open_ else 0)


def review(
    version: Number,
    actor: Actor = ...,  # type: ignore[assignment]
    reason: Reason = ...,  # type: ignore[assignment]
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """事后复核，须为没有参与过的人 / look at it afterwards, by somebody who had no hand in it."""
    at = stage(lang, as_json)
    by = at.signer(actor)
    at.run(lambda broker, topics: releases.review(broker, topics, version, by=by, reason=reason, now=at.now))
    at.say(at.choose(TEXTS["reviewed"], version=version))
    at.result({"version": version})


# -- telling -------------------------------------------------------------------------------------------


def _tell(at: Stage, published: Published, start: int, *, alone: bool) -> None:
    facts = {"version": published.version, "hash": published.hash[: releases.SHOWN]}
    at.say(at.choose(TEXTS["waits" if start else "published"], **facts, start=to_text(start)))
    if alone:
        at.say(at.choose(TEXTS["alone"]))
    if published.recounts:
        at.say(at.choose(TEXTS["will_recount" if start else "recounts"], which=published.version))
    begins = to_text(start) if start else None
    at.result({"version": published.version, "hash": published.hash, "start": begins, "recounts": published.recounts})


def _start(at: Stage, day: str) -> int:
    try:
        return milliseconds(datetime.combine(date.fromisoformat(day), datetime.min.time(), CHINA)) if day else 0
    except ValueError:
        at.fail(at.choose(TEXTS["bad_day"], day=day), 2)


def _line(at: Stage, head: Head) -> str:
    state = TEXTS["approved"] if head.approved_by else TEXTS["open"]
    told = at.choose(state, who=head.approved_by, at=head.approved_at)
    return at.choose(TEXTS["draft"], **_numbers(head), by=head.by, at=head.at, state=told)


def _numbers(head: Head) -> dict[str, Any]:
    return {"name": head.name, "revision": head.revision, "base": head.base}


def _told(at: Stage, version: Version) -> str:
    state = "withdrawn_state" if version.state == "withdrawn" else version.state
    parts = [at.choose(TEXTS[state])]
    if version.state == "waiting":
        parts.append(at.choose(TEXTS["starts"], start=to_text(version.start)))
    if version.rollback_of:
        parts.append(at.choose(TEXTS["rolled"], version=version.rollback_of))
    approval = [at.choose(TEXTS["alone_short"])]
    if version.draft and version.approved_by:
        approval = [at.choose(TEXTS["approved"], who=version.approved_by, at=version.draft.approved_at)]
    if version.reviewed_by:
        approval.append(at.choose(TEXTS["looked"], who=version.reviewed_by, at=version.reviewed_at))
    if version.draft:
        approval.append(at.choose(TEXTS["of_draft"], name=version.draft.name, authors=_joined(version.draft.authors)))
    why = " ".join(filter(None, (version.why, version.draft.basis if version.draft else "")))
    return at.choose(
        TEXTS["version"], number=version.number, state=" ".join(parts), at=version.at or "-", by=version.by or "-",
        approval=" ".join(approval), why=why,
    ).rstrip()  # fmt: skip


def _joined(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def _mark(folder: Path, head: Head) -> None:
    (folder / MARK).write_text(json.dumps(_numbers(head), ensure_ascii=False) + "\n", encoding="utf-8")


def _marked(folder: Path) -> Mapping[str, Any]:
    """What `_mark` wrote; nothing where the folder has no mark."""
    try:
        found: Mapping[str, Any] = json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.keys() >= {"name", "base", "revision"} else {}
