"""Where a run computes, and how precisely."""

from __future__ import annotations

import os

import torch
from torch import nn

from kd_engine.platform.torch_without_compiler import leave_compiler_out
from kd_engine.schema.errors import InvalidSpecError


def choose_device(asked: str, devices: int = 1, rank: int = 0) -> torch.device:
    """The device for `auto`, `cpu` or `cuda`.

    Args:
        devices: how many processes share the run, each with a GPU of its own.
        rank: which of them this is.

    Raises:
        InvalidSpecError: `cuda` was asked for and this machine has none, or there are fewer GPUs than `devices`.
    """
    if asked == "cuda" and not torch.cuda.is_available():
        raise InvalidSpecError(
            "resources.device is 'cuda', but this worker sees no GPU; use 'auto' or 'cpu', or a worker with a GPU."
        )
    if asked == "auto":
        asked = "cuda" if torch.cuda.is_available() else "cpu"
    if asked == "cuda" and devices > 1:
        if (found := torch.cuda.device_count()) < devices:
            raise InvalidSpecError(
                f"resources.devices is {devices}, but this worker sees {found} GPU{'s' * (found > 1)}; ask for at most "
                f"{found}, or for the device 'cpu'."
            )
        return torch.device(asked, rank)
    return torch.device(asked)


def set_up(device: torch.device, threads: int | None, devices: int = 1) -> int:
    """Makes this process deterministic and gives it its share of the cores; returns the number of its threads.

    Args:
        threads: of the whole run; all cores if None.
        devices: how many processes share the run.
    """
    leave_compiler_out()
    torch.set_num_threads(max(1, (threads or os.cpu_count() or 1) // devices))
    if device.type == "cuda":
        if device.index is not None:
            torch.cuda.set_device(device)
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
    return torch.get_num_threads()


def bf16_is_fast(device: torch.device) -> bool:
    """Whether the hardware multiplies bf16 natively."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def training_dtype(asked: str, module: nn.Module, device: torch.device) -> torch.dtype:
    """The type that a network computes in: what was asked, or, for `auto`, bf16 where it pays.

    It pays for convolutions on hardware with bf16 arithmetic. A network without them gains nothing and keeps float32.
    The choice depends on the machine and the network alone, never on a timing, so that a resumed run repeats it.
    """
    if asked == "auto":
        convolves = any(isinstance(layer, nn.Conv2d) for layer in module.modules())
        return torch.bfloat16 if convolves and bf16_is_fast(device) else torch.float32
    return torch.bfloat16 if asked == "bf16" else torch.float32
