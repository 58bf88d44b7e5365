"""Folding call-backs, what is done again, and appeals against a grade."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from workflows import events as ev
from workflows.case import Case, Task
from workflows.folds.moves import less, opened, to
from workflows.folds.stars import answers_itself
from workflows.particulars import Appeal, Feedback


def feedback(case: Case) -> Feedback:
    return case.feedback or Feedback()


def _reopened(case: Case, **changes: Any) -> Case:
    """Open, whether it was closed before or not."""
    held = replace(feedback(case), evaluate_until=0, silent_at=0, silent_grade=0, **changes)
    return replace(case, closed_at=0, archive_at=0, close_reason="", feedback=held)


def _asked(case: Case, e: ev.CallBackAsked, at: int) -> Case:
    after = replace(_reopened(case, attempts=0), state=to(case, "call_back"))
    return opened(after, Task(e.task, "call_back", e.unit, e.endpoint, e.leg, e.why))


def _tried(case: Case, e: ev.CallBackTried, at: int) -> Case:
    return replace(case, feedback=replace(feedback(case), attempts=e.attempt))


def _called(case: Case, e: ev.CalledBack, at: int) -> Case:
    return replace(case, tasks=less(case.tasks, e.task))


def _redo(case: Case, e: ev.RedoOrdered, at: int) -> Case:
    """A new round: it may be graded anew."""
    tasks = {i: task for i, task in case.tasks.items() if task.kind != "call_back"}
    after = _reopened(
        answers_itself(case), round=e.round, attempts=0, silent=False, left_out=False, appealed=False, said=b""
    )
    return replace(after, state=to(case, "redo"), tasks=tasks, grade=0)


def _appealed(case: Case, e: ev.ReviewAppealed, at: int) -> Case:
    appeal = Appeal(e.by, e.text, bytes(e.attachments)) if e.attachments else None
    after = replace(case, feedback=replace(feedback(case), appealed=True, appeal=appeal))
    return opened(after, Task(e.task, "judge_review", e.unit, e.endpoint, e.leg, "malicious_review"))


def _appeal_decided(case: Case, e: ev.ReviewAppealDecided, at: int) -> Case:
    return replace(
        case,
        tasks=less(case.tasks, e.task),
        feedback=replace(feedback(case), left_out=e.granted, appealed=True, appeal=None),
    )


FOLDS: Mapping[type[ev.Event], Callable[[Case, Any, int], Case]] = {
    ev.CallBackAsked: _asked,
    ev.CallBackTried: _tried,
    ev.CalledBack: _called,
    ev.RedoOrdered: _redo,
    ev.ReviewAppealed: _appealed,
    ev.ReviewAppealDecided: _appeal_decided,
}
