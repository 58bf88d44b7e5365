"""
docs/topics.md and docs/metrics.md, drawn from the lists in code: `python -m router.operate.reference topics > docs/topics.md`.

A test fails when a page is stale. What a page says beyond the lists stands here and nowhere else.
"""

import re
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from router.operate import metrics
from router.operate.topics import BIG, DAY, FOR_EVER, KINDS, STAGES, Kind

ROUTER = Path(__file__).resolve().parents[1]
MEMBERS = {
    "intake.{}": "<channel>", "answers.{}": "<channel>", "tasks.{}": "<endpoint>", "replies.{}": "<endpoint>",
    "dead-letters.{}": "<stage>",
}  # fmt: skip
SUFFIX: Mapping[type[MetricWrapperBase], str] = {Counter: "_total", Gauge: "", Histogram: ""}


def _header(page: str) -> list[str]:
    command = f"`python -m router.operate.reference {page} > docs/{page}.md`"
    return [
        f"本页由代码生成，请勿手改：{command}。",
        "",
        f"Drawn from the code; do not edit: {command}.",
        "",
    ]


# -- topics --------------------------------------------------------------------------------------------


def topics_page() -> str:
    """The whole of docs/topics.md."""
    lines = [
        "# 主题 / Topics",
        "",
        *_header("topics"),
        "全名是前缀加下面的名字；前缀由 `DUOKUA_PREFIX` 设定，缺省 `duokua.`。`duokua topics list|diff|apply` 列出、比对、创建；从不改动已有的主题。",
        "",
        "The full name is the prefix (`DUOKUA_PREFIX`, by default `duokua.`) and the name below. `duokua topics list|diff|apply` lists them, compares them with the"
        " cluster and creates what is missing; nothing that is there is ever changed. Auto-creation is off at the broker.",
        "",
        "| topic | key | partitions | kept | largest record | written by | read by |",
        "|---|---|---|---|---|---|---|",
        *(_topic_row(kind) for kind in KINDS),
        "",
        f"`<channel>` is a row of `catalog/channels.csv`, `<endpoint>` of `catalog/endpoints.csv`, `<stage>` one of {', '.join(STAGES)}."
        " `shards` is `DUOKUA_SHARDS` (4), chosen once for the life of a deployment.",
        "",
        "Consumer groups are `<prefix><role>` for intake, engine and delivery. Projector and simulator belong to no group. Faust's own topics"
        " (`<prefix>insights-…`) are made by `duokua run insights` and left alone by `topics diff`.",
    ]
    return "\n".join(lines) + "\n"


def _topic_row(kind: Kind) -> str:
    name = kind.name.replace("{}", MEMBERS.get(kind.name, ""))
    size = "13 MB" if kind.max_bytes == BIG else f"{kind.max_bytes >> 20} MB"
    cells = (f"`{name}`", _escaped(kind.key), str(kind.partitions), _kept(kind), size, kind.written_by, kind.read_by)
    return f"| {' | '.join(cells)} |"


def _kept(kind: Kind) -> str:
    if kind.compacted:
        return "latest per key"
    return "for ever" if kind.retention_ms == FOR_EVER else f"{kind.retention_ms // DAY} days"


# -- metrics -------------------------------------------------------------------------------------------


def metrics_page() -> str:
    """The whole of docs/metrics.md."""
    lines = [
        "# 指标 / Metrics",
        "",
        *_header("metrics"),
        "每个进程在 `DUOKUA_HTTP_HOST:DUOKUA_HTTP_PORT` 的 `/metrics` 提供 Prometheus 文本。标签只取封闭集合中的值，从不含工单、个人或县级以下地点。",
        "",
        "Each process serves Prometheus text on `/metrics` at `DUOKUA_HTTP_HOST:DUOKUA_HTTP_PORT`. Labels come from closed sets: never a case, a person or a place below a county.",
        "",
        "| name | kind | labels | role | what |",
        "|---|---|---|---|---|",
        *(_metric_row(constant, metric) for constant, metric in _declared()),
        "",
        "–: declared, and not measured by any role yet. `duokua_build_info{role, version}` and the usual `process_*` and `python_*` metrics are there as well.",
    ]
    return "\n".join(lines) + "\n"


def _declared() -> list[tuple[str, MetricWrapperBase]]:
    found = [(name, metric) for name, metric in vars(metrics).items() if isinstance(metric, MetricWrapperBase)]
    return sorted(found, key=lambda named: named[1]._name)


def _metric_row(constant: str, metric: MetricWrapperBase) -> str:
    described = next(iter(metric.describe()))
    name = f"`{described.name}{SUFFIX[type(metric)]}`"
    roles = ", ".join(_roles(constant)) or "–"
    cells = (name, described.type, ", ".join(metric._labelnames), roles, _escaped(described.documentation))
    return f"| {' | '.join(cells)} |"


def _roles(constant: str) -> list[str]:
    """The roles whose source names the metric."""
    return sorted(role for role, named in _named() if constant in named)


@cache
def _named() -> list[tuple[str, set[str]]]:
    """The metrics that each folder's sources name."""
    return [
        (folder.name, set(re.findall(r"\bmetrics\.(\w+)", "".join(f.read_text("utf-8") for f in folder.glob("*.py")))))
        for folder in ROUTER.iterdir()
        if folder.is_dir()
    ]


def _escaped(text: str) -> str:
    return re.sub(r"([|<>])", r"\\\1", text)


PAGES: Mapping[str, Callable[[], str]] = {"topics": topics_page, "metrics": metrics_page}

if __name__ == "__main__":
    sys.stdout.write(PAGES[sys.argv[1]]())
