"""What the compose files promise without an engine to run them on; `make compose-test` does the rest."""

from __future__ import annotations

import re
from typing import Any

import pytest

from jobs.environment import in_file, secrets
from jobs.settings import Settings, variable
from tests.deploy.compose_files import BASE, FILES, containers
from tests.docs.blocks import ROOT

OURS = ("api", "worker", "migrate")
CONTAINERS = containers()
STACK, GPU = FILES[BASE], FILES["compose.gpu.yml"]
SETTINGS = {variable(name) for name in Settings.model_fields} | {in_file(variable(name)) for name in secrets(Settings)}


def test_nothing_but_the_api_publishes_a_port_and_that_on_this_machine_alone() -> None:
    published = {name: service["ports"] for name, service in STACK["services"].items() if "ports" in service}

    assert published == {"api": ["${KD_PUBLISH:-127.0.0.1:8000}:8000"]}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_writes_to_its_volumes_alone_and_has_no_privileges(name: str) -> None:
    service = CONTAINERS[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"cap_add", "privileged", "devices", "pid", "ipc", "network_mode", "userns_mode"} & set(service)
    # one that is built here has its user in the Dockerfile
    assert "build" in service or service["user"] not in {"root", "0"}
    assert all("docker.sock" not in volume for volume in service.get("volumes", ()))


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_has_limits_of_memory_and_processes(name: str) -> None:
    service = CONTAINERS[name]

    assert re.fullmatch(r"(\$\{KD_WORKER_MEMORY:-)?\d+[mg]\}?", service["mem_limit"])
    assert service["memswap_limit"] == service["mem_limit"]
    assert 0 < service["pids_limit"] <= 4096
    # compose refuses a second number for the same thing
    assert "limits" not in service.get("deploy", {}).get("resources", {})


@pytest.mark.parametrize("name", CONTAINERS)
def test_no_password_is_on_a_command_line_or_in_the_environment(name: str) -> None:
    service = CONTAINERS[name]
    environment = service.get("environment", {})
    health = str(service.get("healthcheck", {}).get("test", ""))

    # whatever compose or a shell would put there is seen by `ps`
    assert "$" not in f"{service.get('command')} {service.get('entrypoint')}"
    assert not re.search(r"\$\{|--pass|\s-a\s", health)
    assert not [key for key in environment if re.search(r"PASS|SECRET|TOKEN|URL|AUTH$", key) and key[-5:] != "_FILE"]
    assert not [key for key, value in environment.items() if re.search(r"://[^/]*:[^/]*@", str(value))]


@pytest.mark.parametrize("file", FILES)
def test_every_secret_is_a_file_of_one_folder_and_in_its_container(file: str) -> None:
    stack = FILES[file]
    for name, secret in stack.get("secrets", {}).items():
        # a variable of the environment cannot become a file in a container whose file system is read-only
        assert secret == {"file": f"${{KD_SECRETS:-./secrets}}/{name}"}
    used = {name for service in stack["services"].values() for name in service.get("secrets", ())}
    assert used == set(stack.get("secrets", {}))
    for service in stack["services"].values():
        named = {value for key, value in service.get("environment", {}).items() if key.endswith("_FILE")}
        assert named <= {f"/run/secrets/{name}" for name in service.get("secrets", ())}


def test_the_page_makes_every_password_of_the_stack() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text()

    assert set(re.findall(r"> secrets/(\w+)", page)) == set(STACK["secrets"])


@pytest.mark.parametrize("name", OURS)
def test_what_a_program_leaves_behind_is_collected(name: str) -> None:
    assert STACK["services"][name]["init"] is True


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
