"""`python -m tests.chaos`: chaos on a real broker, and the verdict. See docs/howto/chaos.md."""

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from adapters.kafka.embedded.faults import KafkaFault
from tests.chaos.run import Found, Wanted, run
from tests.chaos.schedule import plan

RATE = 200.0
SOAK_SECONDS, SOAK_PAUSE = 1200.0, (25.0, 50.0)
SPARED = ("1",)
COUNTED = {
    "fired": "到期触发 / deadlines fired",
    "rechecks": "稽核要求重看 / looks asked for by the auditor",
    "repaired": "其中因此触发 / of these, had something fired",
    "resembles": "疑似提示 / hints of the similar role",
}
NOT_SHOWN = """\
这次没有证明 / what this run does not show:
  断电（页缓存没丢，Kafka 不逐条落盘）/ power loss: a killed process leaves the page cache, Kafka does not fsync each write
  多台机器：全在一台机器上，网络故障是代理装出来的 / several machines: all on one, the network's faults are a proxy's
  {replication}
  投影、归集：不在链上 / projector and insights: not in the chain
  时钟跳变：见 make simulate / clock jumps: see make simulate
  n 次无异常，95% 置信上限是每次 3/n / no anomaly in n faults bounds its probability at 3/n each (95 %): n = {n}"""


def main() -> int:
    wanted = _asked()
    try:
        found = asyncio.run(_until_told(wanted))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    except KafkaFault as fault:
        _note(f"Kafka 没能启动 / Kafka does not start: {fault}")
        return 3
    _show(found, wanted)
    if found.passed:
        shutil.rmtree(wanted.folder, ignore_errors=True)
    else:
        _note(f"运行目录保留 / the run's folder stays: {wanted.folder}")
    print(json.dumps(_result(found, wanted), ensure_ascii=False))
    return 0 if found.passed else 1


async def _until_told(wanted: Wanted) -> Found:
    """SIGTERM ends it as Ctrl-C does: with all of its processes and its small disk."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await run(wanted, _note)


def _asked() -> Wanted:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--duration", type=float, default=0.0, help="负载秒数 / seconds of load (300; soak 1200)")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    parser.add_argument("--rate", type=float, default=0.0, help=f"每秒条数 / records a second ({RATE:.0f}; soak half)")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    parser.add_argument("--soak", action="store_true", help="长跑，看内存 / long, at half the rate, memory watched")
    parser.add_argument("--folder", type=Path, default=None, help="在这里建运行目录 / where the run's folder is made")
    asked = parser.parse_args()
    seconds = asked.duration or (SOAK_SECONDS if asked.soak else 300.0)
    rate = asked.rate or (RATE / 2 if asked.soak else RATE)
    if seconds < 20 or rate <= 0:
        parser.error("--duration >= 20, --rate > 0")
    faults = plan(asked.seed, seconds, asked.brokers, *([SOAK_PAUSE] if asked.soak else []))
    folder = Path(tempfile.mkdtemp(prefix="duokua-chaos-", dir=asked.folder))
    _note(f"seed {asked.seed}, {seconds:.0f} s, {rate:.0f}/s, {len(faults)} faults, brokers {asked.brokers}, {folder}")
    return Wanted(
        seconds,
        asked.seed,
        rate,
        faults,
        folder,
        asked.brokers,
        int(seconds * rate),
        spared=SPARED if asked.soak else (),
    )


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _show(found: Found, wanted: Wanted) -> None:
    """For people."""
    _note("\n故障 / faults")
    for name, count in sorted(found.faults.items()):
        _note(f"  {count:4d}  {name}")
    for name, count in sorted(found.missed.items()):
        _note(f"  {count:4d}  {name}: 没有发生 / did not come about")
    _note("\n结局 / fates of the inputs")
    for name, count in sorted(found.counts.items()):
        if name.startswith("fate_"):
            _note(f"  {count:8d}  {name.removeprefix('fate_')}")
    for name, text in COUNTED.items():
        _note(f"  {found.counts.get(name, 0):8d}  {text}")
    _note(f"稽核角色说 / the auditor said: {dict(found.accused)}; 抹去的到期 / deadlines taken away: {found.forgotten}")
    _note(f"\n进程结束 / exits: {dict(found.exits)}\n日志 / said: {dict(found.takeovers)}")
    if found.memory:
        _note(f"内存 MB/h / memory: {json.dumps(found.memory)}")
    for kind, texts in (
        *found.texts.items(),
        ("state", found.state),
        ("offsets", found.offsets),
        ("fenced", found.fenced),
        ("stuck", [found.stuck] if found.stuck else []),
    ):
        for text in texts[:10]:
            _note(f"!! {kind}: {text}")
    replication = "单副本：磁盘没了数据就没了 / replication 1: the log goes with its disk"
    if wanted.brokers > 1:
        replication = "三副本在同一块磁盘上 / three replicas, on one disk"
    _note("\n" + NOT_SHOWN.format(replication=replication, n=found.faults.total()))


def _result(found: Found, wanted: Wanted) -> dict[str, object]:
    counts = found.counts
    return {
        "seed": wanted.seed,
        "submitted": found.submitted,
        "requests": found.requests,
        "cases": found.cases,
        "faults": dict(found.faults),
        "lost": counts.get("lost", 0),
        "double": counts.get("double", 0),
        "order": counts.get("order", 0),
        "early": counts.get("early", 0),
        "lag": found.lag,
        "state_equal": not found.state and not counts.get("state", 0),
        "offsets_equal": not found.offsets,
        "fenced_writes": len(found.fenced),
        "stuck": found.stuck,
        "stores": found.stores,
        **{name: counts.get(name, 0) for name in COUNTED},
        "forgotten": found.forgotten,
        "accused": dict(found.accused),
        "takeovers": found.takeovers["shard.taken_over"],
        "exits": dict(found.exits),
        "brokers": wanted.brokers,
        "duration": round(found.load_seconds, 1),
        "rest_seconds": round(found.rest_seconds, 1),
        "requests_per_s": round(found.submitted / found.load_seconds, 1) if found.load_seconds else 0.0,
        "rss_mb_per_hour": found.memory,
        "pass": found.passed,
    }


if __name__ == "__main__":
    sys.exit(main())
