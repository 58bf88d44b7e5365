"""A second opinion from outside: heard where it makes sense in time, and otherwise as if nobody had been asked."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from msgspec import Raw, json

from adapters.platforms.simulated import SimulatedPlatform
from router.intake import outside
from router.intake.platform import SecondOpinion
from router.intake.role import _guess
from router.intake.translate import Accepted, Rejected
from router.proposals.propose import Proposer
from schemas.faults import fault
from workflows import commands
from workflows.proposals import Proposal

OURS = Proposal(by="dictionary", version="1/a", threshold=0.5)
JUDGE = Proposer({"C01": "", "C0107": "C01", "C010703": "C0107", "C02": ""}, [], None, 0.5, "1/a")
REFUSED = Rejected("channel", "w", "r", fault("not_json"))


def accepted(title: str, *, free: bool = True) -> Accepted:
    command = commands.Submit(
        id=title, case="c", at=1, channel="w", ref="r", request=Raw(json.encode({"title": title})), digest="d",
        received_at=1, proposal=OURS if free else None,
    )  # fmt: skip
    return Accepted("c", 0, commands.encode(command), "t", [], command if free else None)


def proposal(one: Any) -> Proposal | None:
    command = commands.decode(one.command)
    assert isinstance(command, commands.Submit)
    return command.proposal


class Said:
    """A platform that says what it is told to, and counts how often it was asked."""

    name, version = "other", "7"

    def __init__(self, say: Callable[[], Awaitable[Any]]) -> None:
        self._say, self.asked = say, 0

    async def propose(self, messages: Any) -> Any:
        self.asked += 1
        return await self._say()


def saying(answer: Any) -> Said:
    async def say() -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Said(say)


async def test_what_makes_sense_takes_the_place_of_our_own() -> None:
    """By name and version, walked down our tree; what was not free text, and what was refused, stays as it was."""
    became = [accepted("路灯不亮"), REFUSED, accepted("别的", free=False), accepted("你好")]
    judged = await SecondOpinion(SimulatedPlatform()).on(became, JUDGE)
    said = proposal(judged[0])
    assert said is not None
    assert (said.by, said.version, said.category, said.score) == ("simulated-platform", "1", "C010703", 0.9)
    assert judged[1:] == became[1:]


GARBAGE = [
    None, [], [{}, {}], "x", [None], [{"C01": 2}], [{"C01": -1}], [{"C01": float("nan")}], [{"C99": 0.9}], [{1: 0.9}],
    [{"C01": "0.9"}], [{"C02": 10**400}], [{"C02": 1.0009}], [{"C02": -(10**400)}], [{"C01": 0.9, "C02": 0.9}], [["C01"]], [{f"C{i}": 0.0 for i in range(99)}],
    OSError("down"), RuntimeError("broken"),
]  # fmt: skip


@pytest.mark.parametrize("answer", GARBAGE, ids=str)
async def test_garbage_changes_nothing(answer: Any) -> None:
    became = [accepted("路灯不亮")]
    assert await SecondOpinion(saying(answer)).on(became, JUDGE) == became


async def test_who_is_slow_is_not_waited_for_and_then_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even one that does not listen when told to stop."""
    monkeypatch.setattr(outside, "LIMIT", 0.01)
    ends = asyncio.Event()

    async def deaf() -> Any:
        while not ends.is_set():
            try:
                await ends.wait()
            except asyncio.CancelledError:
                continue

    slow = Said(deaf)
    second, became = SecondOpinion(slow), [accepted("路灯不亮")]
    try:
        for _ in range(outside.FAILURES + 5):
            assert await second.on(became, JUDGE) == became
        assert slow.asked == 1  # what was said to it is held by one question at a time
    finally:
        ends.set()
        await asyncio.sleep(0)


async def test_what_it_raises_too_late_is_told_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told to stop it fails with a citizen's words: asyncio would print them."""
    monkeypatch.setattr(outside, "LIMIT", 0.01)
    printed: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: printed.append(context))

    async def fails_when_told_to_stop() -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ValueError("路灯不亮") from None

    slow, became = Said(fails_when_told_to_stop), [accepted("路灯不亮")]
    second = SecondOpinion(slow)
    for _ in range(outside.FAILURES + 5):
        assert await second.on(became, JUDGE) == became
        await asyncio.sleep(0)
    assert slow.asked == outside.FAILURES
    del second
    gc.collect()
    assert not printed


class Misshapen:
    """Raises before there is anything to wait for."""

    name, version = "other", "7"

    def propose(self, messages: Any) -> Any:
        raise ZeroDivisionError


class Unnamed(Said):
    version: Any = 7


@pytest.mark.parametrize(
    "odd",
    [Misshapen(), Unnamed(saying([{"C01": 0.9}])._say), Said(lambda: 1)],
    ids=["misshapen", "unnamed", "no answer"],
)  # type: ignore[arg-type, return-value]
async def test_a_platform_that_is_none_stops_nobody(odd: Any) -> None:
    became = [accepted("路灯不亮")]
    assert await SecondOpinion(odd).on(became, JUDGE) == became


def test_a_guess_with_a_defect_costs_no_request() -> None:
    class Broken:
        def propose(self, title: str, text: str) -> Any:
            raise ZeroDivisionError

    assert _guess(cast(Any, Broken()), "路灯", "不亮") is None


async def test_after_a_rest_it_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "REST", 0.0)
    broken = saying(OSError())
    second = SecondOpinion(broken)
    for _ in range(9):
        await second.on([accepted("路灯不亮")], JUDGE)
    assert broken.asked == 9


async def test_a_batch_that_says_it_all_asks_nobody() -> None:
    broken = saying(OSError())
    await SecondOpinion(broken).on([accepted("路灯不亮", free=False), REFUSED], JUDGE)
    assert broken.asked == 0
