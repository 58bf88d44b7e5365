"""
What a command costs among many open cases: CPU of the engine's part (decided, encoded, applied to the store; no broker).
"""

import gc
import random
import shutil
import statistics
import time
from itertools import islice
from pathlib import Path

from bench.open_cases import copies, requests, spread
from bench.processes import memory
from router.catalogue.catalogue import Catalogue
from router.engine.batch import Batch
from router.engine.record import ShardRecord
from router.engine.shard import COMMANDS_PER_BATCH
from router.engine.store import Store

MORNING = 1789693200000
"""2026-09-18T09:00+08:00, a working day: when the cases that are due at once were registered."""
TURN = 8000
"""Commands a turn: half of them new requests, half replies to open cases (fewer where there are not so many)."""
FEW = 10_000
"""Open cases of the store that others are compared with."""


def cost(catalogue: Catalogue, folder: Path, cases: int, seed: int) -> dict[str, float]:
    """
    µs of CPU a command among `cases` open cases, all threads: RocksDB's compactions are in it.

    The same commands go, batch by batch in turn, to a store with FEW cases, so that both see the same machine.
    """
    began = time.monotonic()
    stores = [_filled(catalogue, folder / f"cost-{n}-{of}", of) for n, of in enumerate((FEW, cases))]
    seconds = time.monotonic() - began
    work = [_work(catalogue, FEW, seed), _work(catalogue, cases, seed)]
    shards, facts = [ShardRecord(log="bench", shards=1) for _ in stores], catalogue.facts()
    spent: tuple[list[float], list[float]] = ([], [])
    gc.collect()
    gc.freeze()
    for n, pages in enumerate(zip(*work, strict=True)):
        for store, shard, page, times in zip(stores, shards, pages, spent, strict=True):
            before = time.process_time()
            batch = Batch(store, shard, 0)
            for key, value in page:
                batch.decide(key, value, "", facts, MORNING)
            store.apply(batch.changelog(), n + 2)
            times.append((time.process_time() - before) / len(page) * 1e6)
            assert not any(b"dead_letter" in value for _, value in batch.outbox), "a command was not taken"
    held = memory("self")["rss"]
    for store in stores:
        store.close()
    shutil.rmtree(folder / f"cost-1-{cases}")
    shutil.rmtree(folder / f"cost-0-{FEW}")
    few, many = map(statistics.median, spent)
    return {"us": many, "ratio": many / few, "worst_us": max(spent[1]), "load_s": seconds, "rss_mb": held}


def _filled(catalogue: Catalogue, folder: Path, cases: int) -> Store:
    """A store with so many open cases, and at rest."""
    store, many = Store(folder, "bench"), copies(spread(catalogue, MORNING), cases, 1)
    while page := list(islice(many, 2000)):
        store.load([record for one in page for record in one.records])
    for _ in store.loaded(1):
        pass
    _settle(store)
    return store


def _work(catalogue: Catalogue, cases: int, seed: int) -> list[list[tuple[bytes, bytes]]]:
    """Batches of commands, as the shard would read them."""
    rnd = random.Random(seed)
    chosen = set(rnd.sample(range(cases), min(cases, TURN // 2)))
    replies = [c for n, c in enumerate(copies(spread(catalogue, MORNING), cases, 1)) if n in chosen]
    new = requests(catalogue, MORNING, TURN - len(replies), 1, seed)
    mixed = [(c.case, c.sign(MORNING)) for c in replies] + [(r.case.encode(), r.command) for r in new]
    rnd.shuffle(mixed)
    return [mixed[n : n + COMMANDS_PER_BATCH] for n in range(0, TURN, COMMANDS_PER_BATCH)]


def _settle(store: Store) -> None:
    """Until RocksDB has nothing left to write or to compact."""
    db = store._table._db  # type: ignore[attr-defined]
    db.flush()
    while any(
        db.property_int_value(f"rocksdb.{name}")
        for name in ("num-running-compactions", "num-running-flushes", "compaction-pending")
    ):
        time.sleep(0.1)
