"""
The due index against a plain dict: whatever is written, moved, fired, forgotten or opened again, in whatever order, the
store gives the cases in the order of their dues, and a full restore gives what following the changelog gives.
"""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from router.engine.store import REQUEST_SUFFIX, SHARD_KEY, Store, state_value

CASES = [f"{n:08d}-0000-0000-0000-000000000000".encode() for n in range(12)]
DUES = st.sampled_from([0, 1, 5, 5, 5, 6, 40, 2**40])
RECORDS = st.one_of(
    st.tuples(st.sampled_from(CASES), DUES.map(lambda due: state_value(due, b"body"))),
    st.tuples(st.sampled_from(CASES), st.none()),
    st.tuples(st.sampled_from([c + REQUEST_SUFFIX for c in CASES]), st.sampled_from([b"{}", None])),
    st.tuples(st.just(SHARD_KEY), st.sampled_from([b"1", b"2"])),
)
STEPS = st.one_of(
    st.tuples(st.just("apply"), st.lists(RECORDS, max_size=8)),
    st.tuples(st.just("look"), st.sampled_from(CASES)),
    st.tuples(st.just("next"), st.none()),
    st.tuples(st.just("due"), st.tuples(st.sampled_from([0, 1, 5, 39, 2**41]), st.sampled_from([1, 2, 100]))),
    st.tuples(st.just("again"), st.none()),
)


def expected(held: dict[bytes, bytes], now: int, limit: int) -> list[bytes]:
    dues = sorted((int.from_bytes(value[1:9]), case) for case, value in held.items() if len(case) == 36)
    return [case for due, case in dues if 0 < due <= now][:limit]


@settings(deadline=None, max_examples=30)
@given(st.lists(STEPS, max_size=25))
def test_the_index_is_what_the_values_say(steps: list[tuple[str, object]]) -> None:
    held: dict[bytes, bytes] = {}
    history: list[tuple[bytes, bytes | None]] = []
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "s", "log")
        for what, more in steps:
            match what, more:
                case "apply", list(records):
                    history += records
                    for key, value in records:
                        held.pop(key, None)
                        if value is not None:
                            held[key] = value
                    store.apply(records, len(history) + 1)
                case "look", bytes(name):
                    assert store.state(name) == held.get(name)
                case "due", (int(now), int(limit)):
                    assert store.due(now, limit) == expected(held, now, limit)
                case "again", _ if history:
                    store.close()
                    store = Store(Path(folder) / "s", "log")
                    assert store.origin == "kept"
            first = expected(held, 2**62, 1)
            assert store.next_due() == (int.from_bytes(held[first[0]][1:9]) if first else 0)
        same(store, held)
        store.close()
        if history:
            restored = Store(Path(folder) / "full", "log")
            for begin in range(0, len(history), 3):
                restored.load(history[begin : begin + 3])
            for _ in restored.loaded(len(history)):
                pass
            same(restored, held)
            restored.close()
            again = Store(Path(folder) / "full", "log")
            assert (again.origin, again.meta.changelog) == ("kept", len(history))
            same(again, held)
            again.close()


def same(store: Store, held: dict[bytes, bytes]) -> None:
    assert store.due(2**62, 100) == expected(held, 2**62, 100)
    assert [store.state(c) for c in CASES] == [held.get(c) for c in CASES]
    assert [store.request(c) for c in CASES] == [held.get(c + REQUEST_SUFFIX) for c in CASES]
    assert store.shard() == held.get(SHARD_KEY)
