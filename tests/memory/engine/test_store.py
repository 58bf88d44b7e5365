"""The local store follows the changelog and is never ahead of it; its due index has one entry per open case."""

import os
from pathlib import Path
from random import Random

import pytest

from router.engine.store import SHARD_KEY, NewerFormat, Store, body_of, due_of, state_value
from router.operate.table import MB, Rocks, Table, TableInUse


def case(n: int) -> bytes:
    return f"00000000-0000-0000-0000-{n:012d}".encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "shard-0"


def test_a_value_carries_its_due_and_body() -> None:
    """The prefix is read without parsing what follows."""
    value = state_value(1_800_000_000_000, b"body")

    assert (due_of(value), body_of(value)) == (1_800_000_000_000, b"body")


def test_a_newer_format_is_refused() -> None:
    """Older code never reads newer state."""
    with pytest.raises(NewerFormat):
        body_of(b"\xff" + bytes(8) + b"x")


def test_state_requests_and_shard_come_back_after_reopening(folder: Path) -> None:
    """Everything applied is there in a new process, with the changelog offset it reflects."""
    store = Store(folder, "log-1")
    store.apply([(case(1), state_value(5, b"a")), (case(1) + b"/request", b"{}"), (SHARD_KEY, b"s")], 17)
    store.close()
    again = Store(folder, "log-1")

    assert again.origin == "kept"
    assert (again.state(case(1)), again.request(case(1)), again.shard(), again.meta.changelog) == (
        state_value(5, b"a"),
        b"{}",
        b"s",
        17,
    )
    again.close()


def test_cases_looked_up_together_are_as_looked_up_one_by_one(folder: Path) -> None:
    """In the order asked, what is not there too; and the write that follows moves their places in the due index."""
    store = Store(folder, "log-1")
    store.apply([(case(n), state_value(10 * n, b"")) for n in (1, 2)], 1)
    wanted = [case(2), case(9), case(1), b"", case(2)]

    assert store.states(wanted) == [store.state(one) for one in wanted] == [
        state_value(20, b""), None, state_value(10, b""), None, state_value(20, b""),
    ]  # fmt: skip
    assert store.states([]) == []
    store.apply([(case(2), state_value(5, b"")), (case(9), state_value(7, b""))], 2)
    assert store.due(100, 10) == [case(2), case(9), case(1)]
    store.close()


def test_the_due_index_holds_the_earliest_due_of_each_case_once(folder: Path) -> None:
    """Moving a due moves its entry; a case without one has none; due() is in order and never early."""
    store = Store(folder, "log-1")
    store.apply([(case(n), state_value(due, b"")) for n, due in ((1, 30), (2, 10), (3, 20), (4, 0))], 1)
    assert store.due(9, 10) == []
    assert store.due(20, 10) == [case(2), case(3)]
    store.apply([(case(2), state_value(40, b"")), (case(3), state_value(0, b""))], 2)
    assert store.due(100, 10) == [case(1), case(2)]
    assert store.due(100, 1) == [case(1)]
    store.apply([(case(1), None)], 3)
    assert (store.due(100, 10), store.next_due()) == ([case(2)], 40)
    store.close()


def test_an_earlier_due_is_found_after_the_cursor_moved_on(folder: Path) -> None:
    """A later insert with an earlier due lowers the cursor."""
    store = Store(folder, "log-1")
    store.apply([(case(1), state_value(1000, b""))], 1)
    assert store.next_due() == 1000
    store.apply([(case(2), state_value(10, b""))], 2)

    assert (store.next_due(), store.due(10, 5)) == (10, [case(2)])
    store.close()


@pytest.mark.parametrize("harm", ["foreign", "garbage", "missing meta"])
def test_a_store_that_cannot_be_trusted_begins_anew(folder: Path, harm: str) -> None:
    """Foreign, damaged: rebuilt from empty, and said so; never served (too old: test_stale.py)."""
    store = Store(folder, "log-1")
    store.apply([(case(1), state_value(5, b"a"))], 9)
    if harm == "missing meta":
        store._table.write([(b"mmeta", None)])
    store.close()
    if harm == "garbage":
        for name in os.listdir(folder):
            if name.startswith(("MANIFEST", "CURRENT")):
                (folder / name).write_bytes(b"\x00garbage")
    again = Store(folder, "log-2" if harm == "foreign" else "log-1")

    assert again.origin not in ("kept", "new")
    assert (again.state(case(1)), again.meta.changelog) == (None, 0)
    again.close()


def test_a_store_that_somebody_has_open_is_left_alone(folder: Path) -> None:
    """Two engines with one state directory, or one that still leaves: nothing is deleted under the other's hands."""
    first = Store(folder, "log-1")
    first.apply([(case(1), state_value(5, b"a"))], 9)
    with pytest.raises(TableInUse):
        Store(folder, "log-1")
    first.apply([(case(2), state_value(6, b"b"))], 10)
    first.close()
    again = Store(folder, "log-1")

    assert (again.origin, again.meta.changelog, again.state(case(2))) == ("kept", 10, state_value(6, b"b"))
    again.close()


def test_a_store_can_begin_anew(folder: Path) -> None:
    """Nothing is left of what it had, its due index and cursor included."""
    store = Store(folder, "log-1")
    store.apply([(case(1), state_value(1000, b"a")), (SHARD_KEY, b"s")], 9)
    assert store.next_due() == 1000
    store.begin_anew("ahead")
    assert (store.origin, store.meta.changelog, store.shard(), store.next_due()) == ("ahead", 0, None, 0)
    store.apply([(case(2), state_value(10, b"b"))], 1)

    assert store.due(10, 5) == [case(2)]
    store.close()


def test_a_scan_begins_where_the_last_one_came_to_also_after_a_restart(folder: Path) -> None:
    """What fired leaves tombstones behind; nobody walks over them again, neither within one millisecond nor after reopening."""
    store = Store(folder, "log-1")
    store.apply([(case(n), state_value(50, b"")) for n in range(300)], 1)
    for begin in range(0, 200, 100):
        fired = store.due(50, 100)
        assert fired == [case(n) for n in range(begin, begin + 100)]
        store.apply([(name, state_value(0, b"")) for name in fired], begin + 2)
    assert store.next_due() == 50
    store.apply([(case(999), state_value(60, b""))], 500)
    store.close()
    again = Store(folder, "log-1")
    begun: list[bytes] = []
    keys_from = again._table.keys_from
    again._table.keys_from = lambda key: begun.append(key) or keys_from(key)  # type: ignore[method-assign,func-returns-value]
    assert again.due(50, 1) == [case(200)]
    assert [key[9:] for key in begun] == [case(200)]
    again.close()


def test_all_tables_of_a_disk_together_hold_no_more_in_memory_than_they_may(tmp_path: Path) -> None:
    """However many there are and however much of them is read and written: RocksDB's own figures."""
    disk = Rocks(8)
    tables = [disk.open(tmp_path / str(n)) for n in range(3)]
    rnd = Random(8)
    values = [(b"%06d" % n, rnd.randbytes(4000)) for n in range(2000)]
    for table in tables:
        for n in range(0, len(values), 100):
            table.write(values[n : n + 100])
            table.flush()
            written = [_mb(each, "size-all-mem-tables") for each in tables]
            assert sum(written) <= 4 + 1, "one batch may be on top"
    for table in tables:
        assert [table.get(key) for key, _ in values] == [value for _, value in values]
        assert _mb(table, "block-cache-usage") <= 4
        table.close()


def _mb(table: Table, name: str) -> float:
    return float(table._db.property_int_value(f"rocksdb.{name}")) / MB  # type: ignore[attr-defined]
