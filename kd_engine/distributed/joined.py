"""Several processes that train one network together: what they exchange, over NCCL and gloo.

Shapes: B images in the whole batch, P in this process's part of it, R processes; `...` any further dimensions.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from kd_engine.distributed.batch_norm import BatchStatistics
from kd_engine.distributed.world import ALONE, ProcessInfo, World
from kd_engine.platform.out_of_memory import shortage_behind
from kd_engine.schema.errors import ProcessLost

# Whoever started the processes ends all of them when one dies; these are for a process that hangs.
_STEP_TIMEOUT = timedelta(minutes=10)
_WAIT_TIMEOUT = timedelta(hours=6)  # the others wait while the first one downloads and decodes a data set


class Joined(World):
    """One of several processes: tensors go by NCCL between GPUs and by gloo between CPUs, decisions by gloo.

    Every method is for all processes to call, in the same order, and raises `ProcessLost` where one of them is gone.
    """

    def __init__(self, process: ProcessInfo) -> None:
        self.rank, self.size = process.rank, process.size
        self._hosts = dist.new_group(backend="gloo", timeout=_WAIT_TIMEOUT)

    def part(self, images: int) -> slice:
        return self._part_of(self.rank, images)

    def _part_of(self, rank: int, images: int) -> slice:
        share, more = divmod(images, self.size)
        start = rank * share + min(rank, more)
        return slice(start, start + share + (rank < more))

    def sum_(self, tensors: Sequence[Tensor]) -> None:
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with _in_touch():
            dist.all_reduce(flat)
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        torch._foreach_copy_(list(tensors), [part.view(one.shape) for part, one in zip(parts, tensors, strict=True)])

    def all_gather(self, numbers: Tensor) -> Tensor:
        all_numbers = numbers.new_empty(self.size, *numbers.shape)
        with _in_touch():
            dist.all_gather(list(all_numbers), numbers.contiguous())
        return all_numbers

    def whole(self, rows: Tensor, images: int) -> Tensor:
        gathered: Tensor = _Whole.apply(rows, self, images)  # type: ignore[no-untyped-call]
        return gathered

    def gathered(self, rows: Tensor, images: int) -> Tensor:
        """`whole`, without a gradient."""
        padded = rows.new_zeros(-(-images // self.size), *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [self._part_of(rank, images) for rank in range(self.size)]
        stacked = self.all_gather(padded)
        return torch.cat([rows[: part.stop - part.start] for rows, part in zip(stacked, parts, strict=True)])

    def batch_statistics(self) -> AbstractContextManager[object]:
        return BatchStatistics(self)

    def broadcast(self, numbers: list[int]) -> list[int]:
        decided = torch.tensor(numbers)
        with _in_touch():
            dist.broadcast(decided, src=0, group=self._hosts)
        return [int(number) for number in decided]

    def gather(self, state: Tensor) -> list[Tensor]:
        states = [torch.empty_like(state) for _ in range(self.size)]
        with _in_touch():
            dist.all_gather(states, state, group=self._hosts)
        return states

    def barrier(self) -> None:
        with _in_touch():
            dist.barrier(group=self._hosts)


class _Whole(torch.autograd.Function):
    """Forward: all parts, in order. Backward: this process's rows, times the processes.

    All processes compute the same value over `size`, so that each has the whole gradient of its rows over `size`.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, world: Joined, images: int) -> Tensor:
        ctx.part, ctx.size = world.part(images), world.size
        return world.gathered(rows, images)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient[ctx.part] * ctx.size, None, None


@contextmanager
def joined(process: ProcessInfo, device: torch.device) -> Iterator[World]:
    """The world of a process in this seat; `ALONE` for the only one. All processes of a run are on one machine.

    Args:
        device: this process's own.
    """
    if process.size == 1:
        yield ALONE
        return
    loopback = next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
    for backend in ("GLOO", "NCCL"):
        os.environ[f"{backend}_SOCKET_IFNAME"] = loopback
    on_gpu = device.type == "cuda"
    with _in_touch():
        dist.init_process_group(
            "nccl" if on_gpu else "gloo",
            init_method=process.rendezvous,
            rank=process.rank,
            world_size=process.size,
            timeout=_STEP_TIMEOUT,
            device_id=device if on_gpu else None,
        )
        world = Joined(process)
    yield world
    dist.destroy_process_group()  # not after an error: it would wait for the processes that are gone


@contextmanager
def _in_touch() -> Iterator[None]:
    """Turns the error of an exchange with a process that is gone, or hangs, into what it means."""
    try:
        yield
    except RuntimeError as error:
        if shortage_behind(error) is not None:
            raise
        reason = str(error).strip().partition("\n")[0]
        raise ProcessLost(f"lost touch with the job's other processes: {reason}") from error
