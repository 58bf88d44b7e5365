"""
The disk under the store: full, read-only, damaged, cut off in the middle. The log has everything, so nothing that is
wrong here may be served, lose anything, or end in a loop.
"""

import asyncio
import os
import random
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from prometheus_client import REGISTRY

from router.engine.role import Shards
from router.engine.store import SHARD_KEY, Store, body_of, state_value
from router.operate.settings import CHECKOUT
from router.operate.table import ROCKS, Damaged, DiskRefuses, Rocks, Table
from tests.memory.engine.house import DAY, START, House
from workflows import events
from workflows.case import Case, encode
from workflows.evolve import fold

MB = 1 << 20


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def case(n: int) -> bytes:
    return f"00000000-0000-0000-0000-{n:012d}".encode()


def filled(folder: Path, cases: int = 400) -> Store:
    """A store whose values lie in files, not only in memory and in the log of what was written last."""
    store = Store(folder, "log-1")
    rnd = random.Random(1)
    for n in range(0, cases, 100):
        page = [(case(k), state_value(k + 1, rnd.randbytes(900))) for k in range(n, n + 100)]
        store.apply([*page, (SHARD_KEY, b"s")], n + 100)
    store._table.flush()
    return store


def shard_folder(house: House) -> Path:
    return house.settings.state_dir / "engine" / "1" / "shard-0"


def flip(path: Path, begin: int = 0, step: int = 4096) -> None:
    """Bytes of a file are not what they were."""
    found = bytearray(path.read_bytes())
    for at in range(begin, len(found), step):
        found[at] ^= 0xFF
    path.write_bytes(found)


def restored() -> float:
    return REGISTRY.get_sample_value("duokua_restored_records_total") or 0.0


def replayed(house: House) -> dict[str, Case]:
    held: dict[str, Case] = {}
    for record in house.events():
        after = fold(held.get(record.case), record)
        if after is None:
            del held[record.case]
        else:
            held[record.case] = after
    return held


def is_what_the_events_say(house: House) -> None:
    """The changelog, and the store where it was left, have each case as a replay of the events has it."""
    store = Store(shard_folder(house), "memory")
    for name, held in replayed(house).items():
        assert body_of(house.state()[name.encode()]) == encode(held)
        assert store.state(name.encode()) == house.state()[name.encode()]
    store.close()


# -- damaged ------------------------------------------------------------------------------------


def test_a_damaged_value_is_never_handed_out_and_the_store_is_gone_when_closed(tmp_path: Path) -> None:
    """A flipped byte in a file, seen at a look-up: no value, and the next to open it begins anew."""
    filled(tmp_path / "s").close()
    for path in (tmp_path / "s").glob("*.sst"):
        flip(path, 100, 3000)
    store = Store(tmp_path / "s", "log-1")
    if store.origin == "kept":
        with pytest.raises(Damaged):
            all(store.state(case(n)) for n in range(400))
        store.close()
        store = Store(tmp_path / "s", "log-1")
    assert (store.origin != "kept", store.is_empty, store.due(10**9, 9)) == (True, True, [])
    store.close()


def test_damage_within_a_scan_does_not_look_like_its_end(tmp_path: Path) -> None:
    """Deadlines that cannot be read are not deadlines that there are none of."""
    filled(tmp_path / "s", 4000).close()
    for path in (tmp_path / "s").glob("*.sst"):
        flip(path, 100, 3000)
    store = Store(tmp_path / "s", "log-1")
    if store.origin == "kept":
        with pytest.raises(Damaged):
            store.due(10**9, 10_000)
    store.close()
    assert Store(tmp_path / "s", "log-1").is_empty


