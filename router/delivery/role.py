"""`duokua run delivery`: copies `case.outbox` to where each message goes; offsets after the acknowledgements."""

from collections import Counter

import structlog
from msgspec import MsgspecError

from adapters.kafka.log import RecordRefused
from router.delivery.fanout import fan_out
from router.operate import metrics
from router.operate.process import Process
from router.operate.pump import Batch, pump
from workflows.outgoing import OutboxRecord, decode

log = structlog.get_logger()


async def run(process: Process) -> None:
    """Until asked to stop. A topic that does not exist ends the process: nothing may be passed over."""
    topics = process.topics
    async with (
        process.log.writer() as writer,
        process.log.reader([topics.outbox], group=topics.group("delivery"), lost="none") as reader,
    ):

        async def deliver(batch: Batch) -> None:
            sent: Counter[str] = Counter()
            for record in (r for records in batch.values() for r in records):
                for message in fan_out(_read(record.value), topics):
                    writer.add(*message)
                    sent[topics.short(message.topic).partition(".")[0]] += 1
            try:
                await writer.flush()
            except RecordRefused as error:
                log.error("delivery.refused", topic=error.topic, error=error)
                raise
            for family, count in sent.items():
                metrics.DELIVERED.labels(family).inc(count)

        await pump(process, reader, deliver)


def _read(value: bytes) -> OutboxRecord:
    """The engine's own record. One that cannot be read is a defect that must stop delivery, not be passed over."""
    try:
        return decode(value)
    except MsgspecError:
        log.error("outbox.unreadable")
        raise
