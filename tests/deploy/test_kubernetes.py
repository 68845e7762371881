"""What the manifests promise without a cluster: they are valid, fit each other, the images and the code, and KEDA's
queries count what they should on a real PostgreSQL.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from distillery.states import EndReason
from jobs.database import Database
from jobs.environment import in_file, secrets
from jobs.repository.queue import accepted
from jobs.settings import Settings, variable
from tests.deploy import keda
from tests.deploy.manifests import ALL, FOLDER, NAMES, container, every_container, of_kind, pods, selects, variables
from tests.docs.blocks import ROOT
from tests.jobs.samples import claim, create, pause

DOCKERFILE = (ROOT / "Dockerfile").read_text()
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
# the oldest that README.md promises, and a recent one; whichever schemas kubernetes-validate learns later
VERSIONS = ("1.30", "1.36")
WORKERS = {"worker-cpu": "cpu", "worker-gpu": "cuda"}
IMAGES = {"distillery-api": "api", "distillery-worker": "worker", "distillery-worker-cuda": "worker"}
EVERY = {name: (pod, one) for name, pod, one in every_container()}
PORTS = {"callers": 8000, "metrics": 9100}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", [manifest for _, manifest in ALL], ids=NAMES)
def test_a_manifest_is_what_the_cluster_expects(manifest: dict[str, Any], version: str) -> None:
    import kubernetes_validate  # which takes more than a second of every process that collects tests

    if manifest["kind"] in keda.KINDS:
        keda.check(manifest)
    else:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_kustomization_names_every_manifest_but_the_examples_and_every_image() -> None:
    files = {path.name for path, _ in ALL if not path.name.endswith(".example.yaml")}
    used = {container(name)["image"] for name in pods()}

    assert set(KUSTOMIZATION) == {"apiVersion", "kind", "namespace", "resources", "images"}
    assert sorted(KUSTOMIZATION["resources"]) == sorted(files)
    assert KUSTOMIZATION["namespace"] in of_kind("Namespace")
    assert {image["name"] for image in KUSTOMIZATION["images"]} == used == set(IMAGES)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl")
def test_kubectl_makes_the_same_of_it(tmp_path: Path) -> None:
    command = ["kubectl", "kustomize", str(FOLDER)]
    home = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run(command, env=home, capture_output=True, text=True, timeout=60, check=True)
    made = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in yaml.safe_load_all(done.stdout)]

    assert sorted(made) == sorted(
        (manifest["kind"], manifest["metadata"]["name"])
        for path, manifest in ALL
        if path.name in KUSTOMIZATION["resources"]
    )
    assert not re.search(r"image: distillery-", done.stdout)


@pytest.mark.parametrize("name", EVERY)
def test_a_container_has_no_privileges_and_writes_to_its_volumes_alone(name: str) -> None:
    pod, one = EVERY[name]
    user = int(re.findall(r"useradd --uid (\d+)", DOCKERFILE)[0])

    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert one["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {mount["name"] for mount in one["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert all("sizeLimit" in volume["emptyDir"] for volume in pod["volumes"])


@pytest.mark.parametrize("name", EVERY)
def test_a_container_has_limits_and_says_what_it_needs(name: str) -> None:
    resources = EVERY[name][1]["resources"]

    assert {"cpu", "memory"} <= set(resources["requests"])
    assert "memory" in resources["limits"]
    # who trains would take every core of the node; who answers may have those that nobody needs
    assert ("cpu" in resources["limits"]) == ("worker" in name)


@pytest.mark.parametrize("name", EVERY)
def test_no_password_is_on_a_command_line_or_in_a_manifest(name: str) -> None:
    one = EVERY[name][1]
    known = set(of_kind("Secret")["distillery"]["stringData"])

    assert not re.search(r"[$]\(|://", f"{one.get('command')} {one.get('args')}")
    assert not [entry["name"] for entry in one.get("env", ()) if entry["name"] in known and "value" in entry]
    assert not known & set(of_kind("ConfigMap")["distillery"]["data"])


@pytest.mark.parametrize("name", pods())
def test_a_pod_runs_what_its_image_holds(name: str) -> None:
    image = re.search(
        rf"^FROM runtime AS {IMAGES[container(name)['image']]}$(.*?)(?=^FROM|\Z)", DOCKERFILE, re.M | re.S
    )
    assert image is not None
    lines = [yaml.safe_load(command) for command in re.findall(r"^ *(?:ENTRYPOINT|CMD) (\[.*\])$", image[1], re.M)]
    healthy, entrypoint, command = lines
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]

    assert entrypoint == ["python", "-m"]
    assert "command" not in container(name)
    if name == "migrate":
        assert container(name)["args"] == compose["migrate"]["command"]
    else:
        assert "args" not in container(name)
        assert command == [name.split("-")[0]]
    if name in WORKERS:
        probes = [container(name)[kind]["exec"]["command"] for kind in ("startupProbe", "livenessProbe")]
        assert probes == [healthy, healthy]


def test_every_setting_exists_and_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {variable(field) for field in Settings.model_fields}
    known |= {in_file(variable(field)) for field in secrets(Settings)}

    for name in pods():
        found = {key: value for key, value in variables(name).items() if key.startswith("KD_")}
        assert set(found) <= known, name
        with monkeypatch.context() as environment:
            for key, value in found.items():
                if key != "KD_API_KEYS":  # a key's hash is no example's to give
                    environment.setenv(key, value)
            settings = Settings()
        if name != "migrate":
            assert settings.artifacts_url is not None
            assert (settings.metrics_port, settings.metrics_host) == (PORTS["metrics"], "0.0.0.0")
    assert variables("api")["KD_HOST"] == "0.0.0.0"


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_has_room_to_write_and_time_to_hand_its_job_back(name: str) -> None:
    home = re.findall(r"KD_HOME=(\S+) KD_DATA_DIR=(\S+)", DOCKERFILE)[0]
    settings = Settings(home=Path(home[0]), data_dir=Path(home[1]))
    mounted = {mount["mountPath"] for mount in container(name)["volumeMounts"]}

    assert mounted == {"/tmp", "/dev/shm", str(settings.runs_dir), str(settings.cache_dir), str(settings.data_dir)}
    assert Path(variables(name)["KD_PULSE_FILE"]).parent == Path("/tmp")
    assert variables(name)["KD_DEVICE"] == WORKERS[name]
    # 20: three threads that may be in the middle of something, and Celery's goodbye
    needed = settings.cancel_grace_seconds + settings.stop_after_seconds + 20
    assert pods()[name]["spec"]["terminationGracePeriodSeconds"] >= needed + 30


def test_the_two_kinds_of_workers_differ_in_device_and_size_alone() -> None:
    cpu, gpu = (deepcopy(of_kind("Deployment")[name]) for name in WORKERS)
    pod = gpu["spec"]["template"]["spec"]
    worker = pod["containers"][0]

    assert pod.pop("tolerations") == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == 1
    worker["image"] = worker["image"].removesuffix("-cuda")
    worker["resources"] = cpu["spec"]["template"]["spec"]["containers"][0]["resources"]
    same = yaml.safe_dump(gpu).replace("worker-gpu", "worker-cpu").replace("value: cuda", "value: cpu")
    assert yaml.safe_load(same) == cpu


def test_what_refers_to_something_finds_it() -> None:
    keys = set(of_kind("Secret")["distillery"]["stringData"])
    asked = {
        source["key"] for source in of_kind("TriggerAuthentication")["distillery-database"]["spec"]["secretTargetRef"]
    }
    asked |= {entry["valueFrom"]["secretKeyRef"]["key"] for entry in container("migrate")["env"]}
    assert asked == {"KD_DATABASE_URL"} <= keys
    assert set(re.findall(r"^((?:KD|AWS)_\w+)=", (FOLDER / "README.md").read_text(), re.M)) == keys

    for name, deployment in of_kind("Deployment").items():
        assert selects(deployment["spec"]["selector"]["matchLabels"]) == {name}
        assert selects(of_kind("PodDisruptionBudget")[name]["spec"]["selector"]["matchLabels"]) == {name}
        # a number that stands here would be set again by each `kubectl apply`, whatever KEDA has chosen
        assert ("replicas" in deployment["spec"]) == (name not in of_kind("ScaledObject"))
    for name, scaled in of_kind("ScaledObject").items():
        assert scaled["spec"]["scaleTargetRef"]["name"] == name in WORKERS
        assert scaled["spec"]["triggers"][0]["authenticationRef"]["name"] in of_kind("TriggerAuthentication")

    service = of_kind("Service")["api"]["spec"]
    assert selects(service["selector"]) == {"api"}
    assert {port["name"]: port["containerPort"] for port in container("api")["ports"]} == {
        "http": 8000,
        "metrics": 9100,
    }
    assert [port["targetPort"] for port in service["ports"]] == ["http"]
    backend = of_kind("Ingress")["api"]["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": "api", "port": {"name": service["ports"][0]["name"]}}


def test_only_callers_reach_the_api_and_only_prometheus_the_metrics() -> None:
    policies = of_kind("NetworkPolicy")
    everybody = policies.pop("outward")["spec"]
    assert (everybody["podSelector"], everybody["policyTypes"]) == ({}, ["Ingress", "Egress"])
    assert "ingress" not in everybody

    reached = {
        name: (selects(policy["spec"]["podSelector"]["matchLabels"]), policy["spec"]["ingress"])
        for name, policy in policies.items()
    }
    assert {name: who for name, (who, _) in reached.items()} == {"callers": {"api"}, "metrics": set(pods())}
    for name, (_, rules) in reached.items():
        assert len(rules) == len(rules[0]["from"]) == 1
        assert "namespaceSelector" in rules[0]["from"][0]
        assert rules[0]["ports"] == [{"protocol": "TCP", "port": PORTS[name]}]
    for name in ("api", *WORKERS):
        assert pods()[name]["metadata"]["annotations"] == {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(PORTS["metrics"]),
            "prometheus.io/path": "/metrics",
        }
        assert {"name": "metrics", "containerPort": PORTS["metrics"]} in container(name)["ports"]


def counted(url: str) -> dict[str, int]:
    """What KEDA reads, by the device of the workers that it counts for: one row of one number."""
    found = {}
    with psycopg.connect(url) as connection:
        for name, scaled in of_kind("ScaledObject").items():
            row = connection.execute(scaled["spec"]["triggers"][0]["metadata"]["query"].encode()).fetchall()
            assert len(row) == len(row[0]) == 1
            found[WORKERS[name]] = int(row[0][0])
    return found


def test_one_worker_is_asked_for_for_each_job_that_waits_or_runs(postgres_url: str) -> None:
    database = Database(postgres_url)
    try:
        assert counted(postgres_url) == {"cpu": 0, "cuda": 0}

        any_device, cpu, cuda = (
            [create(database, resources={"device": device}) for _ in range(number)]
            for device, number in (("auto", 3), ("cpu", 2), ("cuda", 4))
        )
        assert counted(postgres_url) == {"cpu": 5, "cuda": 4}

        tokens = {}
        for worker, device, job_id in (("c", "cpu", cpu[0]), ("g", "cuda", any_device[0])):
            with database.write() as repository:
                repository.beat(worker, device, job_id)
            tokens[job_id] = claim(database, job_id, worker)
        # one that left the device open runs on a GPU: that worker would be missed, and another one is not needed
        assert counted(postgres_url) == {"cpu": 4, "cuda": 5}

        pause(database, cpu[1])
        with database.write() as repository:
            repository.request_cancel(cuda[0])
        assert counted(postgres_url) == {"cpu": 3, "cuda": 4}

        with database.write() as repository:
            repository.finish(cpu[0], tokens[cpu[0]], EndReason.COMPLETED, "", [])
            repository.hand_back(any_device[0], tokens[any_device[0]], "its worker leaves")
        assert counted(postgres_url) == {"cpu": 3, "cuda": 3}
    finally:
        database.dispose()


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda"])
def test_a_job_that_waits_starts_one_kind_of_worker_which_may_take_it(device: str, postgres_url: str) -> None:
    database = Database(postgres_url)
    create(database, resources={"device": device})
    database.dispose()

    started = [kind for kind, jobs in counted(postgres_url).items() if jobs == 1]

    assert sum(counted(postgres_url).values()) == len(started) == 1
    assert device in accepted(started[0])
