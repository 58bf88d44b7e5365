"""
三率: what share was answered in time, solved and found good, told from the events alone (docs/lifecycle.md says the same in words).

A case counts with its latest answer that was closed; a case that nobody had to answer, or whose applicant went back on it, counts in
none. Each share keeps numerator and denominator, and what was left out is counted beside it.
"""

from collections.abc import Iterable
from typing import NamedTuple

from workflows import events as ev

SATISFIED = 3
"""The lowest grade that is a satisfied one: 3 is 基本满意."""
_CITIZENS = ("finish", "")


class Share(NamedTuple):
    """`of`: how many could have been counted; `counted`: how many were."""

    counted: int
    of: int

    @property
    def percent(self) -> float | None:
        """None where there is nothing to share."""
        return 100 * self.counted / self.of if self.of else None


class Rates(NamedTuple):
    """
    answered: cases closed with an answer of a unit, the denominator of `in_time`.

    in_time 按时办结率: the citizen's time limit kept, in the last round. contacted 响应率, solved 解决率: of those that a call-back reached.
    satisfied 满意率: of those of whom there is a word, the applicant's own grade before what was said on the phone.
    Beside them: called, and of these unreached; silent: graded by silence alone; left_out: grades that count no more, by a
    granted appeal; redone: cases that were done again; bad: grades below basically satisfied, left out ones not among them.
    """

    answered: int
    in_time: Share
    contacted: Share
    solved: Share
    satisfied: Share
    called: int
    unreached: int
    silent: int
    left_out: int
    redone: int
    bad: int


class _Case:
    """One case as far as it was told."""

    __slots__ = ("call", "closed", "grade", "left_out", "met", "passed", "redone", "reopened", "silent")

    def __init__(self) -> None:
        self.redone = False
        self._anew()

    def _anew(self) -> None:
        self.passed = self.closed = self.reopened = False
        self.met: bool | None = None
        self.call: ev.CalledBack | None = None
        self.grade = 0
        self.silent = self.left_out = False

    def take(self, event: ev.AnyEvent) -> None:
        """The next event."""
        if isinstance(event, ev.RedoOrdered):
            self._anew()
            self.redone = True
        elif isinstance(event, ev.CallBackAsked):
            # a closed one that is asked about was answered when it was: what it is promised now is another matter
            self.reopened, self.closed = self.closed, False
        elif isinstance(event, ev.RefusalReviewAsked):
            # the refusal that closed it answered nobody: whatever answers is promised anew
            self.closed = False
        elif isinstance(event, ev.CalledBack):
            self.call = event
        elif isinstance(event, ev.LegReviewPassed):
            self.passed = True
        elif isinstance(event, ev.ClockStopped):
            if (event.kind, event.of) == _CITIZENS and not self.reopened:
                self.met = event.met
        elif isinstance(event, ev.CaseEvaluated):
            self.grade, self.silent = event.grade, event.silent
        elif isinstance(event, ev.ReviewAppealDecided):
            self.left_out = event.granted
        elif isinstance(event, ev.CaseClosed):
            self.closed = event.reason not in ("withdrawn", "concluded")


def rates(records: Iterable[ev.EventRecord]) -> Rates:
    """Of all cases in `records`: the whole of `case.events` or a part of it, each case in its own order."""
    cases: dict[str, _Case] = {}
    for record in records:
        case = cases.get(record.case)
        if case is None:
            case = cases[record.case] = _Case()
        for event in record.events:
            case.take(event)
    answered = [case for case in cases.values() if case.closed and case.passed]
    calls = [case.call for case in answered if case.call is not None]
    reached = [call for call in calls if call.reached]
    words = [word for word in map(_word, answered) if word is not None]
    own = [case for case in answered if case.grade and not case.silent]
    timed = [case.met for case in answered if case.met is not None]
    return Rates(
        answered=len(answered),
        in_time=Share(sum(timed), len(timed)),
        contacted=Share(sum(call.contacted for call in reached), len(reached)),
        solved=Share(sum(call.solved for call in reached), len(reached)),
        satisfied=Share(sum(words), len(words)),
        called=len(calls),
        unreached=len(calls) - len(reached),
        silent=sum(case.silent for case in answered),
        left_out=sum(case.left_out for case in own),
        redone=sum(case.redone for case in cases.values()),
        bad=sum(case.grade < SATISFIED for case in own if not case.left_out),
    )


def _word(case: _Case) -> bool | None:
    """Whether the applicant is content, as far as he has said so."""
    if case.grade and not case.silent:
        return None if case.left_out else case.grade >= SATISFIED
    return case.call.satisfied if case.call is not None and case.call.reached else None
