"""`duokua rules train --from-log`: every case of the log is read once, to its end."""

from adapters.kafka.log import TopicSpec
from adapters.kafka.memory import MemoryLog
from router.cli.rules_train import _decided
from tests.unit.workflows.small_world import told
from workflows import events as ev
from workflows.proposals import Proposal

TOPIC = "duokua.case.events"


async def test_labels_are_collected_from_every_partition() -> None:
    asked = told().submit("", title="甲", proposal=Proposal(by="model", version="1/a", threshold=0.5))
    asked.reply("triage", "dispatch", targets=[{"unit": "370102.water"}], category="street")
    named = told().submit("alone", title="乙")
    log = MemoryLog()
    await log.create_topics([TopicSpec(TOPIC, 3)])
    async with log.writer() as writer:
        for partition, (case, records) in enumerate((("1", asked.records), ("2", named.records))):
            for record in records:
                moved = ev.encode(record).replace(record.case.encode(), case.encode())
                writer.add(TOPIC, partition, case.encode(), moved)
        await writer.flush()
    samples = await _decided(log, TOPIC)
    assert {(sample.title, sample.category) for sample in samples} == {("甲", "street"), ("乙", "alone")}
