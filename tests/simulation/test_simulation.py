"""
The engine under a simulated world: what must hold, holds, whatever happens; and what must not, is found.

More runs: `make simulate N=10000`.
"""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from router.operate.settings import CHECKOUT
from tests.simulation.plants import PLANTS, Set
from tests.simulation.story import run

RUNS = 15
TRIES = 120
"""Seeds within which a planted bug must be found. Each is found by every third run or more, whichever seeds they are."""


def test_every_invariant_holds() -> None:
    """Nothing lost, nothing twice, in order, state = events, deadlines once and not early, and all comes to rest."""
    failed = {seed: result.failed for seed in range(RUNS) if (result := run(seed)).failed}

    assert not failed


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Callable[[Set], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that never sees its violation would prove nothing."""
    plant(monkeypatch.setattr)

    assert any(run(seed, sure=PLANTS[plant]).failed for seed in range(TRIES))


def test_a_seed_plays_the_same_run_everywhere() -> None:
    """In another process, with other hashes of strings, step by step."""
    told = subprocess.run(
        [sys.executable, "-c", "from tests.simulation.story import run; print([run(s).digest for s in (4, 7, 20)])"],
        env=os.environ | {"PYTHONHASHSEED": "1"}, cwd=CHECKOUT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    assert told == f"{[run(seed).digest for seed in (4, 7, 20)]}\n"
