"""
What can be wrong with a message: stable codes, a JSON pointer, a text in both languages.

    InvalidMessage        theirs: the sender's message is at fault. Anything else that is raised is ours.

No fault holds a value of the message: texts and pointers go into answers, dead letters and logs.
A pointer names a field of an unknown name only where the name is plain (`plain_name`).
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

CODES: dict[str, tuple[str, str]] = {
    "tombstone": ("消息没有内容（空值记录）", "the record has no value"),
    "too_large": ("消息过大", "the message is too large"),
    "batch_too_large": (
        "压缩批次解压后超过 16 MB，整批未读",
        "a compressed batch of more than 16 MB when unpacked: none of it was read",
    ),
    "not_utf8": ("不是有效的 UTF-8 文本", "not valid UTF-8 text"),
    "not_json": ("不是有效的 JSON", "not valid JSON"),
    "duplicate_key": ("同一个键出现两次", "the same key twice"),
    "too_deep": ("嵌套层数过多", "nested too deep"),
    "unsupported_content_type": ("不支持的内容类型，应为 JSON", "unsupported content type, JSON is expected"),
    "wrong_specversion": ("CloudEvents 版本应为 1.0", "CloudEvents 1.0 is expected"),
    "unknown_type": ("此处不接收这种类型的消息", "a message of this type is not taken here"),
    "unknown_field": ("没有这个字段", "no such field"),
    "missing_field": ("缺少必填字段", "a required field is missing"),
    "bad_value": ("值不合要求", "the value is not allowed"),
    "bad_time": ("时间应为带时区的 RFC 3339 格式", "an RFC 3339 time with offset is expected"),
    "time_ahead": ("时间超前五分钟以上", "the time is more than five minutes ahead"),
    "too_old": ("收到时间过于久远", "received too long ago"),
    "bad_id": ("编号应为 1 至 128 个可见字符且不含空格", "an id has 1 to 128 printable characters and no blank"),
    "id_like_personal_data": (
        "编号形似手机号或身份证号，请改用不含个人信息的编号",
        "the id is shaped like a phone or identity number: use one without personal data",
    ),
    "unknown_channel": ("目录中没有这个渠道", "the catalogue has no such channel"),
    "wrong_channel": ("消息所写渠道与主题不符", "the message names another channel than its topic"),
    "unknown_endpoint": ("目录中没有这个接口", "the catalogue has no such endpoint"),
    "wrong_token": ("查询码不符", "that is not the query code of this case"),
    "unknown_region": ("目录中没有这个区划代码", "the catalogue has no such division code"),
    "same_officer": ("复核人不得与经办人相同", "a second officer must be another one"),
    "internal_error": (
        "系统内部错误，消息已留存，将由运维处理",
        "an error on our side: the message is kept and will be looked at",
    ),
}
"""Every code that intake answers with. Codes are only ever added."""


class Fault(NamedTuple):
    """One thing that is wrong, and where: `pointer` is a JSON pointer into the event, "" for the whole."""

    code: str
    pointer: str
    zh: str
    en: str

    def text(self, lang: str) -> str:
        """The text in `zh` or `en`."""
        return self.en if lang == "en" else self.zh


class InvalidMessage(ValueError):
    """A message that its sender must mend. `ref` is the CloudEvents id where one could be read and may be used."""

    def __init__(self, faults: Sequence[Fault], ref: str = "") -> None:
        super().__init__(f"{faults[0].code} at '{faults[0].pointer}'")
        self.faults = tuple(faults)
        self.ref = ref

    @property
    def first(self) -> Fault:
        """The fault that is answered; the others often follow from it."""
        return self.faults[0]

    @property
    def code(self) -> str:
        return self.first.code

    @property
    def pointer(self) -> str:
        return self.first.pointer

    @property
    def text_zh(self) -> str:
        return self.first.zh

    @property
    def text_en(self) -> str:
        return self.first.en


def fault(code: str, pointer: str = "", zh: str = "", en: str = "") -> Fault:
    """A fault with the text of its code; `zh` and `en` say more, after a colon."""
    base_zh, base_en = CODES[code]
    return Fault(code, pointer, f"{base_zh}：{zh}" if zh else base_zh, f"{base_en}: {en}" if en else base_en)


_plain = re.compile(r"[A-Za-z_$][A-Za-z0-9_.$-]{0,63}").fullmatch
_digits = re.compile(r"[0-9]{6}").search


def plain_name(name: object) -> bool:
    """Whether a member's name may stand in a pointer: plain and short, with no run of digits that could be a number
    of a person."""
    return isinstance(name, int) or (isinstance(name, str) and _plain(name) is not None and _digits(name) is None)
