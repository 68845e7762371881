"""The processes that train one network together, each on its part of every batch; most often one that is alone.

Shapes: B images in the whole batch, P in this process's part of it, R processes; `...` any further dimensions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch.distributed as dist
from torch import Tensor

from kd_engine.schema.errors import InvalidSpecError


@dataclass(frozen=True)
class ProcessInfo:
    """A process's place among those of a run.

    Attributes:
        rank: from 0; the first one writes the files and tells the events.
        size: how many there are.
        rendezvous: where they find each other, a URL as for `torch.distributed.init_process_group`.
    """

    rank: int = 0
    size: int = 1
    rendezvous: str = ""


def torchrun_process() -> ProcessInfo | None:
    """This process's seat where torchrun started it among others, else None.

    Raises:
        InvalidSpecError: torchrun spread the processes over several machines.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if not dist.is_torchelastic_launched() or size == 1:
        return None
    if int(os.environ["LOCAL_WORLD_SIZE"]) != size:
        raise InvalidSpecError("a job runs on one machine: give torchrun --nproc-per-node alone, and one node.")
    return ProcessInfo(int(os.environ["RANK"]), size, "env://")


class World:
    """A process that is alone: every exchange gives back what it was given, at no cost."""

    rank, size = 0, 1

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes and tells."""
        return self.rank == 0

    def part(self, images: int) -> slice:
        """Which of a batch's images are this process's."""
        return slice(0, images)

    def sum_(self, tensors: Sequence[Tensor]) -> None:
        """Makes each tensor the sum over the processes, in place; equal bits everywhere."""

    def all_gather(self, numbers: Tensor) -> Tensor:
        """Every process's `numbers`, `[R, ...]`."""
        return numbers.unsqueeze(0)

    def whole(self, rows: Tensor, images: int) -> Tensor:
        """The rows `[B, ...]` of a batch of so many images from each process's part `[P, ...]`.

        Each process is to compute the same value from it, divided by `size`; then the gradients, summed over the
        processes, are those of the value.
        """
        return rows

    def batch_statistics(self) -> AbstractContextManager[object]:
        """Inside, BatchNorm layers in training see the whole batch and not this process's part alone."""
        return nullcontext()

    def broadcast(self, numbers: list[int]) -> list[int]:
        """The first process's numbers."""
        return numbers

    def gather(self, state: Tensor) -> list[Tensor]:
        """Every process's tensor of one shape on the CPU, by rank."""
        return [state]

    def barrier(self) -> None:
        """Until every process is here."""

    @contextmanager
    def first_goes_ahead(self) -> Iterator[None]:
        """The first process does what is inside before the others do it: they find what it has fetched."""
        if not self.is_main:
            self.barrier()
        yield
        if self.is_main:
            self.barrier()


ALONE = World()
