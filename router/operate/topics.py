"""
The topics, declared once: name, partitions, retention, size, who writes, who reads (design §4).

Auto-creation is off at the broker. A partition count never changes meaning once records exist:
`case.*` have as many partitions as there are shards.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from adapters.kafka.log import TopicSpec

DAY = 24 * 3600 * 1000
FOR_EVER = -1
BIG = 13 << 20


@dataclass(frozen=True)
class Kind:
    """One row: a topic, or a family of them (`{}` is the channel, endpoint or stage)."""

    name: str
    key: str
    partitions: int | str
    retention_ms: int
    written_by: str
    read_by: str
    max_bytes: int = 1 << 20
    compacted: bool = False


KINDS = (
    Kind("intake.{}", "the channel's own id", 1, 30 * DAY, "channel", "intake", BIG),
    Kind("answers.{}", "the channel's own id", 1, 30 * DAY, "intake, delivery", "channel"),
    Kind("tasks.{}", "case id", 1, 90 * DAY, "delivery", "department", BIG),
    Kind("replies.{}", "case id", 1, 90 * DAY, "department", "intake", BIG),
    Kind(
        "case.commands", "case id", "shards", 30 * DAY, "intake, delivery, publisher, auditor, similar", "engine", BIG
    ),
    Kind("case.events", "case id", "shards", FOR_EVER, "engine", "projector, auditor, similar, insights", BIG),
    Kind(
        "case.state",
        "case id, <id>/request, <id>/parked, _shard",
        "shards",
        FOR_EVER,
        "engine",
        "engine",
        BIG,
        compacted=True,
    ),
    Kind("case.outbox", "case id", "shards", 30 * DAY, "engine", "delivery", BIG),
    Kind("supervision", "case id", 1, 90 * DAY, "delivery", "supervisors"),
    Kind(
        "catalog",
        "chunk hash, manifest/<version>, active, waiting",
        1,
        FOR_EVER,
        "publisher",
        "every process",
        compacted=True,
    ),
    # apart from `catalog`, which every process reads from its beginning
    Kind(
        "catalog.drafts", "draft/<name>, chunk hash", 1, FOR_EVER, "rule admins", "rule admins, shadow", compacted=True
    ),
    Kind("dead-letters.{}", "original key, else topic-partition-offset", 1, 90 * DAY, "intake, delivery", "ops"),
    # a parked case is released by its letters, however late; nothing that anybody wrote is in them
    Kind("dead-letters.engine", "case id, else topic-partition-offset", 1, FOR_EVER, "delivery", "ops"),
    Kind("audit", "stream", 1, FOR_EVER, "admin acts", "auditors"),
    Kind("insights.surges", "category|place|channel", 1, 30 * DAY, "insights", "centre"),
)
STAGES = ("intake", "engine", "delivery")


class Topics:
    """Full topic names for one prefix, and the specs to create them with."""

    def __init__(self, prefix: str, shards: int, replication: int = 1) -> None:
        self.prefix, self.shards, self.replication = prefix, shards, replication
        self.commands, self.events = f"{prefix}case.commands", f"{prefix}case.events"
        self.state, self.outbox = f"{prefix}case.state", f"{prefix}case.outbox"
        self.catalog, self.drafts = f"{prefix}catalog", f"{prefix}catalog.drafts"
        self.supervision = f"{prefix}supervision"
        self.surges, self.audit = f"{prefix}insights.surges", f"{prefix}audit"

    def intake(self, channel: str) -> str:
        return f"{self.prefix}intake.{channel}"

    def answers(self, channel: str) -> str:
        return f"{self.prefix}answers.{channel}"

    def tasks(self, endpoint: str) -> str:
        return f"{self.prefix}tasks.{endpoint}"

    def replies(self, endpoint: str) -> str:
        return f"{self.prefix}replies.{endpoint}"

    def dead_letters(self, stage: str) -> str:
        return f"{self.prefix}dead-letters.{stage}"

    def group(self, role: str) -> str:
        """The consumer group of a role."""
        return f"{self.prefix}{role}"

    def short(self, topic: str) -> str:
        """The name without the prefix, as it stands in messages and ledgers."""
        return topic.removeprefix(self.prefix)

    def specs(self, channels: Iterable[str], endpoints: Iterable[str]) -> list[TopicSpec]:
        """Every topic that these channels and endpoints need."""
        members = {
            "intake.{}": channels, "answers.{}": channels, "tasks.{}": endpoints, "replies.{}": endpoints, "dead-letters.{}": [stage for stage in STAGES if stage != "engine"],
        }  # fmt: skip
        members = {family: list(names) for family, names in members.items()}
        return [
            self._spec(kind, kind.name.format(member)) for kind in KINDS for member in members.get(kind.name, ("",))
        ]

    def _spec(self, kind: Kind, name: str) -> TopicSpec:
        partitions = self.shards if isinstance(kind.partitions, str) else kind.partitions
        config = {"max.message.bytes": str(kind.max_bytes), "retention.ms": str(kind.retention_ms)}
        if kind.compacted:
            # a store older than the tombstones is rebuilt from empty (design D5), so they stay a week
            config |= {"cleanup.policy": "compact", "delete.retention.ms": str(7 * DAY), "retention.ms": str(FOR_EVER)}
        if kind.name == "case.state":
            config["message.timestamp.type"] = "LogAppendTime"
        return TopicSpec(self.prefix + name, partitions, self.replication, config)
