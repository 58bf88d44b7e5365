"""The compose file is one that Docker takes, and it starts the roles that there are."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.kafka.embedded.jars import KAFKA_VERSION
from adapters.kafka.embedded.node import LARGEST
from router.bootstrap import ROLES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return dict(compose["services"])


def roles(services: dict[str, Any]) -> dict[str, str]:
    """Each service that runs a role, and which."""
    commands = {name: service.get("command", []) for name, service in services.items()}
    return {name: command[2] for name, command in commands.items() if command[:2] == ["duokua", "run"]}


def test_the_compose_file_is_valid() -> None:
    """Against the published schema of compose files."""
    program = Path(sys.executable).with_name("check-jsonschema")
    compose = str(ROOT / "docker-compose.yml")

    said = subprocess.run(
        [program, "--builtin-schema", "vendor.compose-spec", compose], capture_output=True, text=True, check=False
    )

    assert said.returncode == 0, said.stdout
    assert "\nversion:" not in (ROOT / "docker-compose.yml").read_text("utf-8")


def test_every_role_runs_and_the_engine_twice(services: dict[str, Any]) -> None:
    """`duokua run X` names roles that exist; none is forgotten; two engines share the shards, each with its own store."""
    running = roles(services)
    engines = [name for name, role in running.items() if role == "engine"]

    assert set(running.values()) == set(ROLES)
    assert len(engines) == 2
    assert len({services[name]["environment"]["DUOKUA_INSTANCE"] for name in engines}) == 2
    assert len({services[name]["volumes"][0] for name in engines}) == 2


def test_nothing_starts_before_what_it_needs(services: dict[str, Any]) -> None:
    """Roles wait for topics and catalogue, those for a healthy Kafka, Prometheus for healthy roles; all are checked."""
    for name in roles(services):
        assert services[name]["depends_on"]["prepare"]["condition"] == "service_completed_successfully"
        assert services["prometheus"]["depends_on"][name]["condition"] == "service_healthy"
    assert services["prepare"]["depends_on"]["kafka"]["condition"] == "service_healthy"
    assert all("test" in service["healthcheck"] for name, service in services.items() if name != "prepare")


def test_the_broker_is_the_one_that_is_embedded(services: dict[str, Any]) -> None:
    """The same version, no topics by accident, the same largest record."""
    kafka = services["kafka"]

    assert kafka["image"] == f"apache/kafka:{KAFKA_VERSION}"
    assert kafka["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert kafka["environment"]["KAFKA_MESSAGE_MAX_BYTES"] == LARGEST


def test_prometheus_watches_each_process(services: dict[str, Any]) -> None:
    """Its targets are the services that run roles, on the port that the image sets."""
    config = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text("utf-8"))
    targets = [target for job in config["scrape_configs"] for one in job["static_configs"] for target in one["targets"]]

    assert sorted(targets) == sorted(f"{name}:8000" for name in roles(services))


def test_the_image_is_built_from_what_is_there() -> None:
    """The Dockerfile copies nothing that is missing or kept out of its context, and does not run as root."""
    lines = (ROOT / "deploy" / "Dockerfile").read_text("utf-8").splitlines()
    copied = [
        name for line in lines if line.startswith("COPY ") and "--from" not in line for name in line.split()[1:-1]
    ]
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}

    assert set(copied) == let_in
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert [line for line in lines if line.startswith("USER ")] == ["USER duokua"]
