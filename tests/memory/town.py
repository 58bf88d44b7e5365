"""A town with an engine in memory whose core fails at some commands, and those who see to its dead letters."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition

from router.delivery.fanout import fan_out
from router.engine import batch
from router.operate import dead_letters
from router.operate.letters import Letter, Wanted, plan
from router.operate.redrive import Done, Person, opened
from schemas.ids import case_id, command_id
from schemas.registry import MODELS
from tests.memory.engine import house as module
from tests.memory.engine.house import House
from tests.unit.workflows.small_world import SmallWorld
from workflows import commands, events, outbox
from workflows.case import Case
from workflows.handle import Step

PERSON = Person("王", "已修复", "2026-09-18T10:00:00+08:00")
CASES = ("R1", "R2", "R3")


async def small_world(version: int, digest: str) -> SmallWorld:
    return SmallWorld()


async def at_once(count: int) -> None:
    """No pace."""


class Town:
    """An engine, a fan-out that follows it, and a core that fails at the commands one names."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.house, self.broken, self._sent = House(folder), set[str](), 0
        self.said: dict[str, list[str]] = {ref: [] for ref in CASES}
        real = batch.step

        def faulty(case: Case | None, command: Any, *more: Any) -> Step:
            if command.id in self.broken:
                raise KeyError
            return real(case, command, *more)

        patch.setattr(batch, "step", faulty)
        patch.setattr(module, "load_facts", small_world)
        self.house.process.settings = self.house.settings.model_copy(
            update={"dead_letter_share": 0.0, "dead_letters_in_a_row": 0}
        )

    async def open_cases(self) -> None:
        for ref in CASES:
            self.house.submit(ref, appeal_category="street")
        await self.work()

    def supplement(self, ref: str) -> str:
        """Say something more, numbered; returns the command's id."""
        case, text = case_id("hotline_12345", ref), f"{ref}-{len(self.said[ref])}"
        self.said[ref].append(text)
        source = f"intake.hotline_12345/0/{1000 + sum(map(len, self.said.values()))}"
        command = commands.Supplement(
            id=command_id(case, source), case=case, at=self.house.clock.time, source=source, channel="hotline_12345",
            ref=ref, body=msgspec.Raw(msgspec.json.encode({"text": text})),
        )  # fmt: skip
        self.house.send(command)
        return command.id

    async def work(self) -> None:
        """The engine decides all there is, delivery brings what came of it."""
        house = self.house
        await house.run(house.done)
        records = house.log.records[TopicPartition(house.topics.outbox, 0)]
        for record in records[self._sent :]:
            for message in fan_out(outbox.decode(record.value or b""), house.topics):
                tp = TopicPartition(message.topic, message.partition)
                house.log.append([(tp, message.key, message.value, message.headers)])
        self._sent = len(records)

    def write_again(self) -> None:
        """The last command, as an intake would that died before it committed how far it was."""
        record = self.house.log.records[self.house.input][-1]
        self.house.log.append([(self.house.input, record.key, record.value, record.headers)])

    def bring_again(self) -> None:
        """The engine's letters, as a delivery would that died before it committed how far it was."""
        dead = TopicPartition(self.house.topics.dead_letters("engine"), 0)
        self.house.log.append([(dead, r.key, r.value, r.headers) for r in list(self.house.log.records[dead])])

    async def letters(self, *, every: bool = False) -> list[Letter]:
        found = await dead_letters.letters(self.house.log, self.house.topics)
        return [letter for letter in found if every or letter.state == "open"]

    async def act(self, act: Any, wanted: Wanted, size: int = 100) -> Done:
        async with opened(self.house.log, self.house.topics, PERSON) as acting:
            planned = plan(act, await acting.look(), wanted)
            return await acting.do(planned, at_once, size)

    def heard(self, ref: str) -> list[str]:
        """What was said to the case, in the order in which it took effect."""
        case = case_id("hotline_12345", ref)
        return [
            msgspec.json.decode(e.body)["text"]
            for r in self.house.events()
            for e in r.events
            if isinstance(e, events.CaseSupplemented) and r.case == case
        ]

    def receipts(self) -> list[Any]:
        """What stands on the channel's topic, checked against the contract."""
        there = self.house.log.records[TopicPartition(self.house.topics.answers("hotline_12345"), 0)]
        named = [(dict(r.headers)["ce_type"].decode(), r.value) for r in there]
        return [MODELS[kind].model_validate_json(value) for kind, value in named if kind.endswith("receipt.issued.v1")]

    def parked(self) -> list[bytes]:
        return [key for key, value in self.house.state().items() if key.endswith(b"/parked") and value]
