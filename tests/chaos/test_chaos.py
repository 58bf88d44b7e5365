"""Invariant: whoever dies, whatever is delayed or deleted, nothing is lost, nothing takes effect twice, order and state hold."""

from pathlib import Path

import pytest

from tests.chaos.run import Wanted, run
from tests.chaos.schedule import Fault

pytestmark = pytest.mark.kafka

SCHEDULE = (
    Fault(0.5, "kill", "intake"),
    Fault(0.5, "store_deleted", "engine"),
    Fault(1.0, "crash", "committed_not_stored"),
    Fault(1.5, "kill", "auditor"),
    Fault(1.5, "kill", "similar"),
    Fault(2.0, "deadlines_lost", "engine"),
    Fault(3.0, "commit_answer_lost", "EndTxn"),
)


async def test_a_short_chaos_ends_well(tmp_path: Path) -> None:
    said: list[str] = []
    found = await run(
        Wanted(8, seed=4, rate=60, schedule=SCHEDULE, folder=tmp_path, at_least=250, engines=("1", "2")), said.append
    )
    # a string: pytest shortens anything else, and what was found is then not in the report
    assert found.passed, f"{found}\n" + "\n".join(said[-20:])
    assert len(found.faults) >= 3, found.missed  # a crash point that nobody came by in its time is missed, and said so
    assert found.submitted >= 250 and found.cases >= 150
