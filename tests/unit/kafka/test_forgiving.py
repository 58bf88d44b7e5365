"""A header name that is not UTF-8 stops nobody: its record is read, with the bytes replaced, and so are the others."""

import pytest
from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from adapters.kafka.forgiving import ForgivingRecords, _Kept

TP = TopicPartition("t", 0)


def batch(base: int, names: list[str], compression: int = 0) -> bytes:
    """One batch with a record per header name, at the offsets from `base` on."""
    builder = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, -1, 100_000)
    for index, name in enumerate(names):
        builder.append(
            index, timestamp=5, key=b"k%d" % index, value=b"v%d" % index, headers=[(name, b"x"), ("ok", None)]
        )
    raw = bytearray(builder.build())
    raw[:8] = base.to_bytes(8)
    return bytes(raw).replace(b"broken", b"\xff\xfe\xfd\xfc\xfb\xfa")


def read(raw: bytes, start: int = 0) -> list[tuple[int, bytes, str]]:
    records = ForgivingRecords(TP, _Kept(raw), [], start, None, None, False, "read_committed")
    return [(record.offset, record.value, record.headers[0][0]) for record in records]


def test_the_record_and_its_neighbours_are_read() -> None:
    """Nothing is lost, doubled or reordered, before, in and after the batch with the broken name."""
    raw = batch(0, ["a"]) + batch(1, ["b", "broken", "c", "broken"]) + batch(5, ["d"])
    replaced = "�" * 6
    assert read(raw) == [
        (0, b"v0", "a"),
        (1, b"v0", "b"),
        (2, b"v1", replaced),
        (3, b"v2", "c"),
        (4, b"v3", replaced),
        (5, b"v0", "d"),
    ]


def test_reading_may_begin_within_the_batch() -> None:
    """A fetch gives whole batches: what was read before is passed over."""
    assert [offset for offset, *_ in read(batch(0, ["a", "b", "broken", "c"]), 2)] == [2, 3]


def test_other_records_go_through_the_fast_parser() -> None:
    """Without such a name nothing is parsed in Python."""
    records = ForgivingRecords(TP, _Kept(batch(0, ["a", "b"])), [], 0, None, None, False, "read_committed")
    assert len(list(records)) == 2
    assert isinstance(records._records, _Kept)


def test_other_faults_stay_faults() -> None:
    """Only the decoding of names is forgiven."""
    with pytest.raises(Exception, match=r"."):
        read(batch(0, ["a"])[:-3] + b"\xff\xff\xff")
