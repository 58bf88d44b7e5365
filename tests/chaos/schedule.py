"""When which fault happens: a pure function of seed, length and the number of brokers."""

import random
from collections.abc import Iterator
from typing import NamedTuple

KINDS: dict[str, tuple[str, ...]] = {
    "kill": ("engine", "intake", "delivery", "simulator", "auditor", "similar", "all"),
    "zombie": ("engine", "intake", "delivery", "auditor", "similar"),
    "crash": (
        "before_send", "after_sends", "after_offsets", "before_end_txn", "end_txn_sent",
        "committed_not_stored", "stored", "while_restoring", "before_init_producer", "after_init_producer",
    ),
    "broker_kill": ("broker",),
    "rebalance_storm": ("engines",),
    "proxy_delay": ("200±100 ms",),
    "proxy_reset": ("1 % of pieces",),
    "proxy_half_open": ("half of the connections",),
    "commit_answer_lost": ("EndTxn",),
    "broker_frozen": ("broker",),
    "disk_full": ("engine",),
    "store_deleted": ("engine",),
    "store_stale": ("engine",),
    "store_damaged": ("flipped", "truncated"),
    "deadlines_lost": ("engine",),
}  # fmt: skip
"""Each kind of fault with its variants."""
SEVERAL: dict[str, tuple[str, ...]] = {
    "leader_kill": ("leader",),
    "follower_kill": ("follower",),
    "two_brokers_kill": ("two",),
}
"""In place of `broker_kill`, where there are three."""
SECONDS = {
    "kill": 3.0, "zombie": 16.0, "crash": 9.0, "broker_kill": 24.0, "rebalance_storm": 20.0, "proxy_delay": 9.0,
    "proxy_reset": 9.0, "proxy_half_open": 8.0, "commit_answer_lost": 8.0, "disk_full": 12.0, "store_deleted": 4.0,
    "broker_frozen": 16.0, "store_stale": 11.0, "store_damaged": 4.0, "deadlines_lost": 4.0,
    "leader_kill": 18.0, "follower_kill": 16.0, "two_brokers_kill": 30.0,
}  # fmt: skip
"""How long one roughly takes: faults follow each other, they do not overlap."""
QUIET = (2.0, 5.0)
FIRST, LAST = 5.0, 12.0
"""Seconds without faults at the beginning and at the end."""


class Fault(NamedTuple):
    """A fault, its variant, and the second of the run at which it begins (or as soon as the former one is over)."""

    at: float
    kind: str
    what: str

    @property
    def name(self) -> str:
        """As it is counted: with its variant where there are several."""
        several = len((KINDS | SEVERAL)[self.kind]) > 1
        return f"{self.kind}:{self.what}" if several else self.kind


def kinds(brokers: int) -> dict[str, tuple[str, ...]]:
    """All that can happen to so many brokers."""
    if brokers == 1:
        return KINDS
    return {kind: what for kind, what in KINDS.items() if kind != "broker_kill"} | SEVERAL


def plan(seed: int, seconds: float, brokers: int = 1, pause: tuple[float, float] = QUIET) -> list[Fault]:
    """
    Rounds through all kinds, each round in an order of its own; variants take turns, so that all come up.

    A kind that does not fit into what is left of the time is passed over.
    """
    draw = random.Random(seed)
    table = kinds(brokers)
    variants = {kind: _turns(draw, whats) for kind, whats in table.items()}
    faults: list[Fault] = []
    at, dull = FIRST, False
    while not dull:
        dull = True
        # killing an engine at one of its points is what this is about: twice in each round
        round_ = [*table, "crash", "crash"]
        draw.shuffle(round_)
        for kind in round_:
            if at + SECONDS[kind] > seconds - LAST:
                continue
            faults.append(Fault(round(at, 1), kind, next(variants[kind])))
            at += SECONDS[kind] + draw.uniform(*pause)
            dull = False
    return faults


def _turns(draw: random.Random, whats: tuple[str, ...]) -> Iterator[str]:
    """One after the other, each round in another order."""
    while True:
        row = list(whats)
        draw.shuffle(row)
        yield from row
