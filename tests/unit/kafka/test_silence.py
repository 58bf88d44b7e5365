"""A broker that takes a connection and says nothing: whoever writes is told so, and does not wait for ever."""

import asyncio
from typing import Any

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder

from adapters.kafka import writing
from adapters.kafka.writing import RecordRefused, Writer


class Silent:
    """In the place of aiokafka's producer and of its client: nothing that it is asked ever comes back."""

    client = cluster = property(lambda self: self)

    def partitions_for_topic(self, topic: str) -> None:
        return None

    def add_topic(self, topic: str) -> None:
        pass

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(1000, 0)

    async def force_metadata_update(self, *about: Any) -> Any:
        await asyncio.Event().wait()

    partitions_for = force_metadata_update


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Writer:
    monkeypatch.setattr(writing, "ANSWER_SECONDS", 0.001)
    return Writer(Silent())


async def test_what_was_written_and_never_answered_is_refused(writer: Writer) -> None:
    """So nothing that it came from is committed."""
    writer.add("t", 0, b"k", b"v")
    with pytest.raises(RecordRefused):
        await writer.flush()


async def test_whether_a_topic_is_there_is_not_waited_for_for_ever(writer: Writer) -> None:
    """Nobody knows, which is not the same as that it is not there."""
    with pytest.raises(RecordRefused):
        await writer.missing(["t"])
