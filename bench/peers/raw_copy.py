"""
What aiokafka itself can do on the engine's hop: records copied exactly-once, one transactional producer a partition,
batches built by its C builder, no store, no thinking. Nothing of Duokua's log client is used.

    python -m bench.peers.raw_copy <part> <of>        settings from DUOKUA_*
"""

import asyncio
import signal
import sys
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from router.operate.settings import Settings

PAGE = 4000
BATCH_BYTES = 900 << 10


async def copy(consumer: AIOKafkaConsumer, source: TopicPartition, settings: Settings, stop: asyncio.Event) -> None:
    """One partition, transaction after transaction."""
    group = f"{settings.prefix}raw"
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap,
        transactional_id=f"{group}.{source.partition}",
        linger_ms=0,
        max_batch_size=BATCH_BYTES,
    )
    await producer.start()
    while not stop.is_set():
        found = await consumer.getmany(source, timeout_ms=200, max_records=PAGE)
        if records := found.get(source, []):
            await producer.begin_transaction()
            await _send(producer, f"{settings.prefix}out", source.partition, records)
            await producer.send_offsets_to_transaction({source: records[-1].offset + 1}, group)
            await producer.commit_transaction()
    await producer.stop()


async def _send(producer: AIOKafkaProducer, topic: str, partition: int, records: list[Any]) -> None:
    sent, batch = [], producer.create_batch()
    for record in records:
        if batch.append(key=record.key, value=record.value, timestamp=None) is None:
            sent.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(key=record.key, value=record.value, timestamp=None)
    sent.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*sent)


async def main(part: int, of: int) -> None:
    settings, stop = Settings(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_bytes=16 << 20,
        max_partition_fetch_bytes=8 << 20,
        check_crcs=False,
    )
    await consumer.start()
    sources = [TopicPartition(f"{settings.prefix}in", p) for p in range(settings.shards) if p % of == part]
    consumer.assign(sources)
    await consumer.seek_to_beginning(*sources)
    await asyncio.gather(*(copy(consumer, source, settings, stop) for source in sources))
    await consumer.stop()


if __name__ == "__main__":
    uvloop.run(main(*map(int, sys.argv[1:])))
