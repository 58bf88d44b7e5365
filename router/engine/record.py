"""
What a shard keeps of itself: the key `_shard` of `case.state`, written last in each of its transactions.
"""

from datetime import UTC, datetime
from functools import lru_cache

from msgspec import Struct

from adapters.clock import BEIJING

HOUR_MS = 3600 * 1000


class ShardRecord(Struct, kw_only=True, omit_defaults=True):
    """
    The key `_shard` of `case.state`: what the shard is, as of its last transaction (design D5).

    input: the next offset of `case.commands`. now: the last business time used, so that time never runs back.
    day, serial: the running part of the case numbers of that day. seen, letters, row: router/engine/limits.py.
    calendars, sweep, swept, left: router/engine/sweep.py.
    """

    format: int = 1
    log: str
    shards: int
    input: int = 0
    now: int = 0
    catalogue: int = 0
    catalogue_hash: str = ""
    day: str = ""
    serial: int = 0
    seen: int = 0
    letters: int = 0
    row: int = 0
    calendars: str = ""
    sweep: str = ""
    swept: str = ""
    left: int = 0


def next_serial(shard: ShardRecord, partition: int, now: int) -> str:
    """Shard and running number of the day: unique over the deployment without asking anybody."""
    day = _day(now // HOUR_MS)
    if day != shard.day:
        shard.day, shard.serial = day, 0
    shard.serial += 1
    return f"{partition:02d}{shard.serial:05d}"


@lru_cache(4)
def _day(hour: int) -> str:
    """yymmdd in Beijing; days there begin on a full hour."""
    return datetime.fromtimestamp(hour * HOUR_MS / 1000, UTC).astimezone(BEIJING).strftime("%y%m%d")
