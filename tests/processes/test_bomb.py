"""A batch that unpacks to half a gigabyte does not take the memory of who reads it."""

import subprocess
import sys

import pytest

READER = """
import resource, sys
import cramjam
from aiokafka import TopicPartition
from adapters.kafka.forgiving import UNPACKED_BYTES, ForgivingRecords, _HEADER, _Kept

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10

codec = sys.argv[1]
zeros = bytes(1 << 20)
if codec == "snappy":
    block = bytes(cramjam.snappy.compress_raw(zeros))
    body = b"\\x82SNAPPY\\x00" + (1).to_bytes(4) * 2 + (len(block).to_bytes(4) + block) * 512
else:
    whole = getattr(cramjam, codec).Compressor()
    for _ in range(512):
        whole.compress(zeros)
    body = bytes(whole.finish())
number = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}[codec]
bomb = _HEADER.pack(0, _HEADER.size - 12 + len(body), 0, 2, 0, number, 0, 5, 5, -1, -1, -1, 1) + body

before = peak()
(met,) = ForgivingRecords(TopicPartition("t", 0), _Kept(bomb), [], 0, None, None, False, "read_committed")
print(len(met.value), (peak() - before) // UNPACKED_BYTES)
"""


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_a_bomb_takes_no_memory(codec: str) -> None:
    """It is given up at the limit, and the process does not grow by more than that and what it was packed in."""
    ran = subprocess.run([sys.executable, "-c", READER, codec], capture_output=True, text=True, check=True)

    length, limits = map(int, ran.stdout.split())
    assert (length, limits <= 2) == (0, True)
