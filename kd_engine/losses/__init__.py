"""Distillation methods, one file each; the folder is the registry.

Drop a file with a subclass of `Loss` here and it is in the API, the catalogue, the docs and the contract tests.
Importing this package never imports torch: a formula is written with the methods of its tensors, or imports torch
inside the function that needs it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from kd_engine.losses.base import FeatureLoss, Loss, Outputs, Sizes
from kd_engine.schema.registry import discover, tagged_union

LOSSES: dict[str, type[Loss]] = discover(sys.modules[__name__], Loss, tag="kind")

if TYPE_CHECKING:
    LossSpec = Loss
else:
    LossSpec: Any = tagged_union(LOSSES, tag="kind", what="loss")

__all__ = ["LOSSES", "FeatureLoss", "Loss", "LossSpec", "Outputs", "Sizes"]
