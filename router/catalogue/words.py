"""Closed lists of words that rows and rules may use, as the contract has them, and what people call them."""

from collections.abc import Mapping

from schemas.handling import OrderAction, ReplyAction
from schemas.vocabulary import AppealKind, ApplicantKind, Disclosure, Medium, Origin, RefusalGround, Urgency, Word

_KINDS: dict[str, type[Word]] = {
    "kind": AppealKind, "origin": Origin, "medium": Medium, "applicant": ApplicantKind, "urgency": Urgency,
    "disclosure": Disclosure, "ground": RefusalGround,
}  # fmt: skip

WORDS: dict[str, tuple[str, ...]] = {
    **{name: tuple(str(word.value) for word in kind) for name, kind in _KINDS.items()},
    "yes_no": ("yes", "no"),
    "reasoned": (
        *dict.fromkeys(str(word.value) for kind in (OrderAction, ReplyAction) for word in kind),
        "evaluate",
    ),
}

LABELS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    **{name: {str(word.value): (word.zh, word.en) for word in kind} for name, kind in _KINDS.items()},
    "raised": {str(word.value): (word.zh, word.en) for word in (Urgency.URGENT, Urgency.EMERGENCY)},
    "level": {
        "village": ("村居", "village"), "town": ("镇街", "town"), "county": ("县级", "county"), "city": ("市级", "city"),
        "province": ("省级", "province"),
    },
    "role": {
        "handle": ("办理", "handles"), "approve": ("审批", "approves"), "supervise": ("监管", "supervises"), "review": ("审核", "reviews"),
        "triage": ("人工分派", "dispatches"), "arbitrate": ("裁定", "arbitrates"),
    },
    "hours": {
        "working_hours": ("工作时间", "in working hours"), "outside_working_hours": ("非工作时间", "outside working hours"),
    },
    "state": {
        "(missing)": ("未填", "not there"), "(null)": ("空值", "null"), "(empty)": ("内容为空", "without content"), "(present)": ("有值", "any value"),
    },
    "row": {
        "@category": ("诉求分类所写的职能", "what the category names"), "@matter": ("事项所写的职能", "what the matter names"),
    },
}  # fmt: skip
"""List → word → its name in Chinese and English."""
