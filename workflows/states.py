"""
The state tables: what an appeal, a leg and a leg of an approval may do, and nothing else may change a status.

Two rules. Everything that decides whether an action is allowed *by state* is in this file; who may do it,
on which grounds and in which time is in `decide`. A table names the whole vocabulary of the domain;
actions that no command brings about yet are those of `LATER`, and asking for one is answered
`not_available`. docs/states.md is drawn from here (workflows/drawing.py).

The appeal follows its lead leg: an action of `LEAD_MOVES`, done on the lead leg, moves both tables.
"""

from collections.abc import Mapping
from typing import Literal

Table = Mapping[str, Mapping[str, str]]

APPEAL: Table = {
    "registered": {
        "answer_at_once": "answered_at_once",
        "redirect": "redirected",
        "propose_refusal": "refusal_proposed",
        "ask_triage": "in_triage",
        "accept": "accepted",
        "supplement": "registered",
        "withdraw": "withdrawn",
    },
    "answered_at_once": {"close": "closed"},
    "redirected": {
        "redirect": "redirected",
        "confirm_receipt": "redirected",
        "supplement": "redirected",
        "close": "closed",
    },
    "refusal_proposed": {
        "confirm_refusal": "refused",
        "reject_refusal": "registered",
        "supplement": "refusal_proposed",
        "withdraw": "withdrawn",
        "redirect": "redirected",
    },
    "refused": {"close": "closed"},
    "in_triage": {
        "answer_at_once": "answered_at_once",
        "refuse": "refusal_proposed",
        "accept": "accepted",
        "dispatch": "dispatched",
        "supplement": "in_triage",
        "withdraw": "withdrawn",
        "merge": "in_triage",
        "confirm_merge": "merged",
        "split": "in_triage",
        "take_member": "in_triage",
        "redirect": "redirected",
    },
    "accepted": {
        "dispatch": "dispatched",
        "ask_triage": "in_triage",
        "supplement": "accepted",
        "withdraw": "withdrawn",
        "merge": "accepted",
        "confirm_merge": "merged",
        "split": "accepted",
        "take_member": "accepted",
        "redirect": "redirected",
    },
    "dispatched": {
        "sign": "signed",
        "re_dispatch": "accepted",
        "supplement": "dispatched",
        "withdraw": "withdrawn",
        "merge": "dispatched",
        "confirm_merge": "merged",
        "take_member": "dispatched",
        "split": "dispatched",
        "redirect": "redirected",
    },
    "signed": {
        "sub_dispatch": "sub_dispatched",
        "reply": "replied",
        "accept_return": "accepted",
        "re_dispatch": "accepted",
        "supplement": "signed",
        "withdraw": "withdrawn",
        "ask_extension": "signed",
        "decide_extension": "signed",
        "pause": "signed",
        "go_on": "signed",
        "hang": "hung",
        "merge": "signed",
        "confirm_merge": "merged",
        "take_member": "signed",
        "split": "signed",
        "redirect": "redirected",
    },
    "sub_dispatched": {
        "sub_dispatch": "sub_dispatched",
        "reply": "replied",
        "re_dispatch": "accepted",
        "supplement": "sub_dispatched",
        "withdraw": "withdrawn",
        "ask_extension": "sub_dispatched",
        "decide_extension": "sub_dispatched",
        "pause": "sub_dispatched",
        "go_on": "sub_dispatched",
        "hang": "hung",
        "take_member": "sub_dispatched",
        "merge": "sub_dispatched",
        "confirm_merge": "merged",
        "redirect": "redirected",
    },
    "replied": {
        "pass": "review_passed",
        "send_back": "sent_back",
        "decide_extension": "replied",
        "supplement": "replied",
        "withdraw": "withdrawn",
        "redirect": "redirected",
    },
    "sent_back": {
        "sub_dispatch": "sub_dispatched",
        "reply": "replied",
        "supplement": "sent_back",
        "withdraw": "withdrawn",
        "ask_extension": "sent_back",
        "decide_extension": "sent_back",
        "pause": "sent_back",
        "go_on": "sent_back",
        "hang": "hung",
        "take_member": "sent_back",
        "redirect": "redirected",
    },
    "review_passed": {"close": "closed", "call_back": "called_back", "begin_procedure": "in_procedure"},
    "called_back": {"supplement": "called_back", "close": "closed", "redo": "redo", "conclude": "concluded"},
    "redo": {"dispatch": "dispatched", "ask_triage": "in_triage", "conclude": "concluded"},
    "concluded": {"close": "closed"},
    "in_procedure": {
        "end_procedure": "in_procedure",
        "supplement": "in_procedure",
        "withdraw": "withdrawn",
        "close": "closed",
    },
    "hung": {
        "sub_dispatch": "hung",
        "release": "signed",
        "supplement": "hung",
        "withdraw": "withdrawn",
        "take_member": "hung",
        "redirect": "redirected",
    },
    "merged": {"unmerge": "accepted", "supplement": "merged", "withdraw": "withdrawn", "close": "closed"},
    "withdrawn": {"close": "closed"},
    "closed": {
        "evaluate": "closed",
        "appeal_review": "closed",
        "attach": "closed",
        "ask_review": "refusal_proposed",
        "call_back": "called_back",
        "redo": "redo",
        "archive": "archived",
    },
    "archived": {"forget": "forgotten"},
    "forgotten": {},
}
"""An appeal. Where an action leads back to its own state it is allowed there and moves nothing."""


