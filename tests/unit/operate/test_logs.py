"""What libraries say is told, and does not fill a disk."""

import logging

import structlog

from router.operate.logs import QUIET_SECONDS, _Libraries


def spoken(times: list[tuple[float, str]]) -> list[tuple[str | None, int | None]]:
    """What is told when a library speaks at these times: its words and how often it said the like."""
    now = [0.0]
    handler = _Libraries(lambda: now[0])
    logger = logging.Logger("aiokafka.client")
    logger.addHandler(handler)
    with structlog.testing.capture_logs() as told:
        for at, words in times:
            now[0] = at
            logger.warning(words)
    return [(line["said"], line.get("count")) for line in told]


def test_the_same_place_speaks_once_in_a_while_and_says_how_often() -> None:
    """The first word is told at once; what was kept is counted into the next."""
    often = [(n / 100, f"no node {n}") for n in range(500)]
    assert spoken([*often, (QUIET_SECONDS, "no node at last")]) == [("no node 0", None), ("no node at last", 500)]


def test_who_speaks_seldom_is_told_each_time() -> None:
    times = [(n * QUIET_SECONDS, f"word {n}") for n in range(3)]
    assert spoken(times) == [("word 0", None), ("word 1", None), ("word 2", None)]
