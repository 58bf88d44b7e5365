"""What may be said to a case of the small world, drawn by hypothesis, whether it fits or not."""

from hypothesis import strategies as st

from tests.unit.workflows.small_world import UNITS
from workflows.states import LEG, LEG_ACTION, TASK_ACTIONS

ACTIONS = sorted({action for actions in TASK_ACTIONS.values() for action in actions})
UNIT = st.sampled_from([*UNITS, "370102.none"])
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "result": st.sampled_from(["solved", "answered", "transferred"]),
        "text": st.just("已办"),
        "reason": st.sampled_from(["不属本局职责", "appraisal", "applicant", "listed"]),
        "proposed_unit": UNIT,
        "units": st.lists(
            UNIT | st.sampled_from(["370102001.town", "370102002.town", "370102001001.village"]), max_size=2
        ),
        "targets": st.lists(
            st.fixed_dictionaries({"unit": UNIT, "part": st.sampled_from(["lead", "assist", "copy"])}), max_size=3
        ),
        "contacted": st.booleans(),
        "category": st.sampled_from(["street", "unheard-of"]),
        "document": st.just("裁〔2026〕3号"),
        "charged": UNIT,
        "basis": st.just("三定方案"),
        "unanswered": st.lists(UNIT, max_size=3),
        "attachments": st.just([{"name": "a.jpg", "uri": "oss://a"}]),
        "limit": st.sampled_from(["1wd", "5wd", "10wd", "11wd", "24h"]),
        "until": st.sampled_from(["2026-09-20T09:00:00+08:00", "2027-03-31T17:00:00+08:00"]),
        "procedure": st.sampled_from(["petition", "unheard-of"]),
        "solved": st.booleans(),
        "satisfied": st.booleans(),
        "officer": st.just("0001"),
        "confirmed_by": st.sampled_from(["0001", "0002"]),
    },
)
OTHER = "11111111-0000-5000-8000-000000000001"
"""Another case: what it says to this one is drawn, whether it fits or not."""
ORDERS = st.fixed_dictionaries(
    {"officer": st.just("0001")},
    optional={
        "post": st.just("分管副市长"),
        "limit": st.sampled_from(["1wd", "24h"]),
        "order": st.sampled_from(["1", "2"]),
        "basis": st.just("某条例第九条"),
        "where_to_turn": st.just("人民法院"),
        "fields": st.lists(st.sampled_from(["name", "phone", "shoe_size"]), max_size=2),
        "confirmed_by": st.sampled_from(["0001", "0002"]),
        "reason": st.sampled_from(["listed", "unlisted"]),
        "text": st.just("请尽快"),
        "document": st.just("政督〔2026〕1号"),
        "leg": st.sampled_from(["1", "2", "1.1", "9"]),
        "targets": st.lists(
            st.fixed_dictionaries({"unit": UNIT, "part": st.sampled_from(["lead", "lead", "assist"])}), max_size=2
        ),
        "cases": st.just([OTHER]),
        "parts": st.just([{"title": "路面破损", "category": "alone"}]),
    },
)
ENTITLED = {
    "supervise": "370100.watch", "lift": "370100.watch", "instruct": "370100.mayor", "reveal": "370102.urban",
    "ex_officio": "370102.urban",
}  # fmt: skip
"""Who may give an order; all others the centre may."""
WHOLE = {
    "officer": "0001", "confirmed_by": "0002", "reason": "listed", "text": "x", "document": "政督〔2026〕1号", "post": "分管副市长",
    "basis": "某条例第九条", "where_to_turn": "人民法院", "fields": ["name"],
    "attachments": [{"name": "a.jpg", "uri": "oss://a"}],
}  # fmt: skip
HANG = {
    "reason": "listed",
    "text": "列入计划",
    "until": "2027-03-31T17:00:00+08:00",
    "officer": "0001",
    "confirmed_by": "0002",
}
FULL = {
    "result": "solved", "text": "已办", "reason": "不属本局职责", "document": "裁〔2026〕3号",
    "limit": "5wd", "contacted": True, "solved": False, "satisfied": False, "officer": "0001", "confirmed_by": "0002",
    "unanswered": ["370102.water", "370102.health"],
}  # fmt: skip


def fits(state: str, action: str) -> bool:
    """Whether a unit may say it with its leg in this state, signing first where it must."""
    state = "signed" if state == "dispatched" and action != "sign" else state
    return LEG_ACTION.get(action, action) in LEG[state]
