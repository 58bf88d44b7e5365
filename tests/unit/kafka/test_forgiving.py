"""What a sender may write and no reader stops at: header names that are not UTF-8, batches that unpack to too much."""

import cramjam
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from adapters.kafka.forgiving import UNPACKED_BYTES, ForgivingRecords, Withheld, _Kept

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


CODECS = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
each_codec = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)


def packed(base: int, values: list[bytes], codec: int) -> bytes:
    """One compressed batch with these values at the offsets from `base` on."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 30)
    for index, value in enumerate(values):
        builder.append(index, timestamp=5, key=None, value=value, headers=[])
    raw = bytearray(builder.build())
    raw[:8] = base.to_bytes(8)
    return bytes(raw)


def fetched(raw: bytes, start: int = 0) -> ForgivingRecords:
    return ForgivingRecords(TP, _Kept(raw), [], start, None, None, False, "read_committed")


@each_codec
def test_a_batch_that_unpacks_to_too_much_is_withheld(codec: int) -> None:
    """One record stands in its place, at its last offset; its neighbours are read, and reading goes on behind it."""
    bomb = packed(1, [b"x" * (UNPACKED_BYTES // 4)] * 5, codec)
    records = fetched(packed(0, [b"a"], codec) + bomb + packed(6, [b"b", b"c"], codec))

    read = [(r.offset, r.value) for r in records]

    assert read == [(0, b"a"), (5, b""), (6, b"b"), (7, b"c")]
    assert records.next_fetch_offset == 8


@each_codec
def test_who_begins_within_a_withheld_batch_meets_it_once(codec: int) -> None:
    """The record that stands for it says where it began, and where reading went on it does not come again."""
    bomb = packed(10, [b"x" * (UNPACKED_BYTES // 4)] * 5, codec)

    (met,) = fetched(bomb, 12)

    assert isinstance(met.value, Withheld)
    assert (met.value.first, met.offset) == (10, 14)
    assert [r.offset for r in fetched(bomb + packed(15, [b"n"], codec), 15)] == [15]


@each_codec
def test_many_batches_below_the_limit_come_in_portions(codec: int) -> None:
    """What one fetch gives out is bounded too; the position stays behind it, and nothing is lost between portions."""
    batches = [packed(n, [bytes([n]) * (UNPACKED_BYTES // 3)], codec) for n in range(8)]
    offsets: list[int] = []
    position, portions = 0, 0
    while position < 8:
        records = fetched(b"".join(batches[position:]), position)
        portion = [r.offset for r in records]
        assert 0 < len(portion) <= 4
        offsets, position, portions = offsets + portion, records.next_fetch_offset, portions + 1

    assert offsets == list(range(8))
    assert portions > 1


def test_snappy_in_the_blocks_of_java_is_bounded_too() -> None:
    """Java writes snappy in blocks, each with its own length."""
    block = bytes(cramjam.snappy.compress_raw(b"\0" * (1 << 20)))
    raw = bytearray(packed(0, [b"a"], 2))
    body = b"\x82SNAPPY\x00" + (1).to_bytes(4) * 2 + (len(block).to_bytes(4) + block) * 40
    raw = raw[:61] + body
    raw[8:12] = (len(raw) - 12).to_bytes(4)

    (met,) = fetched(bytes(raw))

    assert isinstance(met.value, Withheld)


@each_codec
def test_damage_is_no_bomb(codec: int) -> None:
    """What cannot be unpacked at all was damaged on the way: that is never passed over."""
    raw = bytearray(packed(0, [b"abc" * 500], codec))
    raw[70:] = b"\xff" * (len(raw) - 70)
    with pytest.raises(CorruptRecordException):
        list(fetched(bytes(raw)))


@each_codec
def test_a_broken_name_behind_a_bomb_is_read(codec: int) -> None:
    """Both at once: the lenient parser unpacks no more than the other."""
    bomb = packed(0, [b"x" * (UNPACKED_BYTES // 4)] * 5, codec)
    assert [r.offset for r in fetched(bomb + batch(5, ["a", "broken"]))] == [4, 5, 6]
