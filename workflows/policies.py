"""
Clock policies: time limits as data, one row of `catalog/policies/` each (norms.md, domain.md §4).

A case keeps the policy it was routed with, by its id; a due time once given is not moved by an edit (design D8).
Policies and templates remember their hash: what a clock comes to is kept under them (workflows/clocks.py).
"""

from typing import Literal

from msgspec import Struct


class EarlyWarning(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    When to warn: after `percent` of the budget, or `before` the due (`1wd`); exactly one of the two.

    quiet: hours in which nobody is told, as of a Step; what falls into them is said before they begin.
    """

    percent: int = 0
    before: str = ""
    quiet: str = ""


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A rung of the escalation ladder, `after` the due (`0m` = at once): who is told and what is done.

    since: what `after` counts from; `start` makes an absence rule of it: no sign within `1wh` is a rung of the sign clock.
    who: unit = who has it now; superior = the unit above that one; centre = the centre that owns the case;
    supervisor = the supervising office (督查) at or above the place, else the unit above the centre; role = who holds
    `role` (`function:role`) for the place, else the centre. duty: not the unit's desk but its leader on duty is told
    (带班领导, catalog/lists/rosters.csv), the desk where nobody is on the roster.
    what: notify, urge, supervise; raise (提级) = who is told answers for the case from now on, which becomes urgent;
    redispatch (改派建议) = the centre is asked whether another unit should have it.
    every, times: it is said so many times, this long apart. until: what makes it needless: a word of who was told on
    any rung of the clock (acknowledged), the unit's signature or its reply. acknowledge: who is told gets a task to say
    that he has seen it; after so much silence since then it is as if he had not (empty: he need not say so).
    quiet: hours of the receiver in which nobody is told (`21:00-08:00`, or `closed` = outside office hours); what falls
    into them is said when they end. Urgent cases go through.
    """

    level: int
    after: str
    who: Literal["unit", "superior", "centre", "supervisor", "role"]
    what: Literal["urge", "supervise", "notify", "raise", "redispatch"]
    since: Literal["due", "start"] = "due"
    role: str = ""
    duty: bool = False
    every: str = ""
    times: int = 1
    until: tuple[Literal["acknowledged", "signed", "replied"], ...] = ()
    acknowledge: str = ""
    quiet: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether it is a matter of level, receiver and words alone, as most rungs are."""
        return not (self.role or self.duty or self.every or self.until or self.acknowledge or self.what in ANSWERED)


ANSWERED = ("raise", "redispatch")
"""What a rung does that who is told must answer, whether it says `acknowledge` or not."""


class ClockTemplate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, cache_hash=True):
    """
    One clock of a policy.

    kind and of: `case` clocks (finish, contact) run from the receipt of the request until the case is closed;
    `leg` clocks from dispatch: sign until signed, contact until the unit says that it called the applicant (when
    it signs) or replied, finish until it replied, progress from the last word of what it does (进展) to the next or its reply;
    `statutory` clocks (of: case) run from the moment a case is handed over to a procedure prescribed by law, and `follow_up`
    (of: case) from when that one is due until its result is known;
    `task` clocks while an officer of the centre (or the receiver of an emergency) has the task: review,
    return_decision, arbitration, triage, merge_decision, confirm (a proposed refusal, the receipt of an emergency);
    call_back and judge_review while the desk asks the applicant, or decides on an appeal against a grade;
    report while a unit has to report (督办, 批示).
    budget: `30m` minutes, `24h` hours, `2wh` working hours, `3d` natural days, `5wd` working days.
    start: receipt | next_working_instant | next_day (次日起算: the day of receipt is not counted).
    due: exact | end_of_day (of the last day) | working_day (the same; of natural days prescribed by law, where nobody works on
    the last one, of the first working day after it: only `statutory` clocks).
    on_due: `deem_signed` for sign clocks: nobody stops a clock by not signing.
    reason: of a task clock, where it measures only tasks asked for this reason (`low_score`), instead of the one without.
    """

    kind: Literal[
        "sign",
        "contact",
        "progress",
        "finish",
        "review",
        "return_decision",
        "arbitration",
        "triage",
        "confirm",
        "report",
        "hang_decision",
        "plan_review",
        "extension_decision",
        "call_back",
        "judge_review",
        "statutory",
        "merge_decision",
        "follow_up",
    ]
    of: Literal["case", "leg", "task"]
    budget: str
    start: Literal["receipt", "next_working_instant", "next_day"] = "receipt"
    due: Literal["exact", "end_of_day", "working_day"] = "exact"
    on_due: Literal["overdue", "deem_signed"] = "overdue"
    warn: tuple[EarlyWarning, ...] = ()
    ladder: tuple[Step, ...] = ()
    reason: str = ""


class Pause(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A reason for which a unit may let its clock stand still: so often, and `at_most` so long in all its pauses together.

    moves: which clocks stand still, the leg's own and (of the lead only) the citizen's. waits_for: what ends the pause by
    itself: `applicant`, as soon as the applicant says more.
    """

    reason: str
    at_most: str
    times: int = 1
    moves: tuple[Literal["leg", "case"], ...] = ("leg",)
    waits_for: Literal["", "applicant"] = ""


class Approver(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who decides on extensions up to this length; of a second-level unit's always the first-level one."""

    up_to: str
    who: Literal["centre", "supervisor"]


class Extensions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    延期: asked before due only, so often, and `at_most` so much in all, in one unit of counting (`10wd`).

    approvers: from the shortest length to `at_most`. moves: which clocks get longer, the leg's own and (of the lead) the citizen's.
    source and grade: where these limits come from.
    """

    at_most: str
    approvers: tuple[Approver, ...]
    times: int = 1
    moves: tuple[Literal["leg", "case"], ...] = ("leg", "case")
    source: str = ""
    grade: Literal["A", "B", "C", "mem"] = "mem"


class Repeat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What follows when the same person comes with the same matter for the `times`-th time, or more often."""

    times: int
    urgency: Literal["", "urgent", "emergency"] = ""
    notify: bool = False
    """supervisors are told"""


class CallBack(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    回访 after a passed review: of so many `percent` of the cases, of all that were done again, and of all that an applicant who
    can be reached gave a bad grade. `attempts` calls at the most. never: kinds of appeal that are not called back.
    """

    percent: int
    attempts: int = 3
    never: tuple[str, ...] = ("suggestion", "praise")
    source: str = ""
    grade: Literal["A", "B", "C", "mem"] = "mem"


class Evaluation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    评价 within so long after the end of a round (empty: while the case is kept). Grades up to `bad` are bad ones.

    reopens: reasons (of the list `evaluate`) for which a bad grade has it done again at once, a level up. silent_after:
    after so much silence it counts as `silent_grade`, apart from what applicants said; empty: silence is silence.
    """

    within: str = ""
    bad: int = 2
    reopens: tuple[str, ...] = ()
    silent_after: str = ""
    silent_grade: int = 0
    source: str = ""
    grade: Literal["A", "B", "C", "mem"] = "mem"


class Redo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    重办: so many times at the most, by the same unit or one level `up`. Whoever does it again has a time limit of his own;
    citizens: before the case was closed the citizen's runs on or begins anew (a closed one has none left). another: where the
    same unit does it again its answer names the `officer`, who is not one that answered before.
    """

    times: int = 1
    who: Literal["unit", "up"] = "unit"
    another: bool = False
    citizens: Literal["runs", "anew"] = "runs"
    source: str = ""
    grade: Literal["A", "B", "C", "mem"] = "mem"


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, cache_hash=True):
    """
    The limits for one class of cases, with where they come from.

    return_within: the window for 退单 from dispatch, days counted from the next one (empty: no window);
    returns: whether 退单 is allowed at all. reserve: what the outer due keeps back for review when a unit
    dispatches further. arbitrate_after: the how-manieth return of one place in a case goes to arbitration instead of the
    dispatcher (0: none does by itself). levels: of units from the first that is dispatched to (2: 一级、二级承办单位).
    join: whom the lead's reply waits for: `lead` nobody, `all` every assist, `2` as many assists; whoever has not answered
    then must be named in the reply. reopen_window: how long after its end a case stays whole before only a stub is kept.
    answers_from: how sure a knowledge base must be (0 to 1) that an entry answers a question which the rules leave to a
    dispatcher, to have it sent at once; 0: a person always looks.
    pauses, extensions: what may move a due date; without them nothing does. floor: what a unit has at least that takes a
    returned leg over, where that one left it less (empty: it begins anew, with all of its time).
    hangs: whether a case may be put on the list of what cannot be solved for now (挂账; empty: it may not), and whether the
    clocks of lead and citizen then stand still or run. hangs_within: how far ahead its plan date may lie (five years). ex_officio: whether the unit may be told to go on although the applicant withdraws. malicious: what it means that a case
    is found malicious: nothing may be found so (empty), it is on the record alone (`mark`), or what its author sends later is
    kept without telling those who handle it again (`quiet`). reveals: whether those may learn who asked for confidence.
    merge_alone: how many cases one officer may merge
    into one; beyond them a second one confirms. repeats: what follows when the same person comes again.
    callback, evaluation, redo: what follows the answer; without them a case closes as its review has passed, may be graded once
    while it is kept, and is not done again.
    """

    id: str
    name: str
    source: str
    grade: Literal["A", "B", "C", "mem"]
    clocks: tuple[ClockTemplate, ...]
    returns: bool = True
    return_within: str = "2wd"
    reserve: str = "1wd"
    reopen_window: str = "30d"
    merge_alone: int = 10
    repeats: tuple[Repeat, ...] = ()
    answers_from: float = 0.0
    arbitrate_after: int = 2
    levels: int = 2
    join: str = "lead"
    pauses: tuple[Pause, ...] = ()
    floor: str = ""
    extensions: Extensions | None = None
    hangs: Literal["", "stop", "run"] = ""
    hangs_within: str = "1826d"
    ex_officio: bool = False
    malicious: Literal["", "mark", "quiet"] = ""
    reveals: bool = True
    callback: CallBack | None = None
    evaluation: Evaluation | None = None
    redo: Redo | None = None
