"""
Why a role will not go on, in sentences: what it found, and what to do. One table for every role.

No sentence holds anything of a message: facts are numbers, versions and names of settings.
"""

import errno
from typing import NamedTuple

SENTENCES: dict[str, tuple[str, str]] = {
    "shards_differ": (
        "DUOKUA_SHARDS 是 {wanted}，而 case.commands 有 {there} 个分区。分片数一经选定不能改：请把 DUOKUA_SHARDS 设为 {there}",
        "DUOKUA_SHARDS is {wanted}, but case.commands has {there} partitions. The number of shards is chosen once: "
        "set DUOKUA_SHARDS to {there}",
    ),
    "no_commands_topic": (
        "没有主题 case.commands：请先执行 duokua topics apply，并核对 DUOKUA_PREFIX",
        "there is no topic case.commands: run duokua topics apply first, and check DUOKUA_PREFIX",
    ),
    "no_events_topic": (
        "没有主题 case.events：请先执行 duokua topics apply，并核对 DUOKUA_PREFIX",
        "there is no topic case.events: run duokua topics apply first, and check DUOKUA_PREFIX",
    ),
    "no_shadow": (
        "没有指明草稿：请设 DUOKUA_SHADOW，或用 duokua rules shadow 草稿名",
        "no draft is named: set DUOKUA_SHADOW, or use duokua rules shadow DRAFT",
    ),
    "no_such_catalogue": (
        "没有叫这个名字的草稿、版本或文件夹：请看 duokua rules draft list",
        "no draft, version or folder is called that: look at duokua rules draft list",
    ),
    "state_gone": (
        "分片 {shard} 已提交过位移，而 case.state 中没有它的状态：主题被删或被重建。请恢复 case.state，或换一个 DUOKUA_PREFIX 重新开始",
        "offsets are committed for shard {shard}, but case.state holds no state of it: the topic was deleted or made "
        "anew. Restore case.state, or begin anew with another DUOKUA_PREFIX",
    ),
    "state_foreign": (
        "case.state 中的状态属于另一个集群或另一个前缀：请核对 DUOKUA_BOOTSTRAP 和 DUOKUA_PREFIX",
        "the state in case.state belongs to another cluster or prefix: check DUOKUA_BOOTSTRAP and DUOKUA_PREFIX",
    ),
    "state_newer": (
        "状态由更新的版本写成，本版本不能动它：请改用那个版本，或更新的",
        "the state was written by a newer release, and this one must not touch it: run that release or a newer one",
    ),
    "shards_changed": (
        "状态按 {there} 个分片写成，而 DUOKUA_SHARDS 是 {wanted}：请设为 {there}",
        "the state was written for {there} shards, but DUOKUA_SHARDS is {wanted}: set it to {there}",
    ),
    "catalogue_unusable": (
        "生效中的目录版本读不出或与哈希不符：请用发布那一版时的文件夹原样执行 duokua catalog publish，内容与哈希一致就补写那一版",
        "the catalogue in force cannot be read or is not what its hash says: run duokua catalog publish with the very "
        "folder it was published from; where the content fits the hash that version is written again",
    ),
    "catalogue_faulty": (
        "目录有错误，整份不用：duokua catalog check 会列出每一处",
        "the catalogue has errors and is not used: duokua catalog check lists each of them",
    ),
    "too_many_dead_letters": (
        "死信超过上限，分片停下，没有提交：请看 duokua dead-letters list，修复或退回上一版本；仍要继续，把 "
        "DUOKUA_DEAD_LETTER_SHARE 和 DUOKUA_DEAD_LETTERS_IN_A_ROW 设为 0",
        "too many dead letters: the shard stopped and committed nothing. Look at duokua dead-letters list, mend the "
        "cause or go back a release; to go on all the same set DUOKUA_DEAD_LETTER_SHARE and "
        "DUOKUA_DEAD_LETTERS_IN_A_ROW to 0",
    ),
    "not_reachable": (
        "连不上 Kafka：请核对 DUOKUA_BOOTSTRAP，以及 Kafka 是否在运行",
        "Kafka is not reachable: check DUOKUA_BOOTSTRAP, and whether Kafka runs",
    ),
    "port_taken": (
        "端口被占用：请换一个 DUOKUA_HTTP_PORT，0 表示任选",
        "the port is taken: choose another DUOKUA_HTTP_PORT; 0 takes a free one",
    ),
    "packages_mixed": (
        "我们的四个包里混进了别人的文件：请在干净的环境里安装",
        "our four packages are mixed with somebody else's files: install into a clean environment",
    ),
}

BY_TYPE = {
    "NewerFormat": "state_newer",
    "VersionUnusable": "catalogue_unusable",
    "CatalogueFaulty": "catalogue_faulty",
    "UnknownCatalogue": "no_such_catalogue",
    "TooManyDeadLetters": "too_many_dead_letters",
    "KafkaConnectionError": "not_reachable",
    "PackagesMixed": "packages_mixed",
}
"""Errors that have one meaning wherever they come from, by the name of their class."""


class Refused(Exception):
    """A role must not serve with what it found. `code` is one of SENTENCES, and `facts` stand in its sentence."""

    def __init__(self, code: str, **facts: int) -> None:
        super().__init__(code)
        self.code, self.facts = code, facts


class Sentence(NamedTuple):
    """A code, and its text in both languages."""

    code: str
    zh: str
    en: str


def sentence(error: BaseException) -> Sentence | None:
    """What to tell of an error that ended a role; None where it is no refusal but a failure."""
    if isinstance(error, Refused):
        code, facts = error.code, error.facts
    elif isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        code, facts = "port_taken", {}
    else:
        code, facts = BY_TYPE.get(type(error).__name__, ""), {}
    if not code:
        return None
    zh, en = SENTENCES[code]
    return Sentence(code, zh.format(**facts), en.format(**facts))
