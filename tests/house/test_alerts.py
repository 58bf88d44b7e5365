"""Every alert asks for metrics and labels that exist, says what is wrong in both languages, and the guide says what to do."""

import re
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
import yaml

from router.operate import metrics

ROOT = Path(__file__).resolve().parents[2]
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/alerts.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
METRICS: dict[str, Any] = {
    metric._name: metric for metric in vars(metrics).values() if isinstance(metric, prometheus_client.metrics.MetricWrapperBase)
}  # fmt: skip
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
SERIES = {
    f"{name}{suffix}": (*metric._labelnames, "le") for name, metric in METRICS.items() for suffix in SUFFIXES[metric._type]
}  # fmt: skip
FOREIGN = {"up", "process_start_time_seconds"}
"""What Prometheus and its client library bring."""
OF_A_TARGET = {"job", "instance"}
ENGINE = (
    "shards_owned", "firing_held", "dead_letters", "takeovers", "takeover_seconds", "commit_seconds", "batch_commands",
    "commands", "commands_behind", "transactions", "restored_records", "restore_behind_records", "lacks_room",
    "timer_lag_seconds", "catalogue_version",
)  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_asks_for_what_there_is(rule: dict[str, Any]) -> None:
    """A misspelt metric would never fire, in silence."""
    asked = set(re.findall(r"\b((?:duokua|process)_[a-z_]+|up)\b", rule["expr"]))
    assert asked
    assert asked <= set(SERIES) | FOREIGN
    for name, matchers in re.findall(r"\b([a-z_]+)\{([^}]*)\}", rule["expr"]):
        wanted = set(re.findall(r"([a-z_]+)\s*[=!]", matchers))
        assert wanted <= set(SERIES.get(name, ())) | OF_A_TARGET
    labels = {label for name in asked for label in SERIES.get(name, ())} | OF_A_TARGET
    assert set(re.findall(r"\$labels\.([a-z_]+)", rule["annotations"]["summary"])) <= labels


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_is_told_in_both_languages(rule: dict[str, Any]) -> None:
    zh, en = rule["annotations"]["summary"].split(" / ", 1)
    assert re.search(r"[\u4e00-\u9fff]", zh)
    assert not re.search(r"[\u4e00-\u9fff]", en)
    assert rule["labels"]["severity"] in ("warning", "critical")


@pytest.mark.parametrize("metric", ["duokua_cases_not_rebased", "duokua_rebase_share"])
def test_of_what_a_sweep_is_at_nothing_is_said_at_the_first_look(metric: str) -> None:
    """Who takes a shard over in the middle of it has seen but a moment: a window over that is as full as it can be."""
    for rule in (rule for rule in RULES if metric in rule["expr"]):
        assert "_over_time" not in rule["expr"]
        assert rule["for"]


def test_of_a_shard_that_went_to_another_process_nothing_is_said() -> None:
    """Else an alert that sums over processes would count it twice, and never end."""
    gauges = {m for m in METRICS.values() if m._type == "gauge" and m._labelnames == ("shard",)}
    assert gauges == set(metrics.OF_A_SHARD)


def test_the_guide_says_what_to_do() -> None:
    """About each metric that an alert asks for, and about each of the engine."""
    guide = (ROOT / "docs/howto/operate.md").read_text("utf-8")
    asked = {
        name for rule in RULES for name in re.findall(r"\bduokua_[a-z_]+", rule["expr"]) if name in SERIES
    }  # fmt: skip
    wanted = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in asked} | {f"duokua_{name}" for name in ENGINE}
    assert not [name for name in sorted(wanted) if name not in guide]


def test_prometheus_reads_the_rules() -> None:
    """The file is named by the configuration and mounted beside it."""
    assert yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text("utf-8"))["rule_files"] == ["alerts.yml"]
    assert "./deploy/alerts.yml:/etc/prometheus/alerts.yml:ro" in (ROOT / "docker-compose.yml").read_text("utf-8")