def test_a_file_that_is_missing_is_noticed(tmp_path: Path) -> None:
    """Somebody tidied up."""
    filled(tmp_path / "s").close()
    for path in (tmp_path / "s").glob("*.sst"):
        path.unlink()
    store = Store(tmp_path / "s", "log-1")
    assert (store.origin, store.is_empty) == ("unreadable (Damaged)", True)
    store.close()


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_bytes_are_flipped_the_state_is_what_the_events_say(house: House, seed: int) -> None:
    """In any file, at any place, also cut short: noticed or without effect, and the next take-over is whole again."""
    rnd = random.Random(seed)
    for n in range(12):
        house.submit(f"R{n}")
    await house.run(house.done)
    if seed % 2:
        store = Store(shard_folder(house), "memory")
        store._table.flush()
        store.close()
    files = [p for p in sorted(shard_folder(house).iterdir()) if p.name != "LOCK" and p.stat().st_size]
    for path in rnd.sample(files, rnd.randint(1, len(files))):
        data = bytearray(path.read_bytes())
        for _ in range(rnd.randint(1, 5)):
            data[rnd.randrange(len(data))] ^= 1 << rnd.randrange(8)
        path.write_bytes(data[: rnd.randint(0, len(data))] if rnd.random() < 0.3 else data)
    for n in range(12):
        house.submit(f"R{n}")  # again: each must be found
    house.clock.time = START + 20 * DAY
    await house.run(
        lambda: house.done() and any(isinstance(e, events.ClockOverdue) for r in house.events() for e in r.events)
    )

    assert sum(isinstance(e, events.CaseRegistered) for r in house.events() for e in r.events) == 12
    assert not [m for m in house.messages() if m.to.startswith("dead-letters")]
    is_what_the_events_say(house)


async def test_damage_found_while_serving_leads_to_a_rebuilt_store_and_no_dead_letter(house: House) -> None:
    """The command in hand is not to blame: it is decided once the state is whole."""
    first = house.submit("R1")
    await house.run(house.done)
    table = Broken(house, get=Damaged("Corruption"))
    house.disk = table
    house.submit("R1")
    await house.run(house.done)

    assert table.removed == 1
    assert [type(e).__name__ for e in house.events()[-1].events] == ["DuplicateReceived"]
    assert house.events()[-1].case == first
    assert not [m for m in house.messages() if m.to.startswith("dead-letters")]
    is_what_the_events_say(house)


class Broken(Rocks):
    """A disk on which one thing goes wrong once, when a case is looked up or when something is written."""

    def __init__(self, house: House, get: Exception | None = None, write: Exception | None = None) -> None:
        super().__init__()
        self.fails: dict[str, Exception | None] = {"get": get, "write": write}
        self.removed = 0

    def open(self, folder: Path) -> Table:
        return BrokenTable(super().open(folder), self.fails)

    def remove(self, folder: Path) -> None:
        self.removed += 1
        super().remove(folder)


