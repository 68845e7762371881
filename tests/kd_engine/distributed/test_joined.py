"""Real processes that share each batch compute what one process computes on the whole of it."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.spawn import start_processes

from kd_engine.data.dataset import Split
from kd_engine.data.loader import batches
from kd_engine.distributed.world import ALONE, World
from kd_engine.images.augmentations import Augmentation, Flip
from kd_engine.images.augmentations.mixing import Mixup
from kd_engine.training.rng import generator
from tests.kd_engine.distributed.ranks import CASES, Numbers, run_cases


def _found(size: int, folder: Path) -> list[dict[str, Numbers]]:
    """What each of `size` processes found; of one, this process itself.

    They are forked from a process that has imported torch once, and computed nothing yet.
    """
    if size == 1:
        run_cases(0, 1, folder)
    else:
        multiprocessing.set_forkserver_preload([run_cases.__module__])
        start_processes(run_cases, (size, folder), nprocs=size, start_method="forkserver")  # type: ignore[no-untyped-call]
    return [torch.load(folder / f"{rank}.pt") for rank in range(size)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Numbers]:
    return _found(1, tmp_path_factory.mktemp("alone"))[0]


@pytest.fixture(scope="module", params=[2, 3])
def together(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Numbers]]:
    return _found(request.param, tmp_path_factory.mktemp("together"))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_they_find_what_one_process_finds(
    alone: dict[str, Numbers], together: list[dict[str, Numbers]], case: str
) -> None:
    """Terms, gradients, weights, BatchNorm's statistics and memory banks; the second batch has two images alone."""
    noise = 0.2 if case == "bf16" else 1e-5  # the losses themselves are computed in float32
    for name, expected in alone[case].items():
        found = together[0][case][name]
        scale = float(expected.abs().max()) if expected.numel() else 0.0
        torch.testing.assert_close(found, expected, rtol=0, atol=noise * max(scale, 1e-3), msg=f"{case}: {name}")


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_all_of_them_have_the_same_bits(together: list[dict[str, Numbers]], case: str) -> None:
    first, *others = (numbers[case] for numbers in together)
    for other in others:
        assert all(value.equal(other[name]) for name, value in first.items())


class _Part(World):
    """One of three processes that exchange nothing."""

    size = 3

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def part(self, images: int) -> slice:
        return slice(images * self.rank // 3, images * (self.rank + 1) // 3)


@pytest.mark.parametrize("augmentations", [(), (Flip(),), (Flip(), Mixup(alpha=1.0))])
def test_their_parts_are_the_batches_of_one_process(augmentations: tuple[Augmentation, ...]) -> None:
    images_NCHW = torch.randint(0, 256, (22, 1, 4, 4), dtype=torch.uint8)
    split = Split(images_NCHW, torch.arange(22))

    def epoch(world: World) -> list[tuple[Tensor, ...]]:
        found: list[tuple[Tensor, ...]] = []
        for batch in batches(split, 10, generator(0), augmentations, world=world):
            assert batch.images == (10 if len(found) < 2 else 2)
            optional = (batch.view_B, *(batch.mixed or ()))
            found.append((batch.images_BCHW, batch.labels_B, batch.index_B, *(x for x in optional if x is not None)))
        return found

    parts = [epoch(_Part(rank)) for rank in range(3)]
    for position, whole in enumerate(epoch(ALONE)):
        together = [torch.cat(pieces) for pieces in zip(*(part[position] for part in parts), strict=True)]
        assert all(map(torch.equal, together, whole))
