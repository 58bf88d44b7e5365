"""With the shipped catalogue: a guess that it is an emergency reaches a dispatcher through every channel."""

from typing import cast

import pytest
from msgspec import Raw, json

from schemas.ids import case_id
from tests.unit.catalogue.shandong import shandong
from workflows import events as ev
from workflows.commands import Submit
from workflows.decide import decide
from workflows.facts import Facts
from workflows.proposals import Guess, Proposal

NOW = 1_789_693_200_000
DIRECT = "window_cannot_do", "good_bad_review", "enterprise_appeal", "superior_order", "grid"
"""Channels whose rules dispatch a request that names no category"""


@pytest.mark.parametrize("channel", shandong().channels)
def test_a_dispatcher_is_asked_at_once(channel: str) -> None:
    alone, guessed = (_decided(channel, category) for category in ("", "C070401"))
    assert ("LegDispatched" in map(_name, alone)) == (channel in DIRECT)
    (asked,) = (event for event in guessed if isinstance(event, ev.TriageAsked))
    assert asked.reason == "proposed_emergency"
    assert not {"LegDispatched", "RefusalProposed", "EmergencyRedirected"} & set(map(_name, guessed))


def _decided(channel: str, category: str) -> list[ev.AnyEvent]:
    body = {"title": "老人倒地不醒，求救", "appeal_kind": "help", "place": {"region": "370102"}}
    proposal = Proposal(
        by="model", version="1/a", threshold=0.7, top=(Guess("C070401", 0.99),), category=category,
        score=0.99 if category else 0.0,
    )  # fmt: skip
    command = Submit(
        id="00000000-0000-5000-8000-000000000001", case=case_id(channel, "r"), at=NOW, channel=channel, ref="r",
        request=Raw(json.encode(body)), digest="", received_at=NOW, serial="1", proposal=proposal,
    )  # fmt: skip
    return decide(None, command, cast(Facts, shandong().facts()), NOW)


def _name(event: ev.AnyEvent) -> str:
    return type(event).__name__
