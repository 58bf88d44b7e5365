"""
Duokua's rules as one of the contenders of `bench.rules`: orders come on stdin, one a line, each is answered by a line of JSON.

    load RULES       rules, one JSON object a line: decoded, compiled, put into the catalogue of the checkout
    read REQUESTS    requests, one JSON object a line, kept as the bytes of a command
    turn every       JSON → view → all rules that hold, by order, the first kept
    turn first       JSON → view → the deciding rule with its reasons, asked for the first time
    turn route       JSON → CatalogueFacts.route: all that the engine asks, with its cache
    answers FILE     the numbers of all rules that hold for each request, by order

The way from the bytes to the view is the one that CatalogueFacts.route goes.
"""

import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from adapters.clock import Clock
from bench.processes import CHECKOUT, memory
from router.catalogue.load import load
from router.rules.model import Rule, View
from workflows.facts import RequestView

Request = tuple[str, bytes]
"""The channel, which is the topic's, and the request as it was sent."""


class Contender:
    """One rule set at a time."""

    def __init__(self) -> None:
        self._shipped = load(CHECKOUT / "catalog")
        self._requests: list[Request] = []
        self._now = Clock().now()
        self._view = msgspec.json.Decoder(RequestView).decode

    def load(self, file: str) -> dict[str, Any]:
        lines, decode = Path(file).read_bytes().splitlines(), msgspec.json.Decoder(Rule).decode
        gc.collect()
        gc.freeze()
        before, wall, began = memory("self")["rss"], time.perf_counter(), time.process_time()
        rules = [decode(line) for line in lines]
        decoded = time.process_time() - began
        catalogue = replace(self._shipped, rules={rule.id: rule for rule in rules})
        self._index = catalogue.index
        found = {"cpu_s": time.process_time() - began, "index_s": time.process_time() - began - decoded}
        found["seconds"] = time.perf_counter() - wall
        self._facts = catalogue.facts()
        del lines, rules
        gc.collect()
        gc.freeze()  # as a role does with a catalogue it has loaded
        gc.set_threshold(20_000, 20, 20)
        return found | {"mb": memory("self")["rss"] - before}

    def read(self, file: str) -> dict[str, Any]:
        lines = Path(file).read_bytes().splitlines()
        self._requests = [(json.loads(line)["channel"], line) for line in lines]
        return {"requests": len(self._requests)}

    def turn(self, what: str) -> dict[str, Any]:
        call: Callable[[Request], Any] = {"every": self._every, "first": self._first, "route": self._route}[what]
        wall, began = time.perf_counter(), time.process_time()
        for request in self._requests:
            call(request)
        spent, passed = time.process_time() - began, time.perf_counter() - wall
        return {"us": spent / len(self._requests) * 1e6, "wall_us": passed / len(self._requests) * 1e6}

    def answers(self, file: str) -> dict[str, Any]:
        rows = [[rule.number for rule in self._all(request)] for request in self._requests]
        Path(file).write_text("".join(f"{row}\n" for row in rows))
        return {"answers": len(rows)}

    def _seen(self, request: Request) -> View:
        channel, raw = request
        return self._facts.asked(channel, self._view(raw), raw, self._now)

    def _all(self, request: Request) -> Sequence[Rule]:
        return self._index.every(self._seen(request), self._now)

    def _every(self, request: Request) -> Rule:
        return self._all(request)[0]

    def _first(self, request: Request) -> object:
        return self._index.first(self._seen(request), self._now)

    def _route(self, request: Request) -> object:
        channel, raw = request
        return self._facts.route(channel, self._view(raw), self._now, raw, self._now)


if __name__ == "__main__":
    contender = Contender()
    for order in sys.stdin:
        name, _, what = order.strip().partition(" ")
        print(json.dumps(getattr(contender, name)(what)), flush=True)
