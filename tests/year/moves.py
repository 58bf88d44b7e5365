"""
Who says what of a case, how often and when: the table of the year. What the simulated departments say of their tasks by
themselves (adapters/departments) comes on top; what no longer fits when its time comes is refused, as in life. No source is
known for these shares: they are made up, and plausible.
"""

from collections.abc import Mapping
from typing import NamedTuple

from workflows.workdays import DAY, HOUR, MINUTE

AT_ONCE = (0, 5 * MINUTE)
"""Before the simulated officer speaks, who takes an office hour."""
OFFICER, SECOND = {"officer": "G-1001"}, {"officer": "G-1001", "confirmed_by": "G-1002"}


class Move(NamedTuple):
    """
    on: a task of this kind was given (a unit's by its part: lead, assist, sub; `hidden`: a lead who may not see whose it is;
    `untouched`: triage before any unit had it; `called_again`: a call-back after it was done again), the case is over (`outcome`, `refused`), it was graded badly (`bad_grade`), or `after` another action of this table. by: who speaks: `unit` has the task, `parent` is who dispatched it,
    `returner` asked to return it; offices order: lead, centre, supervisor, leaders_office, orderer (of the report); the applicant. within: when.
    """

    on: str
    action: str
    by: str
    percent: float
    within: tuple[int, int]
    said: Mapping[str, object] = {}


