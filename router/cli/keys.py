"""
`duokua keys new|add|revoke|adopt|list`: who may act on drafts and versions.

Exit codes: 0 ok; 1 refused; 2 usage or no key file; 3 Kafka is not reachable.
"""

from dataclasses import asdict
from typing import Annotated

import typer

from router.catalogue.hand import adopt as moved
from router.catalogue.hand import register
from router.catalogue.hand import revoke as taken_away
from router.catalogue.keys import Signer, file_of, is_name, is_public
from router.catalogue.releases import history
from router.cli.acting import REFUSALS, Actor, Reason, Stage, stage
from router.cli.catalog import AsJson, Lang

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, help="密钥 / keys")

TEXTS = {
    "made": ("私钥存于 {file}，只有本人可读", "the private key is in {file}, readable by its owner alone"),
    "known": ("已登记 {who} 的密钥 {public}", "the key of {who} is known: {public}"),
    "ask": ("请已登记密钥的人执行：duokua keys add {who} {public} --actor <本人>", "have somebody whose key is known run: duokua keys add {who} {public} --actor <name>"),
    "bad_public": ("不是公钥（64 位十六进制）", "no public key (64 hexadecimal digits)"),
    "revoked": ("已吊销 {who} 的密钥；此前的签名仍有效", "the key of {who} holds no longer; what was signed stays"),
    "withdrawn": ("第 {version} 版是凭它批准的，已撤回，不再启用", "version {version} was approved with it: withdrawn, it will not take effect"),
    "adopted": ("已认领：此前在 {there} 签署，今后在此签署", "adopted: signed at {there} until now, and here from now on"),
    "unbound": ("有 {count} 条较早的签名没有写明部署，只由所在的审计链证明", "{count} older signatures do not name a deployment; only their place in the chain says where they belong"),
    "none": ("尚无密钥：duokua keys new <本人>", "no keys yet: duokua keys new <name>"),
    "line": ("{who}\t{public}\t{at} 起\t担保 {by}\t{revoked}", "{who}\t{public}\tsince {at}\tvouched for by {by}\t{revoked}"),
    "self": ("本人（第一个）", "himself (the first)"),
    "gone": ("已于 {at} 吊销", "revoked at {at}"),
}  # fmt: skip

Who = Annotated[str, typer.Argument(metavar="WHO", help="账号 / account")]


@app.command()
def new(who: Who, as_json: AsJson = False, lang: Lang = "") -> None:
    """生成本人的密钥；第一个直接登记，以后的由他人担保（keys add）/ make one's own key; the first is known at once."""
    at = stage(lang, as_json)
    if not is_name(who):
        at.fail(at.choose(REFUSALS["bad_name"], name=who), 2)
    life = at.run(history)
    file = file_of(at.settings.keys, who)
    signer = at.signer(who) if file.exists() else None
    if signer and life.was_known(signer.public) and not life.holds(who, signer.public):
        signer.set_aside(at.settings.keys)
        signer = None
    if signer is None:
        signer = Signer.fresh(who)
        signer.store(at.settings.keys)
        at.say(at.choose(TEXTS["made"], file=file))
    if not life.keys:
        _register(at, who, signer.public, signer)
    else:
        at.say(at.choose(TEXTS["ask"], who=who, public=signer.public))
        at.result({"who": who, "public": signer.public, "known": False})


@app.command()
def add(
    who: Who,
    public: Annotated[str, typer.Argument(metavar="PUBLIC", help="公钥 / public key")],
    actor: Actor = ...,  # type: ignore[assignment]
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """担保并登记别人的公钥 / vouch for somebody's public key."""
    at = stage(lang, as_json)
    if not is_name(who):
        at.fail(at.choose(REFUSALS["bad_name"], name=who), 2)
    if not is_public(public):
        at.fail(at.choose(TEXTS["bad_public"]), 2)
    _register(at, who, public, at.signer(actor))


def _register(at: Stage, who: str, public: str, by: Signer) -> None:
    at.run(lambda broker, topics: register(broker, topics, who, public, by=by, now=at.now))
    at.say(at.choose(TEXTS["known"], who=who, public=public))
    at.result({"who": who, "public": public, "known": True})


@app.command()
def revoke(
    who: Who,
    actor: Actor = ...,  # type: ignore[assignment]
    reason: Reason = ...,  # type: ignore[assignment]
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """吊销（遗失、离岗）/ have a key hold no longer: lost, or its owner left."""
    at = stage(lang, as_json)
    by = at.signer(actor)
    withdrawn = at.run(lambda broker, topics: taken_away(broker, topics, who, by=by, reason=reason, now=at.now))
    at.say(at.choose(TEXTS["revoked"], who=who))
    if withdrawn:
        at.say(at.choose(TEXTS["withdrawn"], version=withdrawn))
    at.result({"who": who, "known": False, "withdrawn": withdrawn or None})


@app.command()
def adopt(
    actor: Actor = ...,  # type: ignore[assignment]
    reason: Reason = ...,  # type: ignore[assignment]
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """部署迁到了这个集群、这个前缀：今后在此签署 / the deployment has moved to this cluster and prefix."""
    at = stage(lang, as_json)
    by = at.signer(actor)
    there = at.run(lambda broker, topics: moved(broker, topics, by=by, reason=reason, now=at.now))
    at.say(at.choose(TEXTS["adopted"], there=there))
    at.result({"from": there})


@app.command("list")
def list_(as_json: AsJson = False, lang: Lang = "") -> None:
    """登记过的密钥 / the keys that are or were known."""
    at = stage(lang, as_json)
    life = at.run(history)
    keys = life.keys
    for key in keys:
        gone = at.choose(TEXTS["gone"], at=key.revoked) if key.revoked else ""
        by = key.by or at.choose(TEXTS["self"])
        at.say(at.choose(TEXTS["line"], who=key.who, public=key.public, at=key.at, by=by, revoked=gone).rstrip())
    if not keys:
        at.say(at.choose(TEXTS["none"]))
    if life.unbound:
        at.say(at.choose(TEXTS["unbound"], count=life.unbound))
    at.result({"keys": [asdict(key) for key in keys], "unbound": life.unbound})
