"""The tables are whole: every state can be reached, every word has a label, and docs/states.md is drawn from them."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import workflows
from schemas.handling import CaseState, ReplyAction, TaskKind
from workflows import commands, outgoing
from workflows.drawing import ACTIONS, STATES, page
from workflows.refusals import REFUSALS
from workflows.states import (
    ACTING,
    APPEAL,
    APPROVAL,
    ENDED,
    LATER,
    LEAD_MOVES,
    LEG,
    LEG_ACTION,
    OPEN_LEG,
    TABLES,
    TASK_ACTIONS,
    Table,
    verdict,
)  # fmt: skip

FIRST = {"appeal": "registered", "leg": "dispatched", "approval": "received"}


def _moves(table: Table) -> Iterator[tuple[str, str, str]]:
    return ((state, action, to) for state, moves in table.items() for action, to in moves.items())


@pytest.mark.parametrize("name", TABLES)
def test_every_state_of_a_table_can_be_reached(name: str) -> None:
    """From the first state all others are reached, and no action leads out of the table."""
    table, reached = TABLES[name], {FIRST[name]}
    assert next(iter(table)) == FIRST[name]
    for _ in table:
        reached |= {to for state, _, to in _moves(table) if state in reached}
    assert reached == set(table)


@pytest.mark.parametrize("name", TABLES)
def test_every_word_has_a_label_in_both_languages(name: str) -> None:
    words = {word for state, action, _ in _moves(TABLES[name]) for word in (state, action)}
    assert all(all(label) for label in [*STATES.values(), *ACTIONS.values(), *REFUSALS.values()])
    assert words <= set(STATES) | set(ACTIONS)


def test_nothing_leads_out_of_an_ended_case_but_what_the_applicant_says_of_it_and_the_archive() -> None:
    assert {action for state, action, _ in _moves(APPEAL) if state in ENDED} == {
        "evaluate",
        "appeal_review",
        "call_back",
        "redo",
        "ask_review",
        "attach",
        "archive",
        "forget",
    }


def test_what_the_lead_does_is_in_both_tables() -> None:
    """An action that moves the appeal with its lead leg is an action of the leg; deemed signing moves it as signing does."""
    appeal, leg = ({action for _, action, _ in _moves(table)} for table in (APPEAL, LEG))
    assert LEAD_MOVES - {"dispatch"} <= leg
    assert LEAD_MOVES - {"deem_signed"} <= appeal
    assert leg | appeal >= LATER


def test_wherever_the_lead_may_do_something_the_appeal_may_follow() -> None:
    """Both tables walked together, the lead's actions never find the appeal in a state without them."""
    todo, seen = [("dispatched", "dispatched")], set()
    while todo:
        appeal, leg = todo.pop()
        if (appeal, leg) in seen:
            continue
        seen.add((appeal, leg))
        for action, to in LEG[leg].items():
            if action in LATER:
                continue
            if action in LEAD_MOVES:
                todo.append((APPEAL[appeal]["sign" if action == "deem_signed" else action], to))
            elif action != "withdraw":
                todo.append((appeal, to))
    assert ("review_passed", "review_passed") in seen


@pytest.mark.parametrize(
    ("table", "state", "action", "code"),
    [
        (APPEAL, "signed", "withdraw", ""),
        (APPEAL, "closed", "withdraw", "not_allowed"),
        (APPEAL, "signed", "hang", ""),
        (APPEAL, "registered", "hang", "not_allowed"),
        (LEG, "return_asked", "arbitrate", ""),
        (LEG, "replied", "reply", "not_allowed"),
        (APPROVAL, "received", "pre_check", "not_available"),
        (APPROVAL, "received", "grant", "not_allowed"),
        (APPEAL, "signed", "fly", "not_allowed"),
    ],
)
def test_a_verdict_has_a_code(table: Table, state: str, action: str, code: str) -> None:
    """Not in the table: not_allowed. In the table and of a later stage: not_available."""
    assert verdict(table, state, action) == code


def test_the_words_agree_with_the_published_ones() -> None:
    """Task kinds, reply actions and told states are those of the contract."""
    assert set(TASK_ACTIONS) == {kind.value for kind in TaskKind}
    said = {action for actions in TASK_ACTIONS.values() for action in actions}
    assert said == {action.value for action in ReplyAction} == set(get_args(commands.ReplyAction))
    assert {telling.status for telling in outgoing._TOLD.values()} <= {"", *(state.value for state in CaseState)}
    assert set(ACTING) <= set(TASK_ACTIONS["handle"])
    assert set(LEG_ACTION) <= set(ACTING)
    assert set(LEG) > OPEN_LEG


def test_the_page_is_drawn_from_the_tables() -> None:
    """Stale? `python -m workflows.drawing > docs/states.md`."""
    drawn = Path(workflows.__path__[0]).parent / "docs" / "states.md"
    assert drawn.read_text(encoding="utf-8") == page()
