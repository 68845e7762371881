"""Keeps torch's compiler out of a run that compiles nothing.

torch's optimisers and its counter of operations import the whole of `torch._dynamo`, more than a second of CPU in every
run, only to tell a compiler that does not run to leave them alone. Here they are told that this was said already.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils import flop_counter

_TOLD = "__dynamo_disable"  # where torch._disable_dynamo looks for the method to call
_METHODS = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
_STEP_GUARD = "_use_grad"  # torch's wrapper of `step`: no gradients, and a word to the compiler before and after


def leave_compiler_out() -> None:
    """To be called before the first optimiser is built. Where torch works otherwise, nothing is changed."""
    methods: list[Any] = [getattr(torch.optim.Optimizer, name) for name in _METHODS]
    counter = getattr(flop_counter, "_FlopCounterMode", None)
    for guarded in [*methods, getattr(counter, "__torch_dispatch__", None)]:
        method = getattr(guarded, "__wrapped__", None)
        if method is not None and not hasattr(method, _TOLD):
            setattr(method, _TOLD, method)
    for kind in (torch.optim.SGD, torch.optim.Adam):  # AdamW steps as Adam
        step: Any = kind.step
        if step.__code__.co_name == _STEP_GUARD:
            setattr(kind, "step", torch.no_grad()(step.__wrapped__))  # noqa: B010 (mypy takes methods for constants)
