"""RNG: random streams, each of the seed and a name, so that any epoch of any phase can be run again exactly."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def stream(seed: int, *names: str | int) -> int:
    """A 63-bit seed for the stream `names` under `seed`; different names give independent streams."""
    digest = hashlib.sha256("/".join(str(part) for part in (seed, *names)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, *names: str | int) -> torch.Generator:
    """A CPU generator at the start of the stream `names`. Draws on the CPU are the same whatever the device."""
    return torch.Generator().manual_seed(stream(seed, *names))


@contextmanager
def seeded(seed: int, *names: str | int) -> Iterator[None]:
    """torch's global generators at the start of the stream, and as they were afterwards (network initialisation)."""
    # this process's GPU alone: the others belong to other processes
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(stream(seed, *names))
        yield


def random_state(device: torch.device) -> Tensor:
    """Of torch's global generator on the device: of dropout, that is, and of losses that draw."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def set_random_state(state: Tensor, device: torch.device) -> None:
    """Puts back what `random_state` gave."""
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
