"""Records of `case.events` as an engine writes them, for what reads history."""

from typing import Any

from msgspec import Raw, json

from router.catalogue.catalogue import Catalogue
from router.rules.backtest import Registered
from schemas.ids import case_id, command_id
from tests.unit.workflows.small_world import Told
from workflows import commands as cmd
from workflows.events import EventRecord
from workflows.handle import Step, step

NINE = 1_789_693_200_000
"""Friday 2026-09-18T09:00+08:00"""
HOUR = 3_600_000
DAY = 24 * HOUR


def submitted(
    catalogue: Catalogue, ref: str, at: int = NINE, channel: str = "phone", received_at: int = 0, **request: Any
) -> Step:
    """A request of this channel, decided by this catalogue at `at`."""
    case = case_id(channel, ref)
    body = Raw(json.encode({"appeal_kind": "help", "title": "张三 13800001111"} | request))
    command = cmd.Submit(
        id=command_id(case, ref), case=case, at=at, source=f"intake.{channel}/0/1", channel=channel, ref=ref,
        request=body, digest=ref, received_at=received_at or at, query_code="Q", serial=str(int(case[:6], 16))[-7:],
    )  # fmt: skip
    return step(None, command, catalogue.facts(), at)


def archived(catalogue: Catalogue, ref: str, at: int = NINE, **request: Any) -> EventRecord:
    """Its record."""
    record = submitted(catalogue, ref, at, **request).record
    assert record is not None
    return record


def asked(ref: str = "r", at: int = NINE, channel: str = "phone", received_at: int = 0, **request: Any) -> Registered:
    """The same request as a reader of the history gives it."""
    body = Raw(json.encode({"appeal_kind": "help", "title": ""} | request))
    return Registered(
        case=case_id(channel, ref), number=f"n-{ref}", at=at, catalogue=1, rule="", channel=channel, ref=ref,
        request=body, received_at=received_at or at,
    )  # fmt: skip


def disputed(catalogue: Catalogue, now: int = NINE) -> Told:
    """A case that its unit returned, whose return was rejected, and that an arbitration body gave to the city's roads."""
    told = Told(facts=catalogue.facts(), now=now).submit("C111")  # type: ignore[arg-type]
    told.reply("handle", "return", reason="非本单位职责").reply("decide_return", "reject_return")
    told.reply("handle", "arbitrate", reason="道路已移交市里")
    ruling = {"document": "裁〔2026〕3号", "reason": "移交市里", "targets": [{"unit": "370100.roads"}]}
    return told.reply("arbitrate", "rule", **ruling)
