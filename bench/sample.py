"""
Requests as a hotline would write them, about 1 KB each: seeded, so that every contender gets the same.

Categories and places are drawn from the catalogue, a few of them often and most of them seldom, so that many
rules and units have work. Emergencies and one-things are left out: they take another path.
"""

import random
from dataclasses import dataclass
from itertools import accumulate

import orjson

from adapters.clock import to_text
from router.catalogue.catalogue import Catalogue
from schemas.ids import case_id
from schemas.registry import REQUEST_SUBMITTED

SEED = 12345
CHANNELS = {"hotline_12345": 60, "wechat": 12, "complaint_zone": 8, "grid": 6, "website": 5, "enterprise_appeal": 4, "people_cn": 3, "police_110": 2}  # fmt: skip
KINDS = {"help": 56, "consult": 22, "report": 9, "complaint": 7, "suggestion": 2, "other": 4}
URGENCIES = {"normal": 90, "urgent": 10}
OPENINGS = ("市民来电反映", "群众通过热线反映", "诉求人再次来电反映", "网格员巡查时发现", "居民联名反映")
FACTS = (
    "问题已持续两周，此前向社区和物业反映过，一直没有明确答复",
    "附近有学校和菜市场，早晚高峰人流量大，影响居民正常出行",
    "现场有照片和视频为证，诉求人愿意配合工作人员到现场核实",
    "夜间尤为明显，老人和孩子休息受到影响，邻里多次协商没有结果",
    "曾收到短信告知已经办结，但实际情况没有改变，诉求人对此不认可",
    "希望明确责任单位和办理时限，并说明处理依据和后续的监管措施",
)
WISHES = ("请相关部门尽快到现场核实处理，并电话回复诉求人。", "希望有关单位依法查处，处理结果请书面告知。", "请明确办理时限，并由主办单位统一答复。")  # fmt: skip


@dataclass(frozen=True)
class Request:
    """One record for `intake.<channel>`: key `ref`, value a CloudEvent in structured mode."""

    channel: str
    ref: str
    value: bytes

    @property
    def case(self) -> str:
        return case_id(self.channel, self.ref)


class Sample:
    """An endless row of requests; `take` gives the next ones. The same seed gives the same row."""

    def __init__(self, catalogue: Catalogue, now: int, seed: int = SEED) -> None:
        self._random = random.Random(seed)
        self._catalogue, self._now, self._seed, self._made = catalogue, to_text(now), seed, 0
        self._occurred = to_text(now - 26 * 3600 * 1000)
        inner = {row.parent for row in catalogue.categories.values()}
        urgent = {code for row in catalogue.emergencies.values() for code in row.categories}
        leaves = [c for c, row in catalogue.categories.items() if c not in inner | urgent and not row.emergency]
        counties = [p.code for p in catalogue.divisions.values() if p.level == "county" and not p.abolished]
        self._categories, self._places = self._skewed(leaves), self._skewed(counties)

    def take(self, count: int) -> list[Request]:
        """The next `count` requests."""
        return [self._one() for _ in range(count)]

    def _skewed(self, names: list[str]) -> tuple[list[str], list[float]]:
        """In an order of our own, the n-th with weight 1 / (n + 10); weights are summed up, as `choices` wants them."""
        self._random.shuffle(names)
        return names, list(accumulate(1 / (n + 10) for n in range(len(names))))

    def _weighted(self, shares: dict[str, int]) -> str:
        return self._random.choices(list(shares), list(shares.values()))[0]

    def _drawn(self, skewed: tuple[list[str], list[float]]) -> str:
        return self._random.choices(skewed[0], cum_weights=skewed[1])[0]

    def _one(self) -> Request:
        self._made += 1
        channel, ref = self._weighted(CHANNELS), f"bench-{self._seed}-{self._made:07d}"
        event = {
            "specversion": "1.0",
            "id": ref,
            "source": f"/channels/{channel}",
            "type": REQUEST_SUBMITTED,
            "time": self._now,
            "datacontenttype": "application/json",
            "data": self._data(channel),
        }
        return Request(channel, ref, orjson.dumps(event))

    def _data(self, channel: str) -> dict[str, object]:
        row, pick = self._catalogue.channels[channel], self._random
        category, region = self._drawn(self._categories), self._drawn(self._places)
        name, place = self._catalogue.categories[category].name, self._catalogue.divisions[region].name
        street = f"{place}{pick.choice('东西南北')}关街{pick.randint(1, 300)}号"
        return {
            "title": f"{place}{name}",
            "text": f"{pick.choice(OPENINGS)}：{street}存在{name}的问题。{'；'.join(pick.sample(FACTS, 3))}。{pick.choice(WISHES)}",
            "appeal_kind": self._weighted(KINDS),
            "medium": row.medium,
            "origin": row.origin,
            "appeal_category": category,
            "place": {"region": region, "address": street},
            "applicant": {"kind": "person", "name": "王某某", "phone": f"138{pick.randint(0, 99999999):08d}"},
            "urgency": self._weighted(URGENCIES),
            "wants": {"reply": True, "callback": True},
            "tags": [f"t{pick.randint(1, 40)}"],
            "occurred_at": self._occurred,
        }
