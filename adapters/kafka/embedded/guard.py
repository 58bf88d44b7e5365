"""
The process between us and Java: it makes sure that the broker does not outlive who asked for it.

Run by its path with one argument, the JSON object that child.py makes. It holds the lock on the data folder, starts
Java, tells both pids on stdout, and ends Java when its own stdin closes (the parent stopped us, ended or was killed),
when the parent changes, or on SIGTERM. On Linux Java also dies with this process. It imports the standard library
only: it is started with `-I -S`, so that it is there within milliseconds and nothing of ours keeps it from its task.
"""

import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

LOCK, RUNNING = "guard.lock", "running.json"
IN_USE = "in use"
PR_SET_PDEATHSIG = 1


def tell(word: str) -> None:
    """One line to who started us."""
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def detach() -> None:
    """Go on as a child of nobody; who started us is free."""
    if os.fork():
        os._exit(0)


def hold(data: Path) -> None:
    """Takes the lock on the data folder, for as long as this process lives; ends the process where another holds it."""
    lock = os.open(data / LOCK, os.O_CREAT | os.O_RDWR, 0o644)
    # Who only looks whether it is held (child.held) has it for an instant: so not at the first refusal.
    for pause in (0.01, 0.05, 0.2, 0):
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(pause)
    tell(IN_USE)
    sys.exit()


def die_with_parent() -> None:
    """In the child before exec: the kernel kills it when its parent dies (Linux only; elsewhere the pipe must do)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def launch(command: list[str], log: str) -> "subprocess.Popen[bytes]":
    with open(log, "ab") as out:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=die_with_parent
        )  # fmt: skip


def listen(told_to_end: threading.Event) -> None:
    """Waits for the end of stdin, which nobody writes to."""
    os.read(0, 1)
    told_to_end.set()


def watch(java: "subprocess.Popen[bytes]", order: dict[str, Any], told_to_end: threading.Event) -> None:
    """Returns when Java has ended, by itself or because it had to."""
    parent = os.getppid()
    while java.poll() is None:
        told_to_end.wait(0.25)
        if os.getppid() != parent and not order["detached"]:
            told_to_end.set()
        if told_to_end.is_set():
            end(java, order["grace"])


def end(java: "subprocess.Popen[bytes]", grace: float) -> None:
    """Asks Java to stop, waits `grace` seconds at most, then kills it."""
    java.terminate()
    try:
        java.wait(grace)
    except subprocess.TimeoutExpired:
        java.kill()
        java.wait()


def main() -> None:
    order = json.loads(sys.argv[1])
    wanted = order["running"]
    data = Path(wanted["data"])
    if order["detached"]:
        detach()
    hold(data)
    told_to_end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told_to_end.set())
    java = launch(order["command"], wanted["log"])
    pids = {"pid": java.pid, "guard": os.getpid()}
    (data / RUNNING).write_text(json.dumps(wanted | pids), encoding="utf-8")
    tell(json.dumps(pids))
    if not order["detached"]:
        threading.Thread(target=listen, args=(told_to_end,), daemon=True).start()
    watch(java, order, told_to_end)
    (data / RUNNING).unlink(missing_ok=True)
    # A broker that ended by itself, or was killed, leaves its data: who started it decides.
    if wanted["discard"] and told_to_end.is_set():
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
