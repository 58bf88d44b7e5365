"""
zen-engine as a peer of `bench.rules`: orders come on stdin, one a line, each is answered by a line of JSON.

    load FOLDER      `first.json` and `collect.json`, a decision table each, into an engine with the static loader
    read REQUESTS    requests, one JSON object a line, handed over as text
    turn CALL        every request once, by this call
    answers FILE     all numbers that hold for each request, by order; checked to begin with what `first` says

It has an environment of its own (.venv-bench), so nothing of Duokua is imported.
"""

import asyncio
import json
import resource
import sys
import time
from pathlib import Path

import zen


class Contender:
    def load(self, folder):
        texts = {policy: (Path(folder) / f"{policy}.json").read_text("utf-8") for policy in ("collect", "first")}
        self._text = texts["collect"]
        empty = json.dumps({})
        took, memory = {}, {}
        for policy, text in texts.items():
            before, wall, began = _resident_mb(), time.perf_counter(), time.process_time()
            engine = zen.ZenEngine({"loader": {"type": "static", "content": {policy: json.loads(text)}}})
            engine.evaluate(policy, empty)  # it compiles when it is first asked
            took[policy] = (time.perf_counter() - wall, time.process_time() - began)
            memory[policy] = _resident_mb() - before
            setattr(self, f"_{policy}", engine)
        return {"seconds": took["collect"][0], "cpu_s": took["collect"][1], "mb": memory["collect"]}

    def read(self, file):
        self._requests = Path(file).read_text("utf-8").splitlines()
        return {"requests": len(self._requests)}

    def turn(self, what):
        run = getattr(self, f"_by_{what}")()
        wall, began = time.perf_counter(), time.process_time()
        run()
        spent, passed = time.process_time() - began, time.perf_counter() - wall
        return {"us": spent / len(self._requests) * 1e6, "wall_us": passed / len(self._requests) * 1e6}

    def answers(self, file):
        rows = [[row["number"] for row in self._collect.evaluate("collect", r)["result"]] for r in self._requests]
        for request, row in zip(self._requests, rows, strict=True):
            if self._first.evaluate("first", request)["result"]["number"] != row[0]:
                raise ValueError("first and collect differ")
        Path(file).write_text("".join(f"{row}\n" for row in rows))
        return {"answers": len(rows)}

    # -- its calls --

    def _by_collect(self):
        return self._each(lambda request: self._collect.evaluate("collect", request))

    def _by_first(self):
        return self._each(lambda request: self._first.evaluate("first", request))

    def _by_batch(self):
        asked = [{"key": "collect", "context": request} for request in self._requests]
        return lambda: [self._collect.evaluate_batch(asked[n : n + 500]) for n in range(0, len(asked), 500)]

    def _by_get_decision(self):
        return self._each(self._collect.get_decision("collect").evaluate)

    def _by_create_decision(self):
        return self._each(zen.ZenEngine().create_decision(self._text).evaluate)

    def _by_loader_in_python(self):
        engine = zen.ZenEngine({"loader": lambda key: self._text})
        return self._each(lambda request: engine.evaluate("collect", request))

    def _by_async(self):
        async def all_of_them():
            for request in self._requests:
                await self._collect.async_evaluate("collect", request)

        return lambda: asyncio.run(all_of_them())

    def _each(self, call):
        def run():
            for request in self._requests:
                call(request)

        return run


def _resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


if __name__ == "__main__":
    contender = Contender()
    for order in sys.stdin:
        name, _, what = order.strip().partition(" ")
        print(json.dumps(getattr(contender, name)(what)), flush=True)
