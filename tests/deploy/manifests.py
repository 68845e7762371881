"""The manifests in deploy/kubernetes, as the tests read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.docs.blocks import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"


def manifests() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.name != "kustomization.yaml":
            for manifest in yaml.safe_load_all(path.read_text()):
                yield path, manifest


ALL = list(manifests())
NAMES = [f"{path.name}-{manifest['kind']}-{manifest['metadata']['name']}" for path, manifest in ALL]


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {manifest["metadata"]["name"]: manifest for _, manifest in ALL if manifest["kind"] == kind}


def pods() -> dict[str, dict[str, Any]]:
    """The pods' templates, by the name of what makes them."""
    makers = of_kind("Deployment") | of_kind("Job")
    return {name: maker["spec"]["template"] for name, maker in makers.items()}


def every_container() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """The name, the pod and the container itself, of whatever kind of manifest makes it."""
    for name, (_, manifest) in zip(NAMES, ALL, strict=True):
        for pod in _pods_in(manifest):
            for kind in ("initContainers", "containers"):
                for one in pod.get(kind, ()):
                    yield f"{name}-{one['name']}", pod, one


def _pods_in(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict) and "containers" in part:
        yield part
    elif isinstance(part, dict | list):
        for inner in part.values() if isinstance(part, dict) else part:
            yield from _pods_in(inner)


def container(name: str) -> dict[str, Any]:
    containers: list[dict[str, Any]] = pods()[name]["spec"]["containers"]
    assert len(containers) == 1
    return containers[0]


def variables(name: str) -> dict[str, str]:
    """What the container of a pod finds in its environment, where it stands in the manifests."""
    found: dict[str, str] = {}
    for source in container(name).get("envFrom", ()):
        if "configMapRef" in source:
            found |= of_kind("ConfigMap")[source["configMapRef"]["name"]]["data"]
        else:
            found |= of_kind("Secret")[source["secretRef"]["name"]]["stringData"]
    return found | {entry["name"]: entry.get("value", "") for entry in container(name).get("env", ())}


def selects(selector: dict[str, str]) -> set[str]:
    """The pods that have these labels."""
    return {name for name, pod in pods().items() if selector.items() <= pod["metadata"]["labels"].items()}
