"""
What one command costs in the pure core: `python -m bench.step [--profile]`.

A Submit that routes to a lead and an assisting unit (5 clocks, 4 messages), and a reply that signs, on the small
world of the tests: real structs, calendar and encoding; the look-ups of a real catalogue come on top.
"""

import argparse
import cProfile
import pstats
import time
from collections.abc import Callable
from functools import partial

from msgspec import Raw, json

from schemas.ids import case_id, command_id
from tests.unit.workflows.small_world import COUNTY, NOW, ROUTES, SmallWorld
from workflows import case as cases
from workflows import commands as cmd
from workflows import events, outbox
from workflows.handle import Step, step
from workflows.states import TASK_ACTIONS

BODY = {
    "title": "小区门口路灯不亮",
    "text": "从上周三开始，小区东门外的两盏路灯一直不亮，晚上老人接孩子放学看不清路，已经有人摔倒。" * 4,
    "appeal_kind": "help",
    "medium": "phone",
    "origin": "citizen",
    "place": {"region": COUNTY, "address": "解放路 12 号东门", "lon": 117.03, "lat": 36.66},
    "applicant": {"kind": "person", "name": "张某", "phone": "13800000000", "disclosure": "open"},
    "wants": {"reply": True, "callback": True, "public": False},
}
ROUNDS, TOGETHER = 2_000, 50
ACTIONS: tuple[cmd.ReplyAction, ...] = ("sign", "reply", "pass")


def submits(category: str) -> list[cmd.Submit]:
    """Different cases, so that nothing but what may be shared is shared."""
    request = Raw(json.encode({**BODY, "appeal_category": category}))
    made = []
    for i in range(ROUNDS):
        case, source = case_id("website", f"w-{i}"), f"duokua.intake.website/0/{i}"
        command = cmd.Submit(
            id=command_id(case, source), case=case, at=NOW + i, source=source, channel="website", ref=f"w-{i}",
            request=request, digest="0" * 64, received_at=NOW + i, query_code="012345", serial=f"{i:07d}",
        )  # fmt: skip
        made.append(command)
    return made


def instant(i: int) -> int:
    """When the i-th is decided."""
    return NOW + ROUNDS + i // TOGETHER * TOGETHER


def encoded(made: Step) -> int:
    """Bytes of event, state and outbox record, as the engine writes them."""
    assert made.record is not None
    assert made.case is not None
    out = outbox.OutboxRecord(case=made.case.id, version=made.case.version, at=NOW, messages=made.messages)
    return len(events.encode(made.record)) + len(cases.encode(made.case)) + len(outbox.encode(out))


def per_call(name: str, call: Callable[[int], object]) -> None:
    """The best of 25, in microseconds of CPU: other processes on the machine matter less."""
    best = float("inf")
    for _ in range(25):
        started = time.process_time()
        for i in range(ROUNDS):
            call(i)
        best = min(best, time.process_time() - started)
    print(f"{name:<44} {best / ROUNDS * 1e6:7.1f} µs")


def followed(case: cases.Case, request: bytes, world: SmallWorld) -> None:
    """What comes after a Submit, each once: the lead signs and replies, the centre passes it; and a deadline pass that warns."""
    said = Raw(json.encode({"result": "solved", "text": "已办"}))
    after = cases.decode(cases.encode(case))
    for action in ACTIONS:
        before, task = after, next(t for t in after.tasks.values() if action in TASK_ACTIONS[t.kind])
        command = cmd.Reply(
            id=action, case=case.id, at=NOW, endpoint=task.endpoint, task=task.id, action=action, body=said
        )  # fmt: skip
        per_call(f"Reply: {action}", partial(_replied, before, command, world, request))
        made = step(before, command, world, instant(ROUNDS), lambda: request)
        assert made.case is not None
        after = cases.decode(cases.encode(made.case))
    pass_by = cmd.ReachDeadline(id="due", case=case.id, at=case.next_due)
    per_call(
        "Deadline: signed by itself",
        lambda i: step(case, pass_by, world, case.next_due + i // TOGETHER, lambda: request),
    )


def _replied(case: cases.Case, command: cmd.Reply, world: SmallWorld, request: bytes, i: int) -> object:
    return step(case, command, world, instant(i), lambda: request)


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--profile", action="store_true", help="where the time of a Submit goes")
    profile = options.parse_args().profile
    world = SmallWorld()
    ROUTES["two"] = cmd.msgspec.structs.replace(ROUTES["street"], targets=ROUTES["street"].targets[:2])
    one, two = submits("alone"), submits("two")
    if profile:
        with cProfile.Profile() as profiler:
            for i in range(ROUNDS):
                step(None, two[i], world, instant(i))
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
        return
    per_call("Submit, one leg (3 clocks, 3 messages)", lambda i: step(None, one[i], world, instant(i)))
    per_call("Submit, two legs (5 clocks, 4 messages)", lambda i: step(None, two[i], world, instant(i)))
    made = step(None, two[0], world, NOW)
    assert made.case is not None
    followed(made.case, bytes(two[0].request), world)
    per_call("encode event, state, outbox (two legs)", lambda i: encoded(made))
    state = cases.encode(made.case)
    per_call(f"decode the state ({len(state)} bytes)", lambda i: cases.decode(state))


if __name__ == "__main__":
    main()
