"""`duokua dead-letters` without a broker: wrong arguments are told with exit code 2, no broker with 3."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from msgspec import Raw
from typer.testing import CliRunner

from adapters.kafka.log import OutcomeUnknown, RecordRefused
from adapters.kafka.memory import MemoryLog
from router.cli import dead_letters
from router.cli.dead_letters import TEXTS, Voice, app
from router.operate.dead_letters import _letter
from router.operate.topics import Topics
from workflows.answers import not_adopted
from workflows.commands import Adopt

NOWHERE = {"DUOKUA_BOOTSTRAP": "127.0.0.1:1", "DUOKUA_LANG": "zh"}
PERSON = ("--actor", "w", "--reason", "r")


@pytest.mark.parametrize(
    "words",
    [
        ("retry", "engine/0/1"),
        ("retry", "engine/0/1", "--actor", "w"),
        ("retry", "engine/0/1", "--actor", " ", "--reason", "r"),
        ("retry", *PERSON),
        ("discard", "--since", "2h", *PERSON),
        ("retry", "engine/0/1", "--yes", "--dry-run", *PERSON),
        ("retry", "engine/0/1", "--rate", "0", *PERSON),
        ("list", "--stage", "nowhere"),
        ("list", "--since", "yesterday"),
        ("list", "--since", "2026-09-18T09:00"),
        ("show",),
        ("nothing",),
    ],
)
def test_wrong_arguments_are_told(words: tuple[str, ...]) -> None:
    """Before anything is connected to."""
    ran = CliRunner().invoke(app, list(words), env=NOWHERE)
    assert (ran.exit_code, ran.stdout) == (2, "")


@pytest.mark.parametrize("words", [("list",), ("show", "engine/0/1"), ("retry", "engine/0/1", "--yes", *PERSON)])
def test_no_broker_is_told(words: tuple[str, ...]) -> None:
    """In one sentence on stderr, nothing on stdout."""
    ran = CliRunner().invoke(app, [*words, "--json"], env=NOWHERE)
    assert (ran.exit_code, ran.stdout, "127.0.0.1:1" in ran.stderr) == (3, "", True)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RecordRefused("MessageSizeTooLargeError", "tasks.desk"), "tasks.desk"),
        (OutcomeUnknown("RequestTimedOutError"), "not known"),
    ],
)
def test_what_kafka_did_not_take_is_no_broker_that_is_away(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Said as what it is, with exit code 1: to wait for Kafka would help nobody."""
    log = MemoryLog()
    log.names = {spec.name: spec.partitions for spec in Topics("duokua.", 4).specs([], [])}
    monkeypatch.setattr(dead_letters, "KafkaLog", lambda bootstrap: log)

    async def fails(broker: Any, topics: Topics) -> None:
        raise error

    with pytest.raises(typer.Exit) as ended:
        dead_letters._run(Voice("en", True), fails)
    told = capsys.readouterr().err
    assert (ended.value.exit_code, said in told, "not reachable" in told) == (1, True, False)


def test_both_languages_say_the_same_things() -> None:
    """The same texts with the same facts in them."""
    zh, en = TEXTS["zh"], TEXTS["en"]
    assert zh.keys() == en.keys()
    assert all(("{" in zh[name]) == ("{" in en[name]) for name in zh), json.dumps(sorted(zh))


def test_of_a_case_that_was_not_taken_over_the_line_is_named() -> None:
    """By channel and id, as nobody has sent it: there is no record to look at. Why is told in words."""
    command = Adopt(
        id="c1", case="6f1c", at=1, channel="phone", ref="old-2", request=Raw(b"{}"), digest="d", received_at=1,
        number="JN2", by="张工", why="上线",
    )  # fmt: skip
    (said,) = not_adopted(command, "not_open")
    record = SimpleNamespace(headers=[], value=bytes(said.data), key=b"6f1c", partition=0, offset=3, timestamp=0)
    letter = _letter("engine", record, Topics("duokua.", 4))
    line = dead_letters._line(Voice("en", False), letter)
    assert line.startswith("engine/0/3 ")
    assert line.endswith("only open ones are taken over  6f1c  phone:old-2")
    facts = dead_letters._facts(letter)
    assert (facts["input"], facts.get("original")) == ("phone:old-2", None)
