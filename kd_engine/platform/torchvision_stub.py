"""Makes `import torchvision` work where its compiled operators do not load: beside a torch built for the CPU alone.

The registry's torchvision is compiled against a CUDA torch. Without those libraries its operators do not load, and its
import then fails, because it describes operators that do not exist. timm imports torchvision, yet needs none of them.
So their names are declared here, without code: to import is enough, to call one is still an error.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache

import torch

# the operators that torchvision describes when it is imported, whether or not they loaded
_DECLARATIONS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@cache
def import_torchvision() -> None:
    """Imports torchvision, with its operators' names declared if, and only if, it cannot be imported otherwise.

    Raises:
        RuntimeError: torchvision fails for another reason.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
        _forget_half_imported()
        _declare()
        importlib.import_module("torchvision")


def _forget_half_imported() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]


@cache  # the library must live as long as the process: its names go with it
def _declare() -> torch.library.Library:
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for declaration in _DECLARATIONS:
        library.define(declaration)  # type: ignore[no-untyped-call]
    return library
