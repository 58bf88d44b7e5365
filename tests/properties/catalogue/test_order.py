"""Rules that changed places: told where a request meets both, and only there; a folder that cannot be read says so."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.catalogue import load as loading
from router.catalogue.load import FolderUnreadable, from_files, read_folder
from router.catalogue.order import turned
from router.cli import main
from schemas.times import parse
from tests.unit.catalogue.small import small

NOW = parse("2026-09-18T09:00:00+08:00") or 0
WHEN = {
    "all": "{}",
    "east": "{place_under: ['370102']}",
    "zone": "{place_under: ['370171']}",
    "ask": "{kind: [consult]}",
}
MEETS = {frozenset(("all", other)) for other in WHEN} | {frozenset(("ask", place)) for place in ("east", "zone")}


def with_rules(*numbered: tuple[str, str, int]) -> Any:
    """Rules by id, condition and number, each with another outcome."""
    urgencies = ("normal", "urgent", "emergency")
    text = "".join(
        f"- {{id: {name}, number: {number}, name: n, when: {WHEN[when]}, then: {{route: [{{function: roads, part: lead}}], policy: plain}}, reason: '{name}'}}\n".replace(
            "policy: plain", f"urgency: {urgencies[1 + i % 2]}"
        )
        for i, (name, when, number) in enumerate(numbered)
    )
    return from_files(small() | {"rules/10.yaml": text.encode()})


def test_two_that_changed_places_are_told() -> None:
    before = with_rules(("a", "east", 1), ("b", "ask", 2))
    after = with_rules(("a", "east", 3), ("b", "ask", 2))
    (pair,) = turned(before, after, NOW).turned
    assert (pair.first, pair.second, pair.sure) == ("b", "a", True)
    assert not turned(before, before, NOW).turned


def test_two_that_never_meet_are_not() -> None:
    before, after = (with_rules(("a", "east", one), ("b", "zone", 2)) for one in (1, 3))
    assert not turned(before, after, NOW).turned


CONDITIONS = st.sampled_from(["east", "zone", "ask"])


@settings(max_examples=8, deadline=None)
@given(st.lists(CONDITIONS, min_size=2, max_size=4), st.permutations(range(1, 5)))
def test_what_is_told_is_every_pair_that_turned_and_meets(conditions: list[str], order: list[int]) -> None:
    """By hand: the conditions that can hold together, the outcomes that differ, the numbers on both sides."""
    names = [f"r{i}" for i in range(len(conditions))]
    was = dict(zip(names, range(1, 5), strict=False))
    now = dict(zip(names, order, strict=False))
    before, after = (
        with_rules(*((name, when, side[name]) for name, when in zip(names, conditions, strict=True)))
        for side in (was, now)
    )
    expected = {
        (one, other)
        for i, one in enumerate(names)
        for j, other in enumerate(names)
        if was[one] > was[other] and now[one] < now[other] and i % 2 != j % 2
        and (conditions[i] == conditions[j] or frozenset((conditions[i], conditions[j])) in MEETS)
    }  # fmt: skip
    assert {(pair.first, pair.second) for pair in turned(before, after, NOW).turned} == expected


def test_a_file_that_cannot_be_read_is_not_taken_for_a_missing_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither a file nor a folder is passed over: the catalogue without it would be another one."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text("[]")

    def denied(place: Any) -> Any:
        raise PermissionError(errno.EACCES, "denied", str(place))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", denied)
        with pytest.raises(FolderUnreadable, match=r"a\.yaml"):
            read_folder(tmp_path)
        patched.setattr("sys.argv", ["duokua", "rules", "diff", str(tmp_path), str(tmp_path)])
        with pytest.raises(SystemExit) as ended:
            main.run()
    assert ended.value.code == 2 and "a.yaml" in capsys.readouterr().err
    scan = os.scandir
    monkeypatch.setattr(
        loading.os, "scandir", lambda place: denied(place) if str(place).endswith("rules") else scan(place)
    )
    with pytest.raises(FolderUnreadable, match="rules"):
        read_folder(tmp_path)
