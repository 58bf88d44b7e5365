"""
What can go wrong between "start a Kafka here" and a broker that answers.

    KafkaFault
    ├── MavenUnreachable   no network, or the mirror answers with an error
    ├── WrongHash          what came is not the jar of the lock file
    ├── DiskFull           no room for the jars or for the log
    ├── NoJava             none >= 17 on PATH, no bundled one
    ├── PortTaken          somebody else listens there
    ├── DataInUse          another broker runs on this data folder
    └── NotReady           the broker ended, or gave no answer in time

Each text tells what to do next, in Chinese and in English. `exit_code` is the one of the command line:
1 something here is wrong, 3 something is not reachable.
"""

import errno
from typing import ClassVar, Literal

Lang = Literal["zh", "en"]


class KafkaFault(Exception):
    """A fault with its texts; `str()` gives both, `text(lang)` one."""

    exit_code: ClassVar[int] = 1
    zh: ClassVar[str]
    en: ClassVar[str]

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(f"{self.text('zh')}\n{self.text('en')}")

    def text(self, lang: Lang) -> str:
        """The sentence for a person, in one language."""
        return (self.zh if lang == "zh" else self.en).format(**self.facts)


class MavenUnreachable(KafkaFault):
    exit_code = 3
    zh = "无法从 {url} 下载 Kafka：{why}。请检查网络或代理；内网可用 DUOKUA_MAVEN 指向自己的 Maven 镜像，再执行一次（已下载的部分会续传）。"
    en = (
        "Kafka cannot be downloaded from {url}: {why}. Check the network or the proxy; on an intranet let DUOKUA_MAVEN "
        "name your own Maven mirror. Then run it again: what has come so far is kept."
    )


class WrongHash(KafkaFault):
    zh = (
        "{name} 的 SHA-256 不对（应为 {expected}，收到 {found}），已丢弃。镜像或代理改动了文件，请换一个 DUOKUA_MAVEN。"
    )
    en = (
        "{name} has the wrong SHA-256 (expected {expected}, found {found}) and was thrown away. A mirror or proxy "
        "changed the file; let DUOKUA_MAVEN name another one."
    )


class DiskFull(KafkaFault):
    ERRNOS: ClassVar = (errno.ENOSPC, errno.EDQUOT)
    zh = "磁盘已满：{where} 放不下。请腾出空间，或用 XDG_CACHE_HOME（下载）、--data（数据）换一个位置。"
    en = "The disk is full: no room at {where}. Free some space, or move with XDG_CACHE_HOME (downloads) or --data (data)."


class NoJava(KafkaFault):
    exit_code = 3
    zh = "没有可用的 Java（需要 17 或更高）：{why}。执行 make setup 会安装随附的 Java；也可用 DUOKUA_JAVA 指定路径。"
    en = (
        "There is no Java to be had (17 or newer): {why}. `make setup` installs the bundled one; "
        "DUOKUA_JAVA may name a path."
    )


class PortTaken(KafkaFault):
    zh = "端口 {port} 已被占用。请换一个 --port，或用 --port 0 自动选择空闲端口。"
    en = "Port {port} is taken. Choose another --port, or --port 0 for a free one."


class DataInUse(KafkaFault):
    zh = "另一个 Kafka 正在使用数据目录 {data}。请先执行 duokua kafka stop，或用 --data 换一个目录。"
    en = "Another Kafka runs on the data folder {data}. Stop it first (duokua kafka stop), or choose another --data."


class NotReady(KafkaFault):
    exit_code = 3
    zh = "Kafka 没有启动成功（等待上限 {patience:.0f} 秒）。日志 {log} 的末尾：\n{tail}"
    en = "Kafka did not come up (given {patience:.0f} s). The end of its log {log}:\n{tail}"
