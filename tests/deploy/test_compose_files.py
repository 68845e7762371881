"""What the compose files promise without an engine to run them on; `make compose-test` does the rest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.settings import Settings, variable

ROOT = Path(__file__).resolve().parents[2]
OURS = ("api", "worker", "migrate")
STACK = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
GPU = yaml.safe_load((ROOT / "compose.gpu.yml").read_text())
SETTINGS = {variable(name) for name in Settings.model_fields}


def test_nothing_but_the_api_publishes_a_port_and_that_on_this_machine_alone() -> None:
    published = {name: service["ports"] for name, service in STACK["services"].items() if "ports" in service}

    assert published == {"api": ["${KD_PUBLISH:-127.0.0.1:8000}:8000"]}


@pytest.mark.parametrize("name", OURS)
def test_what_is_ours_can_write_to_its_volumes_alone_and_has_no_privileges(name: str) -> None:
    service = STACK["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True


@pytest.mark.parametrize("name", ["api", "worker"])
def test_api_and_worker_wait_for_the_migrations_and_for_what_they_need(name: str) -> None:
    conditions = {needed: how["condition"] for needed, how in STACK["services"][name]["depends_on"].items()}

    assert conditions == {
        "migrate": "service_completed_successfully",
        "postgres": "service_healthy",
        "redis": "service_healthy",
    }


@pytest.mark.parametrize("name", ["api", "worker", "redis", "postgres"])
def test_what_ends_by_itself_is_started_again(name: str) -> None:
    assert STACK["services"][name]["restart"] == "unless-stopped"


def test_every_volume_is_declared_and_used() -> None:
    mounted = {volume.split(":")[0] for service in STACK["services"].values() for volume in service.get("volumes", ())}

    # a folder of the user's own in its place is what the variable is for
    assert {re.sub(r"\$\{KD_DATA$", "data", name) for name in mounted} == set(STACK["volumes"])


@pytest.mark.parametrize("stack", [STACK, GPU], ids=["stack", "gpu"])
def test_every_setting_that_is_set_exists(stack: dict[str, Any]) -> None:
    names = {name for service in stack["services"].values() for name in service.get("environment", {})}

    assert {name for name in names if name.startswith("KD_")} <= SETTINGS


@pytest.mark.parametrize("gpus", [2, 4, 8])
def test_there_is_one_worker_for_each_gpu(gpus: int) -> None:
    services = [
        service for service in GPU["services"].values() if f"gpus-{gpus}" in service.get("profiles", [f"gpus-{gpus}"])
    ]
    taken = [service["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"] for service in services]

    assert taken == [[str(number)] for number in range(gpus)]


def test_the_images_are_made_of_what_they_need_alone() -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = re.findall(r"^COPY (?!--)(\S+) ", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    assert set(copied) <= set(kept)
    assert all((ROOT / name).exists() for name in kept)
