"""What a result depends on besides its spec: versions, device, threads, data. Written to `environment.json`."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

_PACKAGES = ("torch", "numpy", "safetensors", "pydantic", "scikit-learn")


def describe(
    device: torch.device,
    threads: int,
    *,
    processes: int = 1,
    seed: int | None,
    data_sha256: str,
    precision: dict[str, str],
) -> dict[str, Any]:
    """The environment as JSON data.

    Args:
        threads: of each of the `processes` that trained together.
        seed: None where nothing was drawn.
        precision: the type that each network computes in.
    """
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": {name: version(name) for name in _PACKAGES} | _optional(),
        "cuda": torch.version.cuda,
        "device": {"type": device.type, "name": _device_name(device), "threads": threads, "processes": processes},
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "seed": seed,
        "data_sha256": data_sha256,
        "precision": precision,
    }


def _optional() -> dict[str, str]:
    found = {}
    for name in ("timm", "torchvision"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()
