"""torchdistill's training as a contestant: its distillation box, its loss, its loader and the loop of its examples, on
torchvision's transforms. The networks are the engine's, so that only the framework differs.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from benchmarks.plain_loop import pil_images
from benchmarks.work import ALPHA, BATCH, TEMPERATURE, Work
from kd_engine.data.dataset import Split
from kd_engine.platform.torchvision_stub import import_torchvision

_TRAIN = "train"
_CPU = torch.device("cpu")


class PeerLoop:
    """One epoch of distillation (KL at T = 4, weight .9, cross-entropy .1) each time it is called."""

    def __init__(self, work: Work, train: Split) -> None:
        import_torchvision()  # torchdistill imports it, as do the transforms
        from torchdistill.core.distillation import get_distillation_box
        from torchdistill.misc.log import MetricLogger, SmoothedValue

        self._metrics, self._value = MetricLogger, SmoothedValue
        self.box = get_distillation_box(
            work.plain_module(work.teacher, "teacher").eval(),
            work.plain_module(work.student, "student"),
            {_TRAIN: _Pictures(work, train)},
            _config(work),
            _CPU,
            device_ids=None,
            distributed=False,
            lr_factor=1,
        )

    def __call__(self) -> None:
        box = self.box
        metrics = self._metrics(delimiter="  ")
        metrics.add_meter("lr", self._value(window_size=1, fmt="{value}"))
        box.pre_epoch_process(epoch=0)
        for images_BCHW, labels_B, supplement in metrics.log_every(box.train_data_loader, 100, "Epoch"):
            loss = box.forward_process(images_BCHW.to(_CPU), labels_B.to(_CPU), supplement)
            box.post_forward_process(loss=loss)
            metrics.update(loss=loss.item(), lr=box.optimizer.param_groups[0]["lr"])
            if not math.isfinite(loss.item()):
                raise ValueError(f"the peer's loss is {loss.item()}")
        box.post_epoch_process()


class _Pictures(Dataset[tuple[Tensor, int]]):
    """What torchvision's own data sets do for an image: PIL, then the transform."""

    def __init__(self, work: Work, split: Split) -> None:
        from torchvision import transforms

        augmentation = [transforms.RandomCrop(work.shape[1:], padding=4), transforms.RandomHorizontalFlip()]
        self._transform = transforms.Compose(
            [
                *(augmentation if work.augmented else []),
                transforms.ToTensor(),
                transforms.Normalize(work.mean, work.std),
            ]
        )
        self._images, self._labels = pil_images(split), split.labels_N.tolist()

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        pixels_CHW: Tensor = self._transform(Image.fromarray(self._images[index]))
        return pixels_CHW, self._labels[index]


def _config(work: Work) -> dict[str, Any]:
    """What its sample configurations say of KD on CIFAR-10, with this work's numbers."""
    network = {"forward_proc": "forward_batch_only", "frozen_modules": []}
    logits = {"module_path": ".", "module_io": "output"}
    return {
        "num_epochs": 1,
        "train_data_loader": {
            "dataset_id": _TRAIN,
            "sampler": {"class_or_func": torch.utils.data.RandomSampler},
            "kwargs": {"batch_size": BATCH, "drop_last": True},
        },
        "teacher": {**network, "requires_grad": False},
        "student": {**network, "requires_grad": True},
        "optimizer": {
            "key": {"sgd": "SGD", "adam": "Adam"}[work.optimizer["name"]],
            "kwargs": {key: value for key, value in work.optimizer.items() if key != "name"},
        },
        "criterion": {
            "key": "WeightedSumLoss",
            "kwargs": {
                "sub_terms": {
                    "kd": {
                        "criterion": {
                            "key": "KDLoss",
                            "kwargs": {
                                **{f"student_{key}": value for key, value in logits.items()},
                                **{f"teacher_{key}": value for key, value in logits.items()},
                                "temperature": TEMPERATURE,
                                "alpha": 1 - ALPHA,  # its alpha is the weight of cross-entropy
                                "reduction": "batchmean",
                            },
                        },
                        "weight": 1.0,
                    }
                }
            },
        },
    }
