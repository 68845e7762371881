"""The baseline: the training loop that research code carries. PIL images one by one in a DataLoader, contiguous
float32, the teacher under no_grad, torch's optimiser as it comes. The networks are the engine's, so that only the loop
differs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax
from torch.utils.data import DataLoader, Dataset

from benchmarks.work import ALPHA, BATCH, TEMPERATURE, Work
from kd_engine.data.dataset import Split


class PILImages(Dataset[tuple[Tensor, int]]):
    """The split's images, normalised; where the work is augmented, each padded by 4, cropped and flipped with PIL."""

    def __init__(self, work: Work, split: Split) -> None:
        self._images, self._labels = pil_images(split), split.labels_N.tolist()
        self._mean, self._std = (torch.tensor(values).view(-1, 1, 1) for values in (work.mean, work.std))
        self._augmented = work.augmented

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self._images[index])
        if self._augmented:
            image = _cropped_and_flipped(image)
        pixels = torch.from_numpy(np.array(image)).view(*image.size[::-1], -1).permute(2, 0, 1).contiguous()
        return (pixels.float().div(255) - self._mean) / self._std, self._labels[index]


def pil_images(split: Split) -> np.ndarray[Any, Any]:
    """uint8 as PIL takes it: `[N, H, W, C]`, or `[N, H, W]` for grey images."""
    images_NHWC = split.images_NCHW.permute(0, 2, 3, 1).contiguous().numpy()
    return images_NHWC[..., 0] if images_NHWC.shape[3] == 1 else images_NHWC


def _cropped_and_flipped(image: Image.Image) -> Image.Image:
    width, height = image.size
    left, top = (int(torch.randint(0, 9, ())) for _ in range(2))
    image = ImageOps.expand(image, border=4).crop((left, top, left + width, top + height))
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if torch.rand(()) < 0.5 else image


class PlainLoop:
    """One epoch of distillation (KL at T = 4, weight .9, cross-entropy .1) each time it is called."""

    def __init__(self, work: Work, train: Split) -> None:
        self._student = work.plain_module(work.student, "student")
        self._teacher = work.plain_module(work.teacher, "teacher").eval()
        self.loader = DataLoader(PILImages(work, train), BATCH, shuffle=True, drop_last=True)
        self._optimizer = _OPTIMIZERS[work.optimizer["name"]](
            self._student.parameters(), **{key: value for key, value in work.optimizer.items() if key != "name"}
        )

    def __call__(self) -> None:
        self._student.train()
        total = 0.0
        for images_BCHW, labels_B in self.loader:
            logits_BK = self._student(images_BCHW)
            with torch.no_grad():
                teacher_BK = self._teacher(images_BCHW)
            soft = TEMPERATURE**2 * kl_div(
                log_softmax(logits_BK / TEMPERATURE, 1), softmax(teacher_BK / TEMPERATURE, 1), reduction="batchmean"
            )
            loss = (1 - ALPHA) * cross_entropy(logits_BK, labels_B) + ALPHA * soft
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            total += loss.item()


_OPTIMIZERS: dict[str, Any] = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
