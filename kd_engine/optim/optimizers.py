"""Optimisers: each a set of parameters that knows how to build itself. Importing this never imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from kd_engine.schema.registry import by_tag, tagged_union
from kd_engine.schema.strict_model import StrictModel

if TYPE_CHECKING:
    import torch


class Optimizer(StrictModel):
    """Base of the optimisers; `lr` is the rate that the schedule scales."""

    name: str
    lr: float = Field(1e-3, gt=0, le=100, description="Learning rate before the schedule's factor.")
    weight_decay: float = Field(0.0, ge=0, le=10, description="L2 penalty (decoupled for AdamW).")

    def build(self, parameters: list[torch.nn.Parameter] | list[dict[str, Any]]) -> torch.optim.Optimizer:
        """The torch optimiser over parameters or groups of them."""
        raise NotImplementedError(f"the optimizer '{self.name}' cannot be built")


class SGD(Optimizer):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"] = "sgd"
    lr: float = Field(0.05, gt=0, le=100, description="Learning rate before the schedule's factor.")
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = False

    def build(self, parameters: list[torch.nn.Parameter] | list[dict[str, Any]]) -> torch.optim.Optimizer:
        import torch

        return torch.optim.SGD(
            parameters, lr=self.lr, momentum=self.momentum, nesterov=self.nesterov,
            weight_decay=self.weight_decay, fused=True,
        )  # fmt: skip


class Adam(Optimizer):
    """Kingma and Ba, 2015, arXiv:1412.6980."""

    name: Literal["adam"] = "adam"
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = Field(1e-8, gt=0, le=1)

    def build(self, parameters: list[torch.nn.Parameter] | list[dict[str, Any]]) -> torch.optim.Optimizer:
        import torch

        return torch.optim.Adam(parameters, **self._arguments())

    def _arguments(self) -> dict[str, Any]:
        return {"lr": self.lr, "betas": self.betas, "eps": self.eps, "weight_decay": self.weight_decay, "fused": True}


class AdamW(Adam):
    """Adam with decoupled weight decay: Loshchilov and Hutter, 2019, arXiv:1711.05101."""

    name: Literal["adamw"] = "adamw"  # type: ignore[assignment]
    weight_decay: float = Field(0.01, ge=0, le=10, description="Decoupled weight decay.")

    def build(self, parameters: list[torch.nn.Parameter] | list[dict[str, Any]]) -> torch.optim.Optimizer:
        import torch

        return torch.optim.AdamW(parameters, **self._arguments())


OPTIMIZERS: dict[str, type[Optimizer]] = by_tag([SGD, Adam, AdamW], tag="name")

if TYPE_CHECKING:
    OptimizerSpec = Optimizer
else:
    OptimizerSpec: Any = tagged_union(OPTIMIZERS, tag="name", what="optimizer")
