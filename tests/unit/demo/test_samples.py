"""Invariant: every sample that is meant to be good is taken by intake, and every broken one gets the code it is broken for."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from adapters.channels.simulated import FALLBACK_CHANNEL, Sample, Sent, read_lines, read_samples, resolved, send
from router.catalogue.catalogue import Catalogue
from router.intake.translate import Accepted, Known, Rejected, translate
from schemas.registry import REQUEST_SUBMITTED
from schemas.times import parse
from tests.unit.catalogue.shandong import shandong

CHECKOUT = Path(__file__).resolve().parents[3]
NOW = parse("2026-09-18T09:00:00+08:00") or 0
SAMPLES = read_samples(CHECKOUT / "examples" / "requests")
REQUESTS = [s for s in SAMPLES if s.event and s.event["type"] == REQUEST_SUBMITTED]
HEZE = {"help": 55.97, "consult": 22.05, "report": 8.74, "complaint": 6.92}
"""Shares of kinds in Heze, first half of 2023, in percent."""
ONE_THINGS = {"enterprise-start", "newborn", "after-death"}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return shandong()


def taken(sample: Sample, catalogue: Catalogue) -> Accepted | Rejected:
    sent: Sent = send(sample, NOW)
    record = SimpleNamespace(
        topic=f"duokua.intake.{sent.channel}",
        partition=0,
        offset=0,
        key=sent.key,
        value=sent.value,
        headers=sent.headers,
    )
    return translate(record, Known(directory=catalogue, prefix="duokua.", shards=4, secret=b"test"), NOW)


def test_good_samples_are_taken_and_broken_ones_get_their_code(catalogue: Catalogue) -> None:
    wrong = []
    for sample in SAMPLES:
        became = taken(sample, catalogue)
        code = became.fault.code if isinstance(became, Rejected) else ""
        if code != sample.expect:
            wrong.append((sample.channel, sample.ref, sample.expect, code))
    assert not wrong


def test_every_kind_of_bad_input_is_there() -> None:
    broken = {sample.expect for sample in SAMPLES if sample.expect}
    assert broken >= {
        "not_json", "not_utf8", "wrong_specversion", "unknown_type", "bad_value", "unknown_channel", "unknown_region", "time_ahead",
        "too_large", "too_deep", "duplicate_key", "tombstone", "unknown_field",
    }  # fmt: skip


def test_every_channel_of_the_catalogue_has_at_least_ten_requests(catalogue: Catalogue) -> None:
    per_channel = Counter(sample.channel for sample in REQUESTS)
    assert {channel: per_channel[channel] for channel in catalogue.channels if per_channel[channel] < 10} == {}
    assert per_channel.most_common(1)[0][0] == "hotline_12345"


def test_the_requests_are_many_and_none_reads_like_another() -> None:
    bodies = [sample.event["data"] for sample in REQUESTS if sample.event]
    refs = Counter(sample.ref for sample in REQUESTS)
    assert len(refs) >= 300
    assert len({body["text"] for body in bodies}) >= 300
    assert sum("direct_answer" in body for body in bodies) >= 90
    assert {body["one_thing"]["package"] for body in bodies if "one_thing" in body} == ONE_THINGS


def test_the_kinds_come_in_hezes_shares() -> None:
    kinds = Counter(sample.event["data"]["appeal_kind"] for sample in REQUESTS if sample.event)
    for kind, percent in HEZE.items():
        assert abs(100 * kinds[kind] / len(REQUESTS) - percent) < 4, kind


def test_nobody_in_the_samples_could_be_real() -> None:
    """Phones and identity numbers are of a form that no county and no operator gives out."""
    for sample in REQUESTS:
        assert sample.event is not None
        data = sample.event["data"]
        for party in (data.get("applicant", {}), *data.get("co_applicants", ())):
            assert party.get("phone", "13800000000")[3:7] == "0000"
            number = party.get("id_number", "370000")
            assert number.startswith("370000") or "0000" in number


def test_relative_times_become_times_before_now() -> None:
    event = resolved(
        {"id": "1", "time": "-0s", "data": {"occurred_at": "-2d", "received_at": "2026-09-17T10:00:00+08:00"}}, NOW
    )
    assert event["time"] == "2026-09-18T09:00:00+08:00"
    assert event["data"] == {"occurred_at": "2026-09-16T09:00:00+08:00", "received_at": "2026-09-17T10:00:00+08:00"}


def test_a_line_without_a_channel_of_ours_is_refused_by_intake_and_not_passed_over(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    lines = [b'{"source": "/channels/grid"}', b"", b'{"source": "/channels/nowhere"}', b"\xff{", b"[" * 5000, b"17"]
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b"\n".join(lines))
    samples = read_lines(path, list(catalogue.channels))
    assert [sample.raw for sample in samples] == [line for line in lines if line]
    assert [sample.channel for sample in samples] == ["grid", *[FALLBACK_CHANNEL] * 4]
    assert all(isinstance(taken(sample, catalogue), Rejected) for sample in samples)


def test_samples_are_published_in_an_order_in_which_answers_follow_what_they_answer() -> None:
    seen: set[tuple[str, str]] = set()
    for sample in SAMPLES:
        if sample.event and sample.event["type"] == REQUEST_SUBMITTED:
            seen.add((sample.channel, sample.ref))
        elif sample.event and "9999" not in str(sample.event["subject"]):
            assert (sample.channel, sample.event["subject"]) in seen
