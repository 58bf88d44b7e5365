"""What the commands that act on drafts, keys and versions share: who acts, on which log, and what is told of a refusal."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from aiokafka.errors import KafkaError

from adapters.clock import Clock
from adapters.kafka.log import KafkaLog, OutcomeUnknown, RecordRefused
from router.catalogue.desk import NotAllowed, PublishedMeanwhile, TopicsMissing
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.keys import KeyFileUnusable, Signer, load
from router.catalogue.pack import VersionUnusable
from router.cli.catalog import print_findings
from router.operate.audit import ChainBroken
from router.operate.settings import Settings
from router.operate.topics import Topics
from schemas.times import to_text

T = TypeVar("T")

REFUSALS = {
    "bad_name": ("名称“{name}”不合要求：字母、汉字、数字开头，至多 64 个，可含 . - _ @，不能只是数字或 active", "the name '{name}' will not do: at most 64 letters, digits, . - _ @, the first a letter or digit; no number, and not active"),
    "no_key": ("{who} 没有登记有效的密钥，或本机的密钥不是登记的那个：duokua keys list", "no key is known for {who}, or it is not the one of this machine: duokua keys list"),
    "key_taken": ("{who} 已有有效的密钥：先 duokua keys revoke", "{who} has a key that holds: revoke it first (duokua keys revoke)"),
    "key_used": ("这个公钥登记过（别人的，或已吊销）：本人重新 duokua keys new", "this public key was registered before (somebody else's, or revoked): its owner makes a new one with duokua keys new"),
    "first_key": ("第一个密钥由本人登记（{who} 为自己）", "the first key is registered by its own holder ({who})"),
    "no_voucher": ("须由已登记密钥的人担保：--actor", "somebody whose key is known has to vouch: --actor"),
    "last_key": ("这是最后一个有效的密钥，不能吊销", "this is the last key that holds; it cannot be revoked"),
    "no_version": ("尚未发布过任何版本：先 duokua catalog publish", "nothing was published yet: duokua catalog publish first"),
    "no_such_version": ("没有在用过的第 {version} 版", "there is no version {version} that was in force"),
    "no_draft": ("没有草稿“{name}”", "there is no draft '{name}'"),
    "edited": ("未保存：{who} 已于 {at} 保存了“{name}”的第 {revision} 稿；先取出（rules draft take）再改", "not saved: {who} saved revision {revision} of '{name}' at {at}; take it out first (rules draft take), then change it"),
    "other_content": ("未批准：“{name}”现在的内容是 {hash}（{who}，{at}），不是所看的那份", "not approved: the content of '{name}' is {hash} ({who}, {at}), not what was looked at"),
    "own_work": ("{who} 参与过，须由别人来做", "{who} had a hand in it: somebody else has to do this"),
    "old_base": ("“{name}”从第 {base} 版改起，而 {who} 已于 {at} 发布了第 {version} 版：取出新版，把改动并入，再保存", "'{name}' was made from version {base}, but {who} published version {version} at {at}: take that out, bring the changes in, save again"),
    "not_approved": ("“{name}”未经批准，或批准后又改过：duokua rules approve", "'{name}' is not approved, or was changed after it was: duokua rules approve"),
    "waits": ("第 {version} 版（{who}）将于 {start} 启用，其间不能发布别的：等它，或 duokua rules withdraw", "version {version} ({who}) takes effect at {start}; nothing else can be published before: wait, or duokua rules withdraw"),
    "none_waits": ("没有等待启用的版本", "no version waits for its day"),
    "not_ahead": ("启用日期须在今天以后，紧急发布不能定日期", "the day must lie ahead, and an emergency takes none"),
    "no_reason": ("须写明理由：--reason", "a reason is needed: --reason"),
    "same": ("与在用的第 {version} 版相同，未发布", "the same as version {version} in force, nothing published"),
    "too_long": ("理由和文号至多 {most} 字", "a reason or a document's number has at most {most} characters"),
    "bad_file": ("文件名 {file} 不合要求：须在文件夹内，不含 .. \\ : 和控制字符", "the file name {file} will not do: below the folder, without .. \\ : and control characters"),
    "elsewhere": ("审计链在别处签署（{there}），这里是 {here}：若是副本，请另起前缀；若确已迁来：duokua keys adopt", "the audit chain was signed elsewhere ({there}), this is {here}: in a copy begin with another prefix; if the deployment has moved here: duokua keys adopt"),
    "at_home": ("审计链就是在这里签署的，无须认领", "the audit chain was signed here, there is nothing to adopt"),
    "no_review": ("第 {version} 版没有待复核", "version {version} wants no review"),
    "drafts_only": ("登记了密钥，或在生产环境，有版本后只经草稿发布：duokua rules draft save、approve、publish；紧急时 rules publish --emergency", "once keys are known, and in production, new versions come from drafts: duokua rules draft save, approve, publish; in an emergency rules publish --emergency"),
}  # fmt: skip
OTHERS = {
    "missing": ("没有密钥文件 {file}：先 duokua keys new", "there is no key file {file}: duokua keys new first"),
    "open": ("密钥文件 {file} 别人也能读：chmod 600，并考虑换一个", "others can read the key file {file}: chmod 600, and think of a new key"),
    "unreadable": ("密钥文件 {file} 读不出", "the key file {file} cannot be read"),
    "unreachable": ("连不上 Kafka：{where}", "Kafka is not reachable: {where}"),
    "no_topics": ("主题尚未创建，请先运行 duokua topics apply：{names}", "the topics do not exist yet, run duokua topics apply first: {names}"),
    "meanwhile": ("同时有人在发布或编辑：看看现状再试", "somebody else acts at the same moment: look again, then try again"),
    "broken": ("审计记录被改动过，或缺了签名（{where}）：先查清楚", "the audit entries were changed, or a signature is missing ({where}): find out first"),
    "faulty": ("目录有误，没有写入", "the catalogue is faulty, nothing was written"),
    "unusable": ("版本或草稿的内容读不出，或与哈希不符；在用版本可用原来的文件夹 duokua catalog publish 补写", "the content of the version or draft cannot be read, or is not what its hash says; of the version in force it can be written again: duokua catalog publish with the folder it came from"),
    "unsure": ("提交已发出、没有回音，不知道是否生效：看看现状再试", "sent, but no answer came: whether it holds is not known; look again, then try again"),
}  # fmt: skip

Actor = Annotated[str, typer.Option("--actor", help="谁，用本人的密钥签名 / who; signs with his own key")]
Reason = Annotated[str, typer.Option("--reason", help="为什么，永久保存 / why; kept for ever")]


@dataclass(frozen=True)
class Stage:
    """A command at work: its language, and what it acts on."""

    lang: str
    as_json: bool
    settings: Settings
    now: int

    @property
    def topics(self) -> Topics:
        return Topics(self.settings.prefix, self.settings.shards, self.settings.replication)

    def choose(self, texts: tuple[str, str], **facts: object) -> str:
        """Of a Chinese and an English text the one that is asked for."""
        return texts[self.lang == "en"].format(**facts)

    def signer(self, actor: str) -> Signer:
        """Who acts, with the key on this machine; ends the command where there is none."""
        try:
            return load(self.settings.keys, actor)
        except KeyFileUnusable as error:
            self.fail(self.choose(OTHERS[error.code], file=error.file), 2)

    def run(self, job: Callable[[Any, Topics], Awaitable[T]]) -> T:
        """Do it on the log. What is refused is told in a sentence, with its exit code."""
        try:
            return asyncio.run(self._job(job))
        except NotAllowed as refused:
            facts = (
                refused.facts | {"start": to_text(start)}
                if isinstance(start := refused.facts.get("start"), int)
                else refused.facts
            )
            self.fail(self.choose(REFUSALS[refused.code], **facts), 1)
        except CatalogueFaulty as faulty:
            print_findings(faulty.findings, self.lang, self.as_json)
            self.fail(self.choose(OTHERS["faulty"]), 1)
        except TopicsMissing as missing:
            self.fail(self.choose(OTHERS["no_topics"], names=missing), 3)
        except PublishedMeanwhile:
            self.fail(self.choose(OTHERS["meanwhile"]), 1)
        except ChainBroken as broken:
            self.fail(self.choose(OTHERS["broken"], where=broken), 1)
        except VersionUnusable:
            self.fail(self.choose(OTHERS["unusable"]), 1)
        except OutcomeUnknown:
            self.fail(self.choose(OTHERS["unsure"]), 3)
        except (KafkaError, RecordRefused, OSError):
            self.fail(self.choose(OTHERS["unreachable"], where=self.settings.bootstrap), 3)

    async def _job(self, job: Callable[[Any, Topics], Awaitable[T]]) -> T:
        return await job(KafkaLog(self.settings.bootstrap), self.topics)

    def say(self, text: str) -> None:
        """To people; with `--json` to nobody."""
        if not self.as_json:
            typer.echo(text)

    def result(self, facts: object) -> None:
        """With `--json` the one object."""
        if self.as_json:
            typer.echo(json.dumps(facts, ensure_ascii=False))

    def fail(self, text: str, code: int) -> NoReturn:
        print(text, file=sys.stderr)
        raise typer.Exit(code)


def stage(lang: str, as_json: bool) -> Stage:
    """For a command with these options."""
    settings = Settings()
    clock = Clock.from_text(settings.clock)
    return Stage("en" if (lang or settings.lang) == "en" else "zh", as_json, settings, clock.now())
