"""A writer says that a topic does not exist only where a broker has said so."""

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.kafka import writing
from adapters.kafka.writing import RecordRefused, Writer


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "RETRY_SECONDS", 0.001)
    monkeypatch.setattr(writing, "ANSWER_SECONDS", 0.1)


def writer(answers: Iterable[bool]) -> Writer:
    """Of a client that knows the topic `a` and whose requests for more are answered, or not, like this; then hang."""
    told = iter(answers)

    async def update() -> bool:
        for answered in told:
            return answered
        await asyncio.Event().wait()
        return False

    cluster = SimpleNamespace(partitions_for_topic=lambda topic: {0} if topic == "a" else None)
    client = SimpleNamespace(cluster=cluster, add_topic=lambda topic: None, force_metadata_update=update)
    producer: Any = SimpleNamespace(client=client)
    return Writer(producer)


async def test_what_is_known_is_not_asked_for() -> None:
    """No request: it would hang."""
    assert await writer([]).missing(["a"]) == set()


async def test_no_answer_is_no_missing_topic() -> None:
    """While no broker can be asked it is asked again; what then is not there is missing."""
    assert await writer([False, False, True]).missing(["a", "b"]) == {"b"}


@pytest.mark.parametrize("answers", [[False] * 1000, []])
async def test_no_answer_for_long_is_told_as_that(answers: list[bool]) -> None:
    """As for whatever else nobody answers."""
    with pytest.raises(RecordRefused, match="TimeoutError"):
        await writer(answers).missing(["b"])
