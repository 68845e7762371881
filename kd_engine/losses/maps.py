"""What the losses on feature maps share. B images, C channels, H and W of a map, N rows, D numbers a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kd_engine.losses.base import Outputs
from kd_engine.schema.errors import InvalidSpecError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from torch import Tensor


def map_pair(student: Outputs, teacher: Outputs, stage: int) -> tuple[Tensor, Tensor]:
    """Both networks' maps `[B, C, H, W]` of a stage (0 the first, -1 the last) in float32, the teacher's detached.

    Raises:
        InvalidSpecError: they are not maps of as many images.
    """
    student_BCHW, teacher_BCHW = student.features[stage], teacher.features[stage]
    shapes = [tuple(student_BCHW.shape), tuple(teacher_BCHW.shape)]
    if any(len(shape) != 4 for shape in shapes) or shapes[0][0] != shapes[1][0]:
        raise InvalidSpecError(
            f"expected feature maps (images, channels, height, width) of as many images from both networks; the "
            f"student's are {list(shapes[0])} and the teacher's {list(shapes[1])}."
        )
    return student_BCHW.float(), teacher_BCHW.detach().float()


def map_pairs(student: Outputs, teacher: Outputs) -> list[tuple[Tensor, Tensor]]:
    """`map_pair` of each stage.

    Raises:
        InvalidSpecError: the networks differ in their number of stages, or as in `map_pair`.
    """
    counts = len(student.features), len(teacher.features)
    if counts[0] != counts[1]:
        raise InvalidSpecError(
            f"expected as many feature maps from both networks; the student gave {counts[0]}, the teacher {counts[1]}."
        )
    return [map_pair(student, teacher, stage) for stage in range(counts[0])]


def unit_rows(rows_ND: Tensor) -> Tensor:
    """Each last dimension divided by its L2 norm. Zeros stay zeros, with a gradient of ordinary size.

    `torch.nn.functional.normalize` would multiply their gradient by 1e12.
    """
    norm_N1: Tensor = rows_ND.norm(dim=-1, keepdim=True)
    return rows_ND / norm_N1.masked_fill(norm_N1 == 0, 1.0)


def full_precision(tensor: Tensor) -> AbstractContextManager[object]:
    """Products of float32 matrices stay float32 inside, whatever autocast would make of them outside."""
    import torch

    return torch.autocast(tensor.device.type, enabled=False)