MOVES: tuple[Move, ...] = (
    # a unit and its time
    Move("lead", "ask_extension", "unit", 1.5, (2 * HOUR, 3 * DAY), {"limit": "5wd", "reason": "complex"}),
    Move("lead", "ask_extension", "unit", 2.0, (2 * HOUR, 3 * DAY), {"limit": "10wd", "reason": "construction"}),
    Move("lead", "pause", "unit", 2.0, (2 * HOUR, 2 * DAY), {"reason": "applicant"}),
    Move("lead", "pause", "unit", 1.0, (2 * HOUR, 2 * DAY), {"reason": "appraisal"}),
    Move("after pause", "go_on", "unit", 40.0, (DAY, 4 * DAY)),
    Move("after pause", "supplement", "applicant", 30.0, (DAY, 4 * DAY)),
    Move("lead", "ask_hang", "unit", 1.0, (2 * HOUR, 2 * DAY), {"reason": "planning", "text": "已列入明年计划。"}),
    Move("decide_hang", "refuse_hang", "unit", 15.0, AT_ONCE, {"reason": "资金已有安排"}),
    Move("after ask_hang", "release", "centre", 80.0, (15 * DAY, 120 * DAY), SECOND | {"reason": "solved"}),
    Move("hidden", "reveal", "lead", 25.0, (HOUR, 2 * DAY), OFFICER | {"reason": "contact", "fields": ["phone"]}),
    Move("review_plan", "review_plan", "unit", 25.0, (DAY, 20 * DAY), SECOND | {"reason": "funds_late", "text": "资金明年到位。"}),
    # returns and disputes
    Move("decide_return", "arbitrate", "returner", 30.0, (6 * HOUR, 2 * DAY), {"reason": "不服驳回"}),
    Move("decide_return", "return", "returner", 25.0, (6 * HOUR, 2 * DAY), {"reason": "no_power", "text": "无执法权。"}),
    # units below
    Move("sub", "recall", "parent", 5.0, (HOUR, 6 * HOUR), {"reason": "另有安排"}),
    Move("sub", "send_back_below", "parent", 15.0, (DAY, 3 * DAY), {"reason": "未说明整改措施"}),
    # orders
    Move("lead", "urge", "centre", 3.0, (2 * HOUR, 3 * DAY), OFFICER),
    Move("lead", "urge", "supervisor", 0.5, (2 * HOUR, 3 * DAY), OFFICER),
    Move("lead", "supervise", "supervisor", 1.0, (2 * HOUR, 3 * DAY), OFFICER | {"reason": "shifting", "limit": "3wd", "text": "请尽快核实办理。"}),
    Move("lead", "instruct", "leaders_office", 0.3, (2 * HOUR, 3 * DAY), OFFICER | {"post": "分管副区长", "limit": "3wd", "text": "请认真办理并报结果。"}),
    Move("report", "lift", "orderer", 10.0, (HOUR, 6 * HOUR), OFFICER),
    Move("read_report", "reject_report", "unit", 15.0, AT_ONCE, {"reason": "未说明整改措施"}),
    Move("lead", "re_dispatch", "centre", 0.7, (HOUR, DAY), OFFICER | {"reason": "wrong_level"}),
    # the centre about the case as a whole
    Move("untouched", "redirect", "unit", 2.0, AT_ONCE, OFFICER | {"reason": "gas"}),
    Move("lead", "redirect", "centre", 0.2, (MINUTE, DAY), OFFICER | {"reason": "police"}),
    Move("untouched", "answer_at_once", "unit", 8.0, AT_ONCE, OFFICER | {"text": "您咨询的事项，窗口周六上午开放。"}),
    Move("untouched", "refuse", "centre", 20.0, AT_ONCE, OFFICER | {"reason": "not_within_scope", "basis": "国办发〔2020〕53号", "where_to_turn": "人民法院"}),
    Move("called_again", "conclude", "centre", 15.0, AT_ONCE, SECOND | {"reason": "unreasonable", "text": "已充分解释。", "attachments": [{"name": "解释记录.pdf", "uri": "oss://records/1"}]}),
    Move("after conclude", "supplement", "applicant", 50.0, (DAY, 5 * DAY)),
    Move("lead", "ex_officio", "centre", 0.5, (HOUR, DAY), OFFICER | {"basis": "某条例第九条"}),
    Move("after ex_officio", "withdraw", "applicant", 40.0, (HOUR, DAY)),
    Move("lead", "mark_malicious", "centre", 0.2, (HOUR, DAY), SECOND | {"reason": "repeated_abuse", "document": "政督〔2026〕1号"}),
    Move("after mark_malicious", "supplement", "applicant", 60.0, (HOUR, DAY)),
    # cases that belong together
    Move("lead", "merge", "centre", 0.6, (0, 6 * HOUR), OFFICER),
    Move("after merge", "unmerge", "centre", 25.0, (6 * HOUR, 3 * DAY), OFFICER | {"text": "并非同一事项。"}),
    Move("after merge", "supplement", "applicant", 25.0, (HOUR, 2 * DAY)),
    Move("after merge", "urge", "applicant", 15.0, (HOUR, 2 * DAY)),
    Move("after merge", "withdraw", "applicant", 6.0, (0, 2 * MINUTE)),
    Move("decide_merge", "supplement", "applicant", 10.0, (6 * HOUR, 3 * DAY)),
    Move("decide_merge", "unmerge", "centre", 5.0, (6 * HOUR, 3 * DAY), OFFICER | {"text": "并非同一事项。"}),
    Move("lead", "split", "centre", 0.6, (0, 6 * HOUR), OFFICER | {"parts": [{"title": "另一件事：路面破损"}]}),
    # once it is over
    Move("refused", "ask_review", "applicant", 25.0, (HOUR, 10 * DAY)),
    Move("refused", "ask_review", "centre", 5.0, (HOUR, 10 * DAY), OFFICER | {"text": "诉求人到窗口提出异议。"}),
    Move("outcome", "redo", "supervisor", 0.6, (DAY, 10 * DAY), OFFICER | {"reason": "nothing_done"}),
    Move("bad_grade", "appeal_review", "lead", 35.0, (10 * DAY, 16 * DAY), SECOND | {"text": "见录音。"}),
    Move("judge_review", "grant_appeal", "unit", 35.0, AT_ONCE, SECOND | {"reason": "确系误评"}),
)  # fmt: skip
