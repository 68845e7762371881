"""Weights as other programs name them: `module.`, `backbone.` or `model.` before each name, a moving average beside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor

_AVERAGES = ("ema", "average", "swa", "shadow")
# what some versions of a library save and others compute
_MAY_LACK = ("num_batches_tracked", "relative_position_index", "relative_coords_table", "attn_mask")


def unprefixed(tensors: Mapping[str, Tensor], wanted: Iterable[str]) -> dict[str, Tensor]:
    """The tensors under the prefix that has most of the wanted names, without it; of equals, a moving average.

    Where no name is wanted, all as they are.
    """
    names = set(wanted)
    found: dict[str, int] = {}
    for key in tensors:
        parts = key.split(".")
        for start in range(len(parts)):
            if ".".join(parts[start:]) in names:
                prefix = "".join(f"{part}." for part in parts[:start])
                found[prefix] = found.get(prefix, 0) + 1
    if not found:
        return dict(tensors)

    def rank(prefix: str) -> tuple[int, bool, int]:
        return found[prefix], any(word in prefix.lower() for word in _AVERAGES), -len(prefix)

    best = max(found, key=rank)
    return {key.removeprefix(best): tensor for key, tensor in tensors.items() if key.startswith(best)}


def misfit(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str | None:
    """The first thing that does not fit, in one line; None where all does."""
    for name, tensor in wanted.items():
        if name in tensors and tensors[name].shape != tensor.shape:
            return f"'{name}' is {_sizes(tensors[name].shape)} in the file and {_sizes(tensor.shape)} in the network"
    missing = [name for name in wanted if name not in tensors and not name.endswith(_MAY_LACK)]
    if missing:
        has = ", ".join(f"'{name}'" for name in list(tensors)[:3])
        return f"the file lacks '{missing[0]}'{_more(missing)}; it has {has}{_more(list(tensors), 3)}"
    extra = [name for name in tensors if name not in wanted and not name.endswith(_MAY_LACK)]
    return f"the network has no '{extra[0]}'{_more(extra)}" if extra else None


def _more(names: Sequence[str], shown: int = 1) -> str:
    return f" and {len(names) - shown:,} more" if len(names) > shown else ""


def _sizes(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a number"
