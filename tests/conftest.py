"""
What every test may ask for: a real broker and topic names of its own.

Where no broker can be started the tests that need one are skipped at home, with the reason, and fail where CI is set.
"""

import gc
import os
import signal
from collections.abc import Iterator
from functools import cache
from uuid import uuid4

import pytest
import typer.testing

from adapters.kafka.embedded import EmbeddedKafka, KafkaFault


def pytest_configure() -> None:
    # `nohup`, or a shell's `&`, hands down that Ctrl-C is ignored: the processes that tests start are to end by it
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # a command of ours is made of its functions at each `invoke`, alike each time
    typer.testing._get_command = cache(typer.testing._get_command)
    gc.set_threshold(10_000, 20, 50)  # what is imported while tests are collected stays


def pytest_collection_finish() -> None:
    """Whatever has been imported by now is there to the end: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _processes_start_fast(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where Python may leave no bytecode, each of the processes that tests start would compile everything anew."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        os.environ["PYTHONPYCACHEPREFIX"] = str(tmp_path_factory.mktemp("bytecode"))


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The bootstrap address of a real Kafka: the one of DUOKUA_BOOTSTRAP, else an embedded one for this session."""
    if given := os.environ.get("DUOKUA_BOOTSTRAP"):
        yield given
        return
    broker = _start()
    yield broker.bootstrap
    broker.stop()


@pytest.fixture
def prefix() -> str:
    """A topic prefix that no other test uses, so that tests share a broker and nothing else."""
    return f"t{uuid4().hex[:12]}."


def _start() -> EmbeddedKafka:
    try:
        return EmbeddedKafka().start()
    except KafkaFault as fault:
        if os.environ.get("CI"):
            pytest.fail(f"no broker for the tests marked kafka: {fault}", pytrace=False)
        pytest.skip(f"no broker: {fault}")
