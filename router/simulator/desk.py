"""
What the simulated people know: the directory of the catalogue, and whose business a citizen's words are about.

They read the request as a clerk does: first its category, then its words. The words stand here and not in the
catalogue, because they are part of the simulation: no real case is routed by them.
"""

from collections.abc import Sequence

from router.catalogue.catalogue import Catalogue
from schemas.task import Task
from workflows.facts import Target, Unit

WORDS: tuple[tuple[str, str], ...] = (
    ("工资 工钱 欠薪 讨薪", "labour-inspection"),
    ("社保 养老金 退休", "social-insurance"),
    ("医保 报销 透析", "medical-insurance"),
    ("学校 孩子上 校车 老师 学生", "education"),
    ("医院 卫生院 医生", "health"),
    ("自来水 水管 停水 水费", "water-supply"),
    ("停电 供电 变压器", "power-supply"),
    ("燃气", "gas-supply"),
    ("暖气 供热", "heat-supply"),
    ("物业 业主", "property-management"),
    ("公交 站台", "bus"),
    ("路灯 井盖 摊 占道 盲道", "urban-management"),
    ("垃圾 保洁", "sanitation"),
    ("树 绿化", "landscaping"),
    ("停车 违停 货车", "traffic-police"),
    ("公路 道路 路断", "road-maintenance"),
    ("井 灌溉 水库", "water-resources"),
    ("地边 承包 宅基", "rural-affairs"),
    ("轮渡 船", "transport"),
    ("蛇 马蜂", "fire-rescue"),
    ("货款 退款 商家", "market-supervision"),
    ("低保 补助 补贴", "civil-affairs"),
)
FALLBACK = "town-affairs"
"""首接负责: what nobody can name goes to the town, or to the government above it."""


class Desk:
    """adapters.departments.simulated.Directory over one version of the catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.facts = catalogue.facts()

    def children(self, task: Task) -> Sequence[str]:
        """The own unit that does such work in daily life, else own units one level down."""
        own = self.facts.children(task.unit)
        bearer = self.bearer(task)
        if any(unit.id == bearer for unit in own):
            return (str(bearer),)
        here = self.facts.unit(task.unit)
        return [unit.id for unit in own if here and _is_below(unit, here, _town(task))]

    def bearer(self, task: Task) -> str | None:
        """Who holds the function of the category, or of the first word that is known, at the place."""
        for function in (*self._named(task), *_worded(task), FALLBACK, "government"):
            unit = self.facts.resolve(Target(function=function), _region(task))
            if unit is not None:
                return unit.id
        return None

    def pause(self, task: Task) -> str:
        """The first that the policy of the task's rule lists."""
        rule = self._catalogue.rules.get(task.rule.id) if task.rule else None
        policy = self._catalogue.policies.get((rule and rule.then.policy) or self._catalogue.header.default_policy)
        return policy.pauses[0].reason if policy and policy.pauses else ""

    def _named(self, task: Task) -> Sequence[str]:
        category = (task.request and task.request.appeal_category) or ""
        named = self.facts.routes.named_by("@category", category, "")
        return (named[0],) if named else ()


def _worded(task: Task) -> Sequence[str]:
    text = task.title + (task.request.text if task.request else "")
    return [function for words, function in WORDS if any(word in text for word in words.split())]


def _region(task: Task) -> str:
    """Where it happened, else where it was received, else where the unit sits."""
    request = task.request
    place = (request.place.region if request and request.place else None) or (
        request.received_region if request else None
    )
    return place or task.unit.partition(".")[0][:6]


def _town(task: Task) -> str:
    return (task.request.place.town9 or "") if task.request and task.request.place else ""


def _is_below(unit: Unit, here: Unit, town: str) -> bool:
    """Whether a unit sits one level down: in the town in question where that is known."""
    return unit.place != here.place and (unit.place == town if town else True)
