"""
How often the simulated people do what: a row for each thing that one of them may do, in percent of its table.

The `basis` says where a number comes from. Where it names no source none is known: the share is made up, and plausible.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.handling import ReplyAction, TaskKind


class Share(NamedTuple):
    """One row: `name` is done by `percent` of those who have the choice."""

    name: str
    percent: int
    basis: str = ""


UNITS: Sequence[Share] = (
    Share("prompt", 38, "淮北 2021-03：转办件平均 2 个工作日办结"),
    Share("sub_dispatching", 22, "宜春 2023-05：84.97% 派到县区，由其再转派；有下属单位可派的才转派"),
    Share("slow", 13),
    Share("returning", 9, "宜春 2023-05：任一时刻 3.92% 在单位之间流转；一生中退过一次的要多些"),
    Share("extending", 9),
    Share("silent", 6, "淮北 2021-03：2 544 件中 10 件超期；这里多得多，好让四百件中看得到每一级升级"),
    Share("pausing", 3),
)
"""How a unit takes a task. Who may not do it, or has nobody for it, does the work itself, promptly."""

IN_ONE_THINGS: Sequence[Share] = (
    Share("at_once", 82, "“一件事”以小时承诺"),
    Share("prompt", 10),
    Share("slow", 5),
    Share("silent", 3),
)
"""The same for the legs of a one-thing."""

NOTED: Sequence[Share] = (Share("noted", 30), Share("silent", 70))
"""Whether a unit that needs longer than a day says in between how far it is."""

LENGTHS: Sequence[Share] = (
    Share("2wd", 35),
    Share("3wd", 35),
    Share("5wd", 25),
    Share("10wd", 5, "《山东省政务服务热线管理办法》：延长不超过 10 个工作日"),
)
"""How much more time is asked for. What the policy does not give that long is refused, as in life."""

OFFICERS: Mapping[TaskKind, Sequence[Share]] = {
    TaskKind.REVIEW: (Share(ReplyAction.PASS, 83), Share(ReplyAction.SEND_BACK, 17)),
    TaskKind.DECIDE_RETURN: (
        Share(ReplyAction.ACCEPT_RETURN, 68),
        Share(ReplyAction.REJECT_RETURN, 26),
        Share(ReplyAction.ARBITRATE, 6),
    ),
    TaskKind.DECIDE_EXTENSION: (
        Share(ReplyAction.GRANT_EXTENSION, 65),
        Share("shorten", 20),
        Share(ReplyAction.REFUSE_EXTENSION, 15),
    ),
    TaskKind.CONFIRM_REFUSAL: (Share(ReplyAction.CONFIRM_REFUSAL, 75), Share(ReplyAction.REJECT_REFUSAL, 25)),
    TaskKind.DECIDE_MERGE: (Share(ReplyAction.ACCEPT_MERGE, 70), Share(ReplyAction.REJECT_MERGE, 30)),
}
"""What an officer decides, where there is a choice."""

RESULTS: Sequence[Share] = (
    Share("solved", 62),
    Share("answered", 22),
    Share("unreasonable", 7),
    Share("transferred", 6),
    Share("referred_outside", 3),
)
"""Results of replies."""
