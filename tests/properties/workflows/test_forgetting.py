"""
A case and its id over years: archived, forgotten, sent again, in whatever order and at whatever time.

After each step the records replayed from the beginning give what the live case is, none where it is forgotten; each
life of an id has the versions 1..n; nothing is forgotten before its time, and what is known is recognised.
"""

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.workflows.calendar_2026 import show
from tests.unit.workflows.small_world import NOW, Told, told
from workflows import commands as cmd
from workflows import events as ev
from workflows.case import KEPT_MS, encode
from workflows.evolve import fold
from workflows.workdays import DAY

STEPS = st.one_of(
    st.tuples(st.just("submit"), st.sampled_from(["", "another body"])),
    st.tuples(st.just("wait"), st.sampled_from([1, 40, 399, 400, 401])),
    st.tuples(st.just("late pass"), st.sampled_from([1, 500, 900])),
    st.tuples(st.just("evaluate"), st.just(0)),
    st.tuples(st.just("supplement"), st.just(0)),
)


@given(st.lists(STEPS, max_size=12))
def test_a_replay_gives_what_is_kept_whenever_it_is_forgotten(steps: list[tuple[str, str | int]]) -> None:
    t, body = told(NOW).submit("alone", direct_answer={"text": "x"}), ""
    for what, more in steps:
        known = t.case is not None
        _do(t, what, more)
        _holds(t)
        if what == "submit":
            body = body if known else str(more)
            assert t.happened[0] == _answer(known, str(more) == body)


def _answer(known: bool, same: bool) -> str:
    return ("DuplicateReceived" if same else "IdReused") if known else "CaseRegistered"


def _do(t: Told, what: str, more: str | int) -> None:
    match what:
        case "submit":
            t.submit("alone", again=str(more), direct_answer={"text": "x"})
        case "wait":
            t.wait_until(show(t.now + int(more) * DAY))
        case "late pass":
            t.now += int(more) * DAY
            if t.case is not None:
                t.take(cmd.ReachDeadline(id=f"late {t.now}", case=t.case.id, at=t.now))
        case "evaluate" if t.case is not None:
            t.evaluate(5)
        case "supplement" if t.case is not None:
            t.follow_up(cmd.Supplement, text="x")


def _holds(t: Told) -> None:
    replayed, version, archived = None, 0, 0
    for record in t.records:
        version = 1 if replayed is None else version + 1
        assert record.version == version
        replayed = fold(replayed, ev.decode(ev.encode(record)))
        for event in record.events:
            if isinstance(event, ev.CaseArchived):
                archived = record.at
            if isinstance(event, ev.CaseForgotten):
                assert record.at >= archived + KEPT_MS
    assert (replayed and encode(replayed)) == (t.case and encode(t.case))
    if t.case is not None and t.case.forget_at:
        assert t.case.next_due == archived + KEPT_MS
