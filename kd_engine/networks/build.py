"""Builds the networks of the catalogue: from a name and parameters to a module with fresh weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from kd_engine.catalog import MODELS, TIMM, ModelRow
from kd_engine.jobspec.problems import field_problems
from kd_engine.schema.errors import InvalidSpecError
from kd_engine.schema.importing import load_object
from kd_engine.schema.strict_model import unknown_name

if TYPE_CHECKING:
    from torch import nn

    from kd_engine.models.weights import WeightsFolder


def build_network(
    model: str,
    params: Mapping[str, Any],
    shape: tuple[int, int, int],
    num_classes: int,
    weights: WeightsFolder | None = None,
) -> nn.Module:
    """A fresh network of the catalogue, with weights drawn from torch's global random state.

    Args:
        model: a name of the catalogue.
        params: of the network; `num_classes` and `in_channels` may be among them and are then checked.
        shape: channels, height and width of an image.
        num_classes: K, the width of the output.
        weights: where parameters that ask for weights to start from (`pretrained`, `weights_file`) find them. Without
            it nothing is read: the caller has the weights already, as those of a saved network.

    Returns:
        A module from float images `[B, C, H, W]` to logits `[B, K]`.

    Raises:
        InvalidSpecError: no such network, wrong parameters, or one that does not fit the images or the classes.
        DataError: the weights to start from are missing or do not fit.
    """
    row = _row(model)
    checked = _params(row, params)
    _check_fit(row, checked, shape, num_classes)
    network = cast("nn.Module", load_object(row.factory)(checked, shape, num_classes, **row.options))
    if weights is not None:
        _load_start(network, weights)
    return network


def _load_start(network: nn.Module, weights: WeightsFolder) -> None:
    from kd_engine.models.weights import StartsFromWeights

    if isinstance(network, StartsFromWeights):
        network.load_start(weights)


def _row(model: str) -> ModelRow:
    if model not in MODELS:
        raise InvalidSpecError(unknown_name("model", model, (*MODELS, TIMM.name)).message())
    return MODELS[model]


def _params(row: ModelRow, params: Mapping[str, Any]) -> Any:
    try:
        return row.params.model_validate(dict(params))
    except ValidationError as error:
        problems = "; ".join(f"{problem.pointer}: {problem.message}" for problem in field_problems(error, dict(params)))
        raise InvalidSpecError(f"the parameters of '{row.name}' are wrong: {problems}") from error


def _check_fit(row: ModelRow, params: Any, shape: tuple[int, int, int], num_classes: int) -> None:
    channels, *size = shape
    for key, actual in (("num_classes", num_classes), ("in_channels", channels)):
        asked = getattr(params, key)
        if asked is not None and asked != actual:
            raise InvalidSpecError(f"'{row.name}' was given {key} = {asked}, but the data has {actual}; leave it out.")
    if min(size) < row.min_size:
        raise InvalidSpecError(
            f"'{row.name}' needs images of at least {row.min_size} pixels a side; these are {size[0]}x{size[1]}."
        )
