"""BatchNorm over a batch that lies in parts on several processes: Ioffe and Szegedy 2015, arXiv:1502.03167.

Shapes: P images in this process's part, C channels, `...` pixels, R processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import batch_norm
from torch.overrides import TorchFunctionMode

from kd_engine.distributed.world import World


class BatchStatistics(TorchFunctionMode):
    """Inside, `torch.nn.functional.batch_norm` in training takes mean and variance over all processes' images.

    It works for every layer that calls that function, whatever its class, and changes no module. All processes have to
    run the same layers in the same order, forward and backward.
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def __torch_function__(
        self, function: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        if function is batch_norm:
            return self._batch_norm(*args, **(kwargs or {}))
        return function(*args, **(kwargs or {}))

    def _batch_norm(  # its parameters are called as those of torch's function
        self,
        input: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if not training:
            return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
        count, mean_C, var_C = _statistics(input, self._world)
        if running_mean is not None and running_var is not None:
            with torch.no_grad():
                running_mean.lerp_(mean_C, momentum)
                running_var.lerp_(var_C * (count / (count - 1)), momentum)
        weight_C = torch.ones_like(mean_C) if weight is None else weight
        bias_C = torch.zeros_like(mean_C) if bias is None else bias
        apply: Callable[..., Tensor] = _Normed.apply
        return apply(input, weight_C, bias_C, count, mean_C, var_C, eps, self._world)


@torch.no_grad()
def _statistics(x_PC: Tensor, world: World) -> tuple[Tensor, Tensor, Tensor]:
    """Numbers a channel, and their mean and (biased) variance, over all processes; at least float32."""
    channels = x_PC.shape[1]
    mean_C = x_PC.new_zeros(channels, dtype=torch.promote_types(x_PC.dtype, torch.float32))
    var_C = torch.zeros_like(mean_C)
    if x_PC.numel() > 0:  # with running statistics (not used here) the result is float32 for bf16 maps too
        mean_C, var_C = torch.batch_norm_update_stats(x_PC, mean_C, var_C, 0.0)
    count_1 = mean_C.new_full((1,), x_PC.numel() // channels)
    all_RS = world.all_gather(torch.cat([count_1, mean_C, var_C]))
    count_R1, mean_RC, var_RC = torch.split(all_RS, [1, channels, channels], dim=1)
    count = count_R1.sum()
    share_R1 = count_R1 / count
    total_C = (share_R1 * mean_RC).sum(dim=0)
    return count, total_C, (share_R1 * (var_RC + (mean_RC - total_C).square())).sum(dim=0)


class _Normed(torch.autograd.Function):
    """y = weight * (x - mean) / sqrt(var + eps) + bias, where mean and var depend on the x of all processes.

    dx = weight / sqrt(var + eps) * (dy - (sum dy + x' * sum dy x') / count), x' the normalised x, sums over all
    processes. The gradients of weight and bias are this process's part: those of all are summed with all others.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x_PC: Tensor,
        weight_C: Tensor,
        bias_C: Tensor,
        count: Tensor,
        mean_C: Tensor,
        var_C: Tensor,
        eps: float,
        world: World,
    ) -> Tensor:
        ctx.save_for_backward(x_PC, weight_C, count, mean_C, var_C)
        ctx.eps, ctx.world = eps, world
        return batch_norm(x_PC, mean_C, var_C, weight_C, bias_C, False, 0.0, eps)

    @staticmethod
    def backward(ctx: Any, dy_PC: Tensor) -> tuple[Tensor | None, ...]:
        x_PC, weight_C, count, mean_C, var_C = ctx.saved_tensors
        dx_PC, dweight_C, dbias_C = torch.zeros_like(x_PC), torch.zeros_like(weight_C), torch.zeros_like(weight_C)
        if x_PC.numel() > 0:  # as if mean and variance were constants
            dx_PC, dweight_C, dbias_C = torch.ops.aten.native_batch_norm_backward(
                dy_PC, x_PC, weight_C, mean_C, var_C, None, None, False, ctx.eps, [True, True, True]
            )
        sums_2C = ctx.world.all_gather(torch.stack([dbias_C, dweight_C])).sum(dim=0)
        if x_PC.numel() > 0:
            scale_C = -weight_C * (var_C + ctx.eps).rsqrt() / count
            dx_PC += batch_norm(x_PC, mean_C, var_C, scale_C * sums_2C[1], scale_C * sums_2C[0], False, 0.0, ctx.eps)
        return dx_PC, dweight_C, dbias_C, None, None, None, None, None