def _time(state: str) -> dict[str, str]:
    """What a unit may say about its time while it acts moves nothing."""
    return {"ask_extension": state, "pause": state, "go_on": state, "ask_hang": state}


LEG: Table = {
    "dispatched": {"sign": "signed", "deem_signed": "signed", "re_dispatch": "withdrawn", "withdraw": "withdrawn"},
    "signed": {
        "note": "signed",
        "sub_dispatch": "sub_dispatched",
        "ask_return": "return_asked",
        "reply": "replied",
        "re_dispatch": "withdrawn",
        "withdraw": "withdrawn",
        **_time("signed"),
    },
    "return_asked": {
        "accept_return": "returned",
        "reject_return": "return_rejected",
        "arbitrate": "arbitration",
        "re_dispatch": "withdrawn",
        "withdraw": "withdrawn",
    },
    "return_rejected": {
        "note": "return_rejected",
        "sub_dispatch": "sub_dispatched",
        "reply": "replied",
        "arbitrate": "arbitration",
        "re_dispatch": "withdrawn",
        "withdraw": "withdrawn",
        **_time("return_rejected"),
    },
    "arbitration": {"rule": "ruled", "withdraw": "withdrawn"},
    "ruled": {
        "note": "ruled",
        "sub_dispatch": "sub_dispatched",
        "reply": "replied",
        "accept_return": "returned",
        "withdraw": "withdrawn",
        **_time("ruled"),
    },
    "sub_dispatched": {
        "note": "sub_dispatched",
        "sub_dispatch": "sub_dispatched",
        "recall": "sub_dispatched",
        "send_back_below": "sub_dispatched",
        "reply": "replied",
        "re_dispatch": "withdrawn",
        "withdraw": "withdrawn",
        **_time("sub_dispatched"),
    },
    "replied": {"pass": "review_passed", "send_back": "sent_back", "withdraw": "withdrawn"},
    "sent_back": {
        "note": "sent_back",
        "sub_dispatch": "sub_dispatched",
        "recall": "sent_back",
        "send_back_below": "sent_back",
        "reply": "replied",
        "withdraw": "withdrawn",
        **_time("sent_back"),
    },
    "review_passed": {},
    "returned": {},
    "withdrawn": {},
}
"""One unit's part of an appeal. Only the lead's reply is reviewed; an assisting or second-level unit ends with its reply."""

