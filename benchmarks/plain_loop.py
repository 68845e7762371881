"""The baseline: the training loop that research code carries. PIL crop and flip image by image in a DataLoader,
contiguous float32, the teacher under no_grad, plain SGD. The networks are the engine's, so that only the loop differs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax
from torch.utils.data import DataLoader, Dataset

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


class PILImages(Dataset[tuple[Tensor, int]]):
    """uint8 images `[N, H, W, C]`, each padded by 4, cropped and flipped with PIL when it is asked for."""

    def __init__(self, images_NHWC: np.ndarray[Any, Any], labels_N: np.ndarray[Any, Any]) -> None:
        self._images, self._labels = images_NHWC, labels_N
        self._mean = torch.tensor(MEAN).view(3, 1, 1)
        self._std = torch.tensor(STD).view(3, 1, 1)

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = ImageOps.expand(Image.fromarray(self._images[index]), border=4)
        left, top = (int(torch.randint(0, 9, ())) for _ in range(2))
        image = image.crop((left, top, left + 32, top + 32))
        if torch.rand(()) < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)
        return (pixels - self._mean) / self._std, int(self._labels[index])


class PlainLoop:
    """One epoch of distillation (KL at T = 4, weight .9, cross-entropy .1) each time it is called."""

    def __init__(
        self, student: nn.Module, teacher: nn.Module, images_NHWC: Any, labels_N: Any, batch_size: int
    ) -> None:
        self._student, self._teacher = student, teacher.eval()
        self._loader = DataLoader(PILImages(images_NHWC, labels_N), batch_size, shuffle=True, drop_last=True)
        self._optimizer = torch.optim.SGD(student.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)

    def __call__(self) -> None:
        self._student.train()
        total = 0.0
        for images_BCHW, labels_B in self._loader:
            logits_BK = self._student(images_BCHW)
            with torch.no_grad():
                teacher_BK = self._teacher(images_BCHW)
            soft = kl_div(log_softmax(logits_BK / 4, 1), softmax(teacher_BK / 4, 1), reduction="batchmean") * 16
            loss = 0.1 * cross_entropy(logits_BK, labels_B) + 0.9 * soft
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            total += loss.item()
