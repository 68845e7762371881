"""What a network costs to keep and to run: operations, bytes, latency. Shapes: B images in a batch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from kd_engine.networks.network import Network
from kd_engine.platform.heartbeat import sign
from kd_engine.platform.out_of_memory import shortage_behind
from kd_engine.schema.model_details import Latency

LATENCY_BATCHES = (1, 128)
_FEWEST_RUNS, _MOST_RUNS = 3, 50
_SECONDS = 0.3  # of runs for one batch size, if the fewest take no longer: plenty for a network of milliseconds


@dataclass(frozen=True)
class Cost:
    """What a network costs.

    Attributes:
        flops: of one image forward; a multiply-add counts as two. Additions of biases, normalisation and activations
            are left out, as usual. None where torch does not do the work and cannot count it (an ONNX model).
        file_bytes: of its weights as a safetensors file.
        latency: how long a batch takes, with the device and threads that it was measured on. Times differ from run to
            run: they belong into a report and nowhere else.
    """

    flops: int | None
    file_bytes: int
    latency: Latency


def cost_of(network: Network, images_NCHW: Tensor, file_bytes: int) -> Cost:
    """Measures `network` on images of a split, on the device that both are on."""
    return Cost(flops_per_image(network, images_NCHW[:1]) or None, file_bytes, latency(network, images_NCHW))


def flops_per_image(network: Network, image_1CHW: Tensor) -> int:
    """Floating-point operations of the forward pass of one image."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network.logits(image_1CHW)
    return int(counter.get_total_flops())


def latency(network: Network, images_NCHW: Tensor) -> Latency:
    """Median milliseconds from uint8 images to logits, at batch 1 and 128, after warming up.

    None for a batch that the device has no memory for: a run that has come so far does not fail for that.
    """
    device = images_NCHW.device
    times: dict[int, float | None] = {}
    for size in LATENCY_BATCHES:
        images_BCHW = images_NCHW[torch.arange(size, device=device) % len(images_NCHW)]
        try:
            times[size] = 1000 * _median_seconds(partial(network.logits, images_BCHW), device)
        except (MemoryError, RuntimeError) as error:
            if shortage_behind(error) is None:
                raise
            times[size] = None
    return Latency(device=device.type, threads=torch.get_num_threads(), batch_1_ms=times[1], batch_128_ms=times[128])


@torch.inference_mode()
def _median_seconds(forward: Callable[[], Tensor], device: torch.device) -> float:
    for _ in range(2):  # the first run allocates and chooses kernels; a slow one is warm after that
        if _timed(forward, device) > _SECONDS:
            break
    runs: list[float] = []
    while len(runs) < _FEWEST_RUNS or (len(runs) < _MOST_RUNS and sum(runs) < _SECONDS):
        runs.append(_timed(forward, device))
    return median(runs)


def _timed(forward: Callable[[], Tensor], device: torch.device) -> float:
    sign("timing a network")
    start = time.perf_counter()
    forward()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start