APPROVAL: Table = {
    "received": {"pre_check": "pre_checked", "withdraw": "withdrawn"},
    "pre_checked": {
        "accept": "accepted",
        "deem_accepted": "deemed_accepted",
        "ask_materials": "materials_asked",
        "not_accept": "not_accepted",
        "withdraw": "withdrawn",
    },
    "materials_asked": {"supply_materials": "pre_checked", "lapse": "not_accepted", "withdraw": "withdrawn"},
    "deemed_accepted": {"examine": "examining", "withdraw": "withdrawn"},
    "accepted": {"examine": "examining", "withdraw": "withdrawn"},
    "examining": {
        "begin_excluded": "excluded_procedure",
        "grant": "granted",
        "grant_on_promise": "granted_on_promise",
        "refuse": "refused",
        "withdraw": "withdrawn",
    },
    "excluded_procedure": {"end_excluded": "examining", "withdraw": "withdrawn"},
    "granted": {"make_certificate": "certificate_made"},
    "granted_on_promise": {"make_certificate": "certificate_made", "break_promise": "refused"},
    "refused": {"deliver": "delivered"},
    "certificate_made": {"deliver": "delivered"},
    "delivered": {"notify_regulator": "regulator_notified", "archive": "archived"},
    "regulator_notified": {"archive": "archived"},
    "not_accepted": {"archive": "archived"},
    "withdrawn": {"archive": "archived"},
    "archived": {},
}
"""One approval (许可) of a one-thing. Vocabulary for now: the legs of a one-thing run by the table LEG."""

TABLES: Mapping[str, Table] = {"appeal": APPEAL, "leg": LEG, "approval": APPROVAL}

LEAD_MOVES = frozenset(
    {"dispatch", "sign", "deem_signed", "sub_dispatch", "re_dispatch", "accept_return", "reply", "pass", "send_back"}
)
"""Actions on the lead leg that move the appeal as well (deem_signed moves it as sign does)."""

LATER: frozenset[str] = frozenset()
"""In the tables of appeal and leg, and not brought about by any command yet."""

ANYTIME = frozenset({"urge", "supervise", "instruct", "lift", "ex_officio", "mark_malicious", "reveal"})
"""May be done in every state of an appeal in which somebody has something in hand, and moves nothing."""

OPEN_LEG = frozenset(
    {"dispatched", "signed", "sub_dispatched", "return_asked", "return_rejected", "arbitration", "ruled", "sent_back"}
)
"""States of a leg in which its unit still has to act."""

ENDED = frozenset({"closed", "archived", "forgotten"})
"""States of an appeal in which nothing runs any more."""

ACTING = (
    "sub_dispatch", "recall", "send_back_below", "return", "arbitrate", "reply", "note", "ask_extension", "pause", "go_on",
    "ask_hang",
)  # fmt: skip
"""What a unit may do with work it has signed for. Doing one of them unsigned signs first: nobody gains by not signing."""

TASK_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "handle": ("sign", *ACTING),
    "review": ("pass", "send_back"),
    "decide_return": ("accept_return", "reject_return", "arbitrate"),
    "arbitrate": ("rule",),
    "decide_extension": ("grant_extension", "refuse_extension"),
    "triage": ("dispatch", "redirect", "answer_at_once"),
    "confirm_refusal": ("confirm_refusal", "reject_refusal"),
    "confirm_receipt": ("confirm_receipt",),
    "acknowledge": ("acknowledge",),
    "report": ("report",),
    "read_report": ("accept_report", "reject_report"),
    "decide_merge": ("accept_merge", "reject_merge"),
    "decide_hang": ("grant_hang", "refuse_hang"),
    "review_plan": ("review_plan",),
    "call_back": ("call_back", "not_reached", "redo"),
    "judge_review": ("grant_appeal", "refuse_appeal"),
    "end_procedure": ("end_procedure",),
}
"""What a reply to a task of each kind may say."""

SPOKEN_FOR = ("sign", "reply")
"""What a unit above may say for one that it dispatched to."""

LEG_ACTION: Mapping[str, str] = {"return": "ask_return"}
"""A reply's action that has another name in the table LEG."""

Verdict = Literal["", "not_allowed", "not_available"]


def verdict(table: Table, state: str, action: str) -> Verdict:
    """Whether `action` may be done in `state`: empty if so, else the code of the refusal."""
    if action not in table[state]:
        return "" if table is APPEAL and action in ANYTIME and state not in ENDED else "not_allowed"
    return "not_available" if table is APPROVAL or action in LATER else ""
