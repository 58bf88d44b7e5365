"""Why a role will not go on is told in a sentence, in both languages, with exit code 1 and no traceback."""

import errno
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from router.catalogue.findings import CatalogueFaulty
from router.catalogue.named import UnknownCatalogue
from router.catalogue.pack import VersionUnusable
from router.engine.ledger import ForeignLog
from router.engine.limits import TooManyDeadLetters
from router.engine.store import NewerFormat
from router.intake.role import ShardsDiffer
from router.operate.packages import PackagesMixed
from router.operate.refusals import BY_TYPE, SENTENCES, Refused, sentence

REFUSALS = [
    (ForeignLog("shards_differ", wanted=3, there=4), "shards_differ"),
    (ForeignLog("shards_changed", wanted=3, there=4), "shards_changed"),
    (ForeignLog("state_gone", shard=2), "state_gone"),
    (ForeignLog("state_foreign"), "state_foreign"),
    (ForeignLog("state_newer"), "state_newer"),
    (ShardsDiffer("no_commands_topic"), "no_commands_topic"),
    (NewerFormat(9), "state_newer"),
    (VersionUnusable("catalogue 3: the hash does not fit"), "catalogue_unusable"),
    (CatalogueFaulty([]), "catalogue_faulty"),
    (TooManyDeadLetters(1, 20, 100, 5), "too_many_dead_letters"),
    (PackagesMixed("x"), "packages_mixed"),
    (UnknownCatalogue("lamps"), "no_such_catalogue"),
    (Refused("no_events_topic"), "no_events_topic"),
    (Refused("no_shadow"), "no_shadow"),
    (OSError(errno.EADDRINUSE, "in use"), "port_taken"),
]


@pytest.mark.parametrize(("error", "code"), REFUSALS)
def test_every_refusal_has_a_sentence(error: Exception, code: str) -> None:
    """Complete in both languages, with its figures in it."""
    told = sentence(error)

    assert told is not None
    assert told.code == code
    assert "{" not in told.zh + told.en
    assert not re.search(r"[\u4e00-\u9fff]", told.en)
    for fact in getattr(error, "facts", {}).values():
        assert str(fact) in told.zh


def test_the_table_is_whole() -> None:
    """Every class named is one that is raised, and every sentence is one that somebody says."""
    raised = {type(error).__name__ for error, _ in REFUSALS} | {"KafkaConnectionError"}
    assert set(BY_TYPE) <= raised
    assert set(SENTENCES) == {code for _, code in REFUSALS} | {"not_reachable"}


def test_what_is_no_refusal_is_a_failure() -> None:
    assert sentence(ValueError("张三")) is None
    assert sentence(OSError(errno.ENOSPC, "full")) is None


def role(state: Path, **env: str) -> tuple[int, dict[str, str], str]:
    """Run delivery; its exit code, its last word in the log, and all that it said."""
    ran = subprocess.run(
        [sys.executable, "-m", "router.cli.main", "run", "delivery"],
        env=os.environ | {"DUOKUA_LOG_FORMAT": "json", "DUOKUA_STATE_DIR": str(state)} | env,
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    lines = [json.loads(line) for line in ran.stderr.splitlines() if line.startswith("{")]
    return ran.returncode, lines[-1], ran.stderr


def test_a_broker_that_is_not_there_is_told(tmp_path: Path) -> None:
    """One line with what to check; the supervisor starts it again."""
    code, last, said = role(tmp_path, DUOKUA_BOOTSTRAP="127.0.0.1:1")

    assert (code, last["event"], last["code"]) == (1, "role.refused", "not_reachable")
    assert "DUOKUA_BOOTSTRAP" in last["said"]
    assert "Traceback" not in said


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    """Two roles with the same port: the second says so."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, last, _ = role(tmp_path, DUOKUA_HTTP_PORT=str(taken.getsockname()[1]))

    assert (code, last["code"]) == (1, "port_taken")


def test_when_one_role_ends_the_others_end_with_it(tmp_path: Path) -> None:
    """`run all` restarts nothing: it ends with the code of the first, so that its supervisor starts all anew."""
    env = {"DUOKUA_BOOTSTRAP": "127.0.0.1:1", "DUOKUA_LOG_FORMAT": "json", "DUOKUA_STATE_DIR": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-m", "router.cli.main", "run", "all"],
        env=os.environ | env, stderr=subprocess.PIPE, text=True, timeout=300, check=False,
    )  # fmt: skip

    assert ran.returncode == 1
