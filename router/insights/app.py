"""
The Faust app of the insights role: two agents, one table.

    case.events ──(sight)──▶ <app>-sightings, by category|place|channel ──(count)──▶ table, insights.surges

The first agent takes of each record what is counted and no more, so that no citizen's text reaches a
topic of Faust's. The second owns the cells of its keys. Nothing starts or connects before `App.start`.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import faust
import msgspec
import orjson
import structlog
from faust.types import ProcessingGuarantee

from adapters.clock import to_text
from router.insights.surge import Rule, Sighting, Surge, from_json, to_json
from router.insights.transport import CommittedTransport
from router.operate import metrics
from router.operate.topics import Topics
from workflows import events

log = structlog.get_logger()

VERSION = 1
"""Raise it to count anew from the beginning: Faust keeps offsets and topics per version of the app."""

_sighting = msgspec.json.Decoder(Sighting).decode
_encode = msgspec.json.Encoder().encode

Fail = Callable[[BaseException], None]
"""Told of an error that must end the process; the record it happened on may be counted as read (reliability.md L2)."""


def make_app(bootstrap: str, topics: Topics, folder: Path, rule: Rule, fail: Fail) -> faust.App:
    """The app, not connected yet. `folder` exists; Faust keeps nothing in it but its own folders."""
    app = faust.App(
        topics.group("insights"),
        version=VERSION,
        broker=f"kafka://{bootstrap}",
        store="memory://",
        datadir=str(folder),
        autodiscover=False,
        web_enabled=False,
        processing_guarantee=ProcessingGuarantee.AT_LEAST_ONCE,
        key_serializer="raw",
        value_serializer="raw",
        topic_partitions=topics.shards,
        topic_replication_factor=topics.replication,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=1.0,
    )
    app.transport = CommittedTransport(app.conf.broker_consumer, app)
    happened = app.topic(topics.events)
    sightings = app.topic(f"{app.conf.id}-sightings", internal=True, partitions=topics.shards)
    surges = app.topic(topics.surges)
    cells = app.Table("cells", partitions=topics.shards)

    async def sight(event: Any) -> None:
        for sighting in sighted(event):
            await (await sightings.send(key=sighting.key.encode(), value=_encode(sighting)))
            metrics.SIGHTED.inc()

    async def count(event: Any) -> None:
        sighting = _sighting(event.value)
        cell = from_json(cells.get(sighting.key))
        surge = cell.count(sighting, rule)
        cells[sighting.key] = to_json(cell)
        if surge is not None:
            await (await surges.send(key=sighting.key.encode(), value=_said(sighting, surge)))
            metrics.SURGES.inc()

    app.agent(happened, name="sight", concurrency=1)(_agent("sight", sight, fail))
    app.agent(sightings, name="count", concurrency=1)(_agent("count", count, fail))
    return app


def _agent(stage: str, act: Callable[[Any], Awaitable[None]], fail: Fail) -> Callable[[Any], Awaitable[None]]:
    """An agent that catches everything: what cannot be read is passed over, anything else ends the process."""

    async def agent(stream: Any) -> None:
        async for event in stream.events():
            try:
                await act(event)
            except msgspec.MsgspecError as error:
                metrics.INSIGHTS_UNREADABLE.labels(stage).inc()
                log.error(
                    "insights.record_skipped",
                    name=stage,
                    partition=event.message.partition,
                    offset=event.message.offset,
                    error=error,
                )
            except Exception as error:
                fail(error)

    return agent


def sighted(event: Any) -> list[Sighting]:
    """What one record of `case.events` gives to count."""
    where = event.message.partition, event.message.offset
    return [
        Sighting(e.category, e.region, e.channel, e.received_at, *where)
        for e in events.decode(event.value or b"").events
        if isinstance(e, events.CaseRegistered)
    ]


def _said(sighting: Sighting, surge: Surge) -> bytes:
    """A record of `insights.surges`. `id` names the window and the cell: the same surge told twice has the same id."""
    return orjson.dumps(
        {
            "id": f"{surge.key}@{surge.end}",
            "window": {"from": to_text(surge.start), "to": to_text(surge.end)},
            "category": sighting.category,
            "place": sighting.place,
            "channel": sighting.channel,
            "count": surge.count,
            "baseline": round(surge.baseline, 2),
        }
    )
