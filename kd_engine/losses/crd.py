"""Contrastive representation distillation: Tian, Krishnan and Isola, 2020, arXiv:1910.10699.

Shapes: B images in the batch, C channels, H and W of a map, N train images, D numbers an embedding, M
negatives of an image, P = 1 + M.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from kd_engine.losses.base import FeatureLoss, Outputs, Sizes
from kd_engine.losses.maps import full_precision, map_pair, unit_rows
from kd_engine.schema.errors import InvalidSpecError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class CRD(FeatureLoss):
    """-log h(positive) - sum over M negatives of log(1 - h), mean over the batch; each network in turn as the anchor.

    Equations 18 and 19 of the paper: h = p / (p + M / N), p = exp(s t / temperature) / Z, where s and t are learnt
    linear maps of the last stage's maps (averaged over pixels) to L2 norm 1. What the anchor is compared with comes
    from a memory bank, a row for each of the N train images: positive is the image's own row, negatives are rows of
    other classes, drawn without repetition. Rows follow their embedding with a momentum. As in the authors' code, Z is
    estimated on the first batch and then kept.

    Where the train split has fewer images of other classes than `negatives`, M is what there is.
    """

    needs_one_class: ClassVar[bool] = True
    kind: Literal["crd"] = "crd"
    weight: float = Field(0.8, ge=0, le=1e6, description="Factor of this term.")
    temperature: float = Field(0.07, ge=1e-3, le=10, description="Divides the products of the embeddings.")
    dimensions: int = Field(128, ge=1, le=4096, description="Size of the embeddings, D.")
    negatives: int = Field(16_384, ge=1, le=1_000_000, description="Images of other classes for each image, at most.")
    momentum: float = Field(0.5, ge=0, lt=1, description="How much of a bank's row stays when its image comes up.")

    def build(self, sizes: Sizes) -> nn.Module:
        images, largest = len(sizes.labels_N), int(sizes.labels_N.bincount().max())
        if images == largest:
            raise InvalidSpecError("the loss 'crd' needs train images of at least two classes, but all are of one.")
        return _contrast(self, sizes, min(self.negatives, images - largest))


def _contrast(loss: CRD, sizes: Sizes, count: int) -> nn.Module:
    """The module, with `count` negatives an image; a class in a function: importing this file must not import torch."""
    import torch
    from torch import nn

    images, bound = len(sizes.labels_N), math.sqrt(3 / loss.dimensions)

    class Contrast(nn.Module):
        labels_N: Tensor
        student_ND: Tensor
        teacher_ND: Tensor
        log_z_2: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.embed_student = nn.Linear(sizes.student[-1][0], loss.dimensions)
            self.embed_teacher = nn.Linear(sizes.teacher[-1][0], loss.dimensions)
            self.register_buffer("student_ND", torch.empty(images, loss.dimensions).uniform_(-bound, bound))
            self.register_buffer("teacher_ND", torch.empty(images, loss.dimensions).uniform_(-bound, bound))
            self.register_buffer("log_z_2", torch.zeros(2))
            self.register_buffer("labels_N", sizes.labels_N, persistent=False)
            self.seed, self.steps = int(torch.randint(2**62, ())), 0

        def get_extra_state(self) -> dict[str, int]:
            return {"seed": self.seed, "steps": self.steps}

        def set_extra_state(self, state: dict[str, int]) -> None:
            self.seed, self.steps = state["seed"], state["steps"]

        def forward(self, student: Outputs, teacher: Outputs, labels_B: Tensor, index_B: Tensor) -> Tensor:
            student_BCHW, teacher_BCHW = map_pair(student, teacher, stage=-1)
            with full_precision(student_BCHW):
                student_BD = unit_rows(self.embed_student(student_BCHW.mean(dim=(2, 3))))
                teacher_BD = unit_rows(self.embed_teacher(teacher_BCHW.mean(dim=(2, 3))))
                picked_BP = self._pick(labels_B, index_B)
                scores = (
                    _scores(student_BD, self.teacher_ND, picked_BP) / loss.temperature,
                    _scores(teacher_BD, self.student_ND, picked_BP) / loss.temperature,
                )
                if self.steps == 0:
                    self.log_z_2 = torch.stack([_log_z(scores_BP.detach(), images) for scores_BP in scores])
                self.student_ND = _moved(self.student_ND, index_B, student_BD.detach(), loss.momentum)
                self.teacher_ND = _moved(self.teacher_ND, index_B, teacher_BD.detach(), loss.momentum)
                self.steps += 1
                prior = math.log(count / images)
                return _value(scores[0] - self.log_z_2[0] - prior) + _value(scores[1] - self.log_z_2[1] - prior)

        def _pick(self, labels_B: Tensor, index_B: Tensor) -> Tensor:
            """Places in the banks, P = 1 + M for each image: its own, then its negatives."""
            # a stream of its own for each step: a resumed run draws what the undisturbed one would have drawn
            draws = torch.Generator(labels_B.device).manual_seed(self.seed + self.steps)
            return torch.cat([index_B.unsqueeze(1), negatives(labels_B, self.labels_N, count, draws)], dim=1)

    return Contrast()


def negatives(labels_B: Tensor, labels_N: Tensor, count: int, draws: torch.Generator) -> Tensor:
    """For each image `count` different places `[B, count]` in the train split, of other classes, all equally likely."""
    import torch

    keys_BN = torch.rand(len(labels_B), len(labels_N), generator=draws, device=labels_N.device)
    keys_BN.masked_fill_(labels_B.unsqueeze(1) == labels_N, 2.0)
    return keys_BN.topk(count, dim=1, largest=False, sorted=False).indices


def _scores(anchors_BD: Tensor, bank_ND: Tensor, picked_BP: Tensor) -> Tensor:
    # all N products and then a choice: 20 times as fast as a copy of M rows of the bank for each image
    return (anchors_BD @ bank_ND.T).gather(1, picked_BP)


def _log_z(scores_BP: Tensor, images: int) -> Tensor:
    """The logarithm of N times the mean of exp(scores)."""
    return scores_BP.flatten().logsumexp(dim=0) + math.log(images / scores_BP.numel())


def _value(logits_BP: Tensor) -> Tensor:
    """The mean of -log h of the first column and -log(1 - h) of the others, h = sigmoid(logits)."""
    from torch.nn.functional import logsigmoid

    return -(logsigmoid(logits_BP[:, 0]) + logsigmoid(-logits_BP[:, 1:]).sum(dim=1)).mean()


def _moved(bank_ND: Tensor, index_B: Tensor, rows_BD: Tensor, momentum: float) -> Tensor:
    """A new bank whose rows `index_B` have come nearer to `rows_BD`; the old one is still needed by the gradient."""
    mixed_BD = bank_ND.index_select(0, index_B) * momentum + rows_BD * (1 - momentum)
    return bank_ND.index_copy(0, index_B, unit_rows(mixed_BD))
