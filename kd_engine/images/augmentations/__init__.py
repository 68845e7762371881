"""Augmentations of a whole batch of uint8 tensors, each image with its own draw. Importing this never imports torch.

The folder is the registry: every class with a name in one of its files is known under it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from kd_engine.images.augmentations.base import Augmentation
from kd_engine.images.augmentations.crop import Crop
from kd_engine.images.augmentations.flip import Flip
from kd_engine.images.augmentations.sequence import Augmented, augment, count_views, misfit, show
from kd_engine.schema.registry import discover, tagged_union

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "AugmentationSpec",
    "Augmented",
    "Crop",
    "Flip",
    "augment",
    "count_views",
    "misfit",
    "show",
]

AUGMENTATIONS: dict[str, type[Augmentation]] = discover(sys.modules[__name__], Augmentation, tag="name")

if TYPE_CHECKING:
    AugmentationSpec = Augmentation
else:
    AugmentationSpec: Any = tagged_union(AUGMENTATIONS, tag="name", what="augmentation")
