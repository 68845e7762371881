"""Taps the feature maps of a network's stages with forward hooks."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from torch import Tensor, nn

from kd_engine.schema.errors import InvalidSpecError


class FeatureTap:
    """Collects the outputs of the named submodules during a forward pass; a context manager that removes its hooks.

    Each map is `[B, C, H, W]`, in the order of `stages`.

    Raises:
        InvalidSpecError: the network does not have these stages.
    """

    def __init__(self, module: nn.Module, stages: tuple[str, ...]) -> None:
        self._stages = stages
        self._maps: dict[str, Tensor] = {}
        present = {name for name, _ in module.named_modules()}
        absent = [stage for stage in stages if stage not in present]
        if absent:
            raise InvalidSpecError(
                f"a loss compares feature maps, but this network has no {', '.join(absent)}: it gives too few maps of "
                "pixels. Take another network, or a loss on logits."
            )
        self._hooks = [module.get_submodule(stage).register_forward_hook(self._keep(stage)) for stage in stages]

    def _keep(self, stage: str) -> Any:
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            self._maps[stage] = output

        return hook

    def take(self) -> tuple[Tensor, ...]:
        """The maps of the last forward pass; they are let go of here."""
        return tuple(self._maps.pop(stage) for stage in self._stages)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for hook in self._hooks:
            hook.remove()
