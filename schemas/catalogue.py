"""
How a version of the catalogue travels on the topic `catalog`: one manifest and its chunks.

A chunk is keyed by the SHA-256 of its bytes, a manifest by `manifest/<version>`; so a reader can
verify that it holds exactly the version it was told to use.
"""

from typing import Annotated

from pydantic import Field

from schemas.fields import Count, Line, Model, Name, described
from schemas.times import Instant

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class CatalogueManifest(Model):
    """目录清单 one published version of the catalogue."""

    version: Annotated[Count, described("版本", "version")]
    hash: Annotated[Sha256, described("全部内容的 SHA-256", "SHA-256 of the whole, unpacked")]
    chunks: Annotated[tuple[Sha256, ...], described("分块的 SHA-256，按顺序", "SHA-256 of each chunk, in order")]
    size: Annotated[Count, described("字节数", "bytes, unpacked")]
    name: Annotated[Name, described("目录名称", "name")]
    province: Annotated[str, described("根区划代码", "root division", pattern=r"^[1-9][0-9]{5}$")]
    published_at: Annotated[Instant | None, described("发布时间", "published at")] = None
    published_by: Annotated[str | None, described("发布人账号", "account of the publisher")] = None
    note: Annotated[Line | None, described("说明", "note")] = None
    basis: Annotated[Line | None, described("依据文号", "document behind it")] = None
    draft: Annotated[Line | None, described("来自哪份草稿", "the draft it was published from")] = None
    content: Annotated[Sha256 | None, described("所批准内容的 SHA-256", "SHA-256 of what was approved")] = None
    authors: Annotated[tuple[str, ...] | None, described("起草人账号", "accounts of the authors")] = None
    approved_by: Annotated[str | None, described("批准人账号", "account of the approver")] = None
    approved_at: Annotated[Instant | None, described("批准时间", "approved at")] = None
    starts_at: Annotated[
        Instant | None, described("启用时间，缺省为立即", "when it takes effect, by default at once")
    ] = None
    rollback_of: Annotated[Count | None, described("恢复的是哪一版", "the version whose content it is")] = None
