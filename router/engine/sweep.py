"""
The sweep: a calendar was published anew, and the shard goes through all its cases to have their clocks count by it.

A case is re-based before anything else is decided about it (router/engine/batch.py), so nothing waits for the sweep and no
deadline fires by the old calendar meanwhile; the sweep sees to those of which nothing is heard. It goes by the order of
keys, a page with each batch, beside commands and deadlines and in the same transaction.

How far it is stands in the shard's own record: `calendars` is the word (workflows.facts.Facts.calendars) by which every
running clock is known to count, and empty while that is not so; `sweep` is the word that is being swept for, `swept` the
last case done, `left` how many failed. A crash or a take-over goes on there; a version that says another word, be it an
older one again, begins from the first case. New cases start on the calendar in force and need no sweep.
"""

import structlog

from adapters.clock import Clock
from router.engine.batch import POSTPONED_MS
from router.engine.record import ShardRecord
from router.engine.store import Store
from router.operate import metrics
from workflows.facts import Facts

log = structlog.get_logger()

PAGE = 200
COMMIT_PAGES = 10
"""Pages in which nothing was re-based, after which the place is committed all the same."""
AT_ONCE = PAGE * (COMMIT_PAGES + 1)
"""Cases that may have been in hand when a process died."""
TELL_SECONDS = 5.0


class Sweep:
    """Of one shard, as long as it is held. `look` at the facts in force, then `page` after `page`, each case `seen`."""

    def __init__(self, shard: int, record: ShardRecord, clock: Clock) -> None:
        self._shard, self._record, self._clock = shard, record, clock
        self._fresh = False
        self._again_at = 0
        self._told = clock.monotonic()
        self._pages = 0
        self._share = metrics.REBASE_SHARE.labels(str(shard))
        self._left = metrics.NOT_REBASED.labels(str(shard))

    def look(self, facts: Facts) -> None:
        """These are in force from here on."""
        record, word = self._record, facts.calendars
        self._share.set(record.calendars == word)
        if record.calendars == word:
            return
        record.calendars = ""
        if record.sweep != word:
            record.sweep, record.swept, record.left = word, "", 0
            self._fresh, self._again_at = True, 0
            log.info("sweep.begun", shard=self._shard)

    def turn(self) -> bool:
        """Another batch begins; whether the cases that it comes upon are to be looked at."""
        self._fresh = False
        return self.is_due

    @property
    def is_due(self) -> bool:
        """Whether there may be clocks that count by a calendar no longer in force."""
        return not self._record.calendars

    def goes_on(self, now: int) -> bool:
        """
        Whether there is something to do at once. Not in the batch in which the order came: the cases that the same batch
        opened before it are not in the store yet. And what failed is not tried again before its time.
        """
        return self.is_due and not self._fresh and now >= self._again_at

    @property
    def asks(self) -> bool:
        """Whether a transaction is worth while only to keep the place."""
        return self._pages >= COMMIT_PAGES

    def committed(self) -> None:
        self._pages = 0

    def page(self, store: Store, now: int) -> list[tuple[bytes, bytes]]:
        """The next cases with their state values; after the last of them the sweep is over, or waits to begin again."""
        found = store.after(self._record.swept.encode(), PAGE)
        if found:
            self._pages += 1
            self._tell()
        else:
            self._end(now)
        return found

    def seen(self, case: bytes, *, rebased: bool) -> None:
        """This one is done with. `rebased`: its clocks count by the calendars in force, or it has none."""
        self._record.swept = case.decode()
        self._record.left += not rebased

    def _tell(self) -> None:
        if self._clock.monotonic() - self._told > TELL_SECONDS:
            self._told = self._clock.monotonic()
            share = _share(self._record.swept)
            self._share.set(share)
            log.info("sweep.going_on", shard=self._shard, share=round(share, 3))

    def _end(self, now: int) -> None:
        record = self._record
        self._left.set(record.left)
        if record.left:
            log.error("sweep.incomplete", shard=self._shard, count=record.left)
            record.swept, record.left, self._again_at = "", 0, now + POSTPONED_MS
        else:
            self._share.set(1)
            log.info("sweep.ended", shard=self._shard)
            record.calendars, record.sweep, record.swept = record.sweep, "", ""


def _share(case: str) -> float:
    """Case ids are hashes, so their order is a measure."""
    try:
        return int(case[:8], 16) / (1 << 32)
    except ValueError:
        return 0.0
