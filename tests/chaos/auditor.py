"""`python -m tests.chaos.auditor`: the auditor at a pace that a run of minutes sees it at work; nothing else differs."""

from functools import partial

from router.auditor import role
from router.bootstrap import run_role
from router.operate.settings import Settings

PACE = role.Pace(grace=3.0, every=0.5, again=4.0)
"""In seconds, in each of which hours of business time pass."""

if __name__ == "__main__":
    role.run = partial(role.run, pace=PACE)
    raise SystemExit(run_role("auditor", Settings()))
