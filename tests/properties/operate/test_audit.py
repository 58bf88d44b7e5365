"""The chain of acts: what was changed, dropped, slipped in or put elsewhere is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import replace

from router.operate.audit import ChainBroken, Entry, check, encode, entry

FIELDS = ("stream", "at", "who", "act", "why")


def chain(count: int) -> list[Entry]:
    made: list[Entry] = []
    for n in range(count):
        before = made[-1] if made else None
        made.append(
            entry(
                before,
                "dead-letters",
                at="2026-09-18T09:00:00+08:00",
                who="王",
                act="retry",
                why=f"{n}",
                facts={"n": n},
            )
        )
    return made


@given(st.integers(1, 6))
def test_a_chain_reads_back_as_it_was_written(count: int) -> None:
    """Through the record's bytes too."""
    made = chain(count)
    check(made)
    assert [json.decode(encode(e), type=Entry) for e in made] == made
    assert [e.seq for e in made] == list(range(1, count + 1))


@given(st.integers(2, 6), st.data())
def test_no_entry_can_be_changed_dropped_or_moved(count: int, data: st.DataObject) -> None:
    """Cutting off the end is what a chain alone does not show."""
    made = chain(count)
    at = data.draw(st.integers(0, count - 1))
    harm = data.draw(st.sampled_from([*FIELDS, "facts", "seq", "drop", "swap", "twice"]))
    if harm == "drop":
        at = min(at, count - 2)
        del made[at]
    elif harm == "swap":
        at = min(at, count - 2)
        made[at], made[at + 1] = made[at + 1], made[at]
    elif harm == "twice":
        made.insert(at, made[at])
    else:
        changed = {"facts": {"n": -1}, "seq": 99}.get(harm, "other")
        made[at] = replace(made[at], **{harm: changed})
    with pytest.raises(ChainBroken):
        check(made)
