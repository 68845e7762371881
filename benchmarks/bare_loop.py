"""The engine's step without the engine: the same networks, layout, types, augmentation and optimiser in one flat loop.

Shapes: N images in the split, B in a batch, C channels, H and W pixels, K classes.
"""

from __future__ import annotations

import time

import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

from benchmarks.engine_loop import networks
from benchmarks.work import ALPHA, BATCH, TEMPERATURE, Work
from kd_engine.data.dataset import Split
from kd_engine.images.augmentations import augment


class BareLoop:
    """One epoch each time it is called; tells its seconds. No trainer, no objective, no callbacks, no check of it."""

    def __init__(self, work: Work, precision: str, train: Split) -> None:
        self.student, teacher = networks(work, precision)
        self._teacher = teacher.folded()
        self._train = train
        recipe = work.spec(precision).training
        self._augmentation = recipe.augmentation
        self._optimizer = recipe.optimizer.build(list(self.student.module.parameters()))
        self._generator = torch.Generator().manual_seed(0)

    def __call__(self) -> float:
        start = time.perf_counter()
        self.student.module.train()
        order_N = torch.randperm(len(self._train), generator=self._generator)
        for index_B in torch.split(order_N, BATCH):
            picked_BCHW, labels_B = self._train.images_NCHW[index_B], self._train.labels_N[index_B]
            images_BCHW = augment(picked_BCHW, self._augmentation, self._generator).images_BCHW
            logits_BK = self.student.logits(images_BCHW)
            with torch.no_grad():
                teacher_BK = self._teacher.logits(images_BCHW)
            soft = TEMPERATURE**2 * kl_div(
                log_softmax(logits_BK / TEMPERATURE, 1), softmax(teacher_BK / TEMPERATURE, 1), reduction="batchmean"
            )
            loss = (1 - ALPHA) * cross_entropy(logits_BK, labels_B) + ALPHA * soft
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
        return time.perf_counter() - start
