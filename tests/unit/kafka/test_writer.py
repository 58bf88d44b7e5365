"""What a writer puts into its batches, without a broker."""

from types import SimpleNamespace
from typing import Any

from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from adapters.kafka.log import Writer

RECORDS = [(f"key-{n}".encode(), None if n % 7 == 3 else bytes(n)) for n in range(60)]


def writer() -> Writer:
    producer: Any = SimpleNamespace(create_batch=lambda: BatchBuilder(1000, 0, is_transactional=1))
    return Writer(producer)


def batches(of: Writer) -> list[list[Any]]:
    """The records of each batch, as a consumer reads them; a batch counts as many as it holds."""
    made = []
    for slot, batch in [*of._full, *of._open.items()]:
        assert slot == ("t", 3)
        read: Any = MemoryRecords(bytes(batch._build())).next_batch()
        assert read.validate_crc()
        made.append([(record.offset, record.key, record.value, tuple(record.headers)) for record in read])
        assert batch.record_count() == len(made[-1])
    return made


def test_many_at_once_are_what_one_after_the_other_are() -> None:
    one, many, mixed = writer(), writer(), writer()
    for key, value in RECORDS:
        one.add("t", 3, key, value)
    many.add_all("t", 3, RECORDS)
    mixed.add_all("t", 3, RECORDS[:25])
    for key, value in RECORDS[25:40]:
        mixed.add("t", 3, key, value)
    mixed.add_all("t", 3, RECORDS[40:])
    assert batches(many) == batches(mixed) == (expected := batches(one))
    assert len(expected) > 2


def test_a_record_larger_than_a_batch_has_one_of_its_own() -> None:
    large = writer()
    large.add_all("t", 3, [(b"a", b"small"), (b"b", bytes(3000)), (b"c", b"small")])
    assert [len(batch) for batch in batches(large)] == [1, 1, 1]


def test_none_at_all_begin_no_batch() -> None:
    nothing = writer()
    nothing.add_all("t", 3, [])
    assert not nothing._open