class BrokenTable:
    def __init__(self, table: Table, fails: dict[str, Exception | None]) -> None:
        self._table, self._fails = table, fails
        self.keys_from, self.items_from = table.keys_from, table.items_from
        self.flush, self.close = table.flush, table.close

    def _fail(self, what: str) -> None:
        error, self._fails[what] = self._fails[what], None
        if error is not None:
            raise error

    def get(self, key: bytes) -> bytes | None:
        if key[:1] == b"c":
            self._fail("get")
        return self._table.get(key)

    def get_all(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.get(key) for key in keys]

    def write(self, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        self._fail("write")
        self._table.write(changes)


# -- full ---------------------------------------------------------------------------------------


class Small(Rocks):
    """A disk whose room is in the test's hand."""

    def __init__(self) -> None:
        super().__init__()
        self.room = 1 << 40

    def free(self, folder: Path) -> int:
        return self.room


async def comes(what: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not what():
            await asyncio.sleep(0)


def lacks_room() -> bool:
    return REGISTRY.get_sample_value("duokua_lacks_room", {"shard": "0"}) == 1


@pytest.mark.parametrize("when", ["while it serves", "at its take-over"])
async def test_on_a_full_disk_nothing_is_committed_and_it_goes_on_by_itself(
    house: House, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """While there is no room commands wait in the log; then they are decided, each once."""
    monkeypatch.setattr("router.engine.ledger.ROOM_SECONDS", 0.0)
    house.disk = small = Small()
    over: list[bool] = []
    house.submit("R1")
    if when == "at its take-over":
        await house.run(house.done)
        small.room = house.settings.state_free_mb * MB - 1
    running = asyncio.create_task(house.run(lambda: bool(over)))
    if when == "while it serves":
        await comes(house.done)
        small.room = house.settings.state_free_mb * MB - 1
    await comes(lacks_room)
    second = house.submit("R2")
    ends = {tp: len(records) for tp, records in house.log.records.items()}
    for _ in range(500):
        await asyncio.sleep(0)
    assert {tp: len(records) for tp, records in house.log.records.items()} == ends

    small.room += 1
    await comes(lambda: second in replayed(house) and house.done())
    over.append(True)
    await running
    assert (len(house.events()), lacks_room()) == (2, False)
    is_what_the_events_say(house)


def test_a_full_disk_is_what_a_role_waits_for(house: House) -> None:
    """`/readyz` says it."""

    class Waiting:
        serving, lacks_room = True, True

    owned = Shards(house.process, "memory")
    owned.progress.assigned()
    owned.shards = {house.input: Waiting()}  # type: ignore[dict-item]
    assert owned.waiting_for == "room on the disk"


async def test_a_write_that_the_disk_refuses_after_the_commit_loses_nothing(house: House) -> None:
    """What was committed and could not be kept is in the log: the store is kept, and the tail is read again."""
    house.submit("R1")
    await house.run(house.done)
    house.disk = full = Broken(house, write=DiskRefuses("No space left on device"))
    house.submit("R2")
    before = restored()
    await house.run(house.done)

    assert (full.removed, restored() > before) == (0, True)
    assert sum(isinstance(e, events.CaseRegistered) for r in house.events() for e in r.events) == 2
    is_what_the_events_say(house)


def test_a_disk_that_refuses_to_open_keeps_what_is_there(tmp_path: Path) -> None:
    """Read-only, not ours, too many files: no reason to throw a sound store away."""
    filled(tmp_path / "s").close()

    class ReadOnly(Rocks):
        def open(self, folder: Path) -> Table:
            raise DiskRefuses("Read-only file system")

    with pytest.raises(DiskRefuses):
        Store(tmp_path / "s", "log-1", disk=ReadOnly())
    store = Store(tmp_path / "s", "log-1")
    assert (store.origin, store.meta.changelog) == ("kept", 400)
    store.close()


FILL = """
import resource, sys
from pathlib import Path
from router.engine.store import SHARD_KEY, Store, state_value
from router.operate.table import DiskRefuses, Rocks
import random
resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20))
store, rnd, done = Store(Path(sys.argv[1]), "log-1", disk=Rocks(memory_mb=8)), random.Random(1), 0
try:
    while True:
        key = f"00000000-0000-0000-0000-{done:012d}".encode()
        store.apply([(key, state_value(done + 1, rnd.randbytes(20_000)))], done + 1)
        done += 1
except DiskRefuses:
    store.close()
    print(done)
"""


def test_the_machines_own_refusal_is_told_and_a_beginning_of_what_was_written_stands(tmp_path: Path) -> None:
    """A process that may not write files beyond 3 MB: RocksDB is refused by the kernel, as on a full disk."""
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FILL), str(tmp_path / "s")],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    done = int(ran.stdout)
    store = Store(tmp_path / "s", "log-1")
    assert done > 50
    kept = store.meta.changelog
    assert store.origin == "kept" and 0 < kept <= done
    assert store.due(10**9, 10**6) == [case(n) for n in range(kept)]
    assert all(store.state(case(n)) is not None for n in range(kept))
    store.close()


def test_room_is_asked_where_the_store_will_lie(tmp_path: Path) -> None:
    """Also before the folder is there."""
    assert ROCKS.free(tmp_path / "not" / "yet" / "there") > 0


# -- cut off in the middle, and found again -------------------------------------------------------


async def test_a_restart_in_place_reads_only_the_tail(house: House) -> None:
    """What the store has is not read again: nothing where nobody was there meanwhile, else what was committed since."""
    for n in range(30):
        house.submit(f"R{n}")
    await house.run(house.done)
    before = restored()
    house.submit("R30")
    await house.run(house.done)
    assert restored() == before

    kept = Store(shard_folder(house), "memory")
    kept.close()
    mine = house.process.settings
    house.process.settings = mine.model_copy(update={"instance": "another"})
    house.submit("R31")
    await house.run(house.done)
    end = len(house.log.records[TopicPartition(house.topics.state, 0)])
    house.process.settings = mine
    before = restored()
    house.submit("R32")
    await house.run(house.done)
    assert 0 < restored() - before == end - kept.meta.changelog


async def test_a_full_restore_that_is_cut_off_begins_anew(house: House) -> None:
    """Half a state is no state: nothing of it is served."""
    store = Store(shard_folder(house), "memory")
    store.load([(case(1), state_value(5, b"a")), (SHARD_KEY, b"s")])
    store._table.flush()
    store.close()
    again = Store(shard_folder(house), "memory")
    assert (again.origin, again.is_empty, again.state(case(1))) == ("empty", True, None)
    again.close()


async def test_expired_offsets_of_the_group_mean_the_place_that_the_state_names(house: House) -> None:
    """The broker forgets the offsets of a group that was away for a week; the state knows where it was."""
    house.submit("R1", offset=1)
    await house.run(house.done)
    house.log.committed.clear()
    house.submit("R1", offset=1)
    second = house.submit("R2")
    await house.run(lambda: second in replayed(house))

    assert [r.version for r in house.events()] == [1, 1]


# -- cut short ------------------------------------------------------------------------------------


BATCHES = 120


def written(seed: int) -> Iterator[list[tuple[bytes, bytes | None]]]:
    """Batch after batch; each touches cases that the one before touched too."""
    rnd = random.Random(seed)
    for n in range(BATCHES):
        yield [*((case(k), state_value(n + 1, rnd.randbytes(900))) for k in range(n, n + 20)), (SHARD_KEY, b"s")]


def write_and_die(folder: str, seed: int) -> None:
    """In a process of its own."""
    store = Store(Path(folder), "log-1", disk=Rocks(memory_mb=2))
    for n, batch in enumerate(written(seed)):
        store.apply(batch, n + 1)
    os._exit(9)


@pytest.mark.parametrize("seed", range(4))
def test_a_store_with_a_file_cut_short_is_a_beginning_of_what_was_written_or_begun_anew(
    tmp_path: Path, seed: int
) -> None:
    """Never one with a hole in the middle: it would say it is whole, and old states would be taken for the newest."""
    left, rnd = tmp_path / "left", random.Random(seed)
    dying = "from tests.memory.engine.test_disk import write_and_die as w; import sys; w(sys.argv[1], int(sys.argv[2]))"
    ended = subprocess.run([sys.executable, "-c", dying, str(left), str(seed)], cwd=CHECKOUT, check=False)
    assert ended.returncode == 9
    after = [dict[bytes, bytes | None]()]
    for batch in written(seed):
        after.append(after[-1] | dict(batch[:-1]))
    for n, path in enumerate(sorted(path for path in left.iterdir() if path.stat().st_size)):
        for share in (rnd.random(), 0.8 + 0.2 * rnd.random()):
            cut = tmp_path / f"cut-{n}-{share}"
            shutil.copytree(left, cut)
            with (cut / path.name).open("r+b") as file:
                file.truncate(int(path.stat().st_size * share))
            store = Store(cut, "log-1", disk=Rocks(memory_mb=2))
            whole = after[store.meta.changelog]
            assert {key: store.state(key) for key in after[-1]} == {key: whole.get(key) for key in after[-1]}, path.name
            store.close()
