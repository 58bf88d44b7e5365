"""
The job of the engine's hop as far as a stream processor does it of itself: a command becomes one task.

What each peer adds with the means of its library: a store that knows the case already or not, a store of due times
(key `DUE` + case), both with changelogs. No rules, no clocks, no states of a case. The same in KafkaStreamsHop.java.
"""

import zlib

import orjson

DUE = b"2026-12-01T00:00:00Z"


def task(command: bytes) -> bytes:
    """The task that a Submit (JSON) leads to."""
    submit = orjson.loads(command)
    request = submit["request"]
    department = zlib.crc32(request["appeal_category"].encode()) % 200
    return orjson.dumps({"case": submit["case"], "dept": f"dept-{department}", "due": DUE.decode(), "data": request})
