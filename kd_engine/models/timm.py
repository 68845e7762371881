"""Networks of the timm library with a new head. Shapes: B images, C channels, H and W pixels, F features, K classes.

timm is imported when the first of them is built, because it takes seconds.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any, Self

import torch
from torch import Tensor, nn

from kd_engine.catalog.models.timm import PREFIX, TimmParams
from kd_engine.errors import DataError, InvalidSpecError
from kd_engine.models.mlp import layers
from kd_engine.models.timm_stages import Feed, Probe, Stage, probe
from kd_engine.models.weights import WeightsFolder
from kd_engine.spec.networks import MOST_WEIGHTS
from kd_engine.strict import nearest


class TimmNetwork(nn.Module):
    """A backbone from timm and a head of linear layers with ReLU and dropout.

    `stage1` to `stage4` repeat the maps of the backbone's four stages as `[B, C, H, W]`; a backbone that does not
    have four has none. A frozen backbone has no gradients and stays in eval mode: its BatchNorm keeps its statistics.
    """

    def __init__(self, backbone: nn.Module, head: nn.Module, stages: tuple[Stage, ...], maker: BackboneMaker) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self._maker = maker
        for number, stage in enumerate(stages, 1):
            shown = nn.Identity()
            self.add_module(f"stage{number}", shown)
            backbone.get_submodule(stage.module).register_forward_hook(Feed(shown, stage.layout))
        self.frozen = maker.params.frozen_backbone
        if self.frozen:
            backbone.requires_grad_(False)
        self.train()

    def forward(self, images_BCHW: Tensor) -> Tensor:
        logits_BK: Tensor = self.head(self.backbone(images_BCHW))
        return logits_BK

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    def load_start(self, folder: WeightsFolder) -> None:
        """Loads the weights that the parameters ask for into the backbone, if they ask for any."""
        params = self._maker.params
        if params.weights_file is not None:
            self._load(folder.given(params.weights_file), params.weights_file)
        elif params.pretrained:
            repository = self._maker.repository()
            self._load(folder.published(repository), repository)

    def _load(self, tensors: dict[str, Tensor], source: str) -> None:
        mine = self.backbone.state_dict()
        try:
            state = self._maker.filled(tensors).state_dict()
            self.backbone.load_state_dict({name: state[name] for name in mine})
        except (RuntimeError, KeyError, ValueError, IndexError) as error:
            raise DataError(
                f"the weights {source} do not fit '{PREFIX}{self._maker.name}': expected the tensors of that network, "
                f"named as timm names them ({type(error).__name__}: {_short(error)})."
            ) from error


class BackboneMaker:
    """Builds one network of timm without its classifier.

    Raises:
        InvalidSpecError: timm does not know it.
    """

    def __init__(self, name: str, params: TimmParams, shape: tuple[int, int, int]) -> None:
        self.name, self.params, self._shape = name, params, shape
        _check_known(name)
        config = _library().get_pretrained_cfg(name)
        self._config = config
        self._arguments: dict[str, Any] = {"in_chans": shape[0]}
        if config is not None and config.fixed_input_size:
            self._arguments["img_size"] = shape[1:]

    def build(self) -> nn.Module:
        """With weights drawn from torch's global random state."""
        return self._create(num_classes=0)

    def probe(self) -> Probe:
        """What the network will be, found without memory for its weights.

        Raises:
            InvalidSpecError: it cannot take images of this shape, or has too many weights.
        """
        try:
            with torch.device("meta"):
                found = probe(self._create(num_classes=0), self._shape)
        except Exception as error:  # each network of timm refuses in its own way, if only by a failed convolution
            channels, height, width = self._shape
            raise InvalidSpecError(
                f"'{PREFIX}{self.name}' cannot take images of {height}x{width} pixels in {channels} channels "
                f"({type(error).__name__}: {_short(error)}); try another network or another size of images."
            ) from error
        if found.weights > MOST_WEIGHTS:
            raise InvalidSpecError(
                f"'{PREFIX}{self.name}' has {found.weights:,} weights; at most {MOST_WEIGHTS:,} are taken. "
                "Take a smaller member of its family."
            )
        return found

    def repository(self) -> str:
        """Where timm publishes this network's weights on the Hugging Face hub.

        Raises:
            InvalidSpecError: nowhere.
        """
        repository = getattr(self._config, "hf_hub_id", None)
        if not repository:
            raise InvalidSpecError(
                f"timm publishes no weights for '{PREFIX}{self.name}': leave out params.pretrained, or supply the "
                "weights as params.weights_file."
            )
        return str(repository)

    def filled(self, tensors: dict[str, Tensor]) -> nn.Module:
        """The network with a checkpoint's weights, which timm adapts to this number of channels and size of image.

        The checkpoint's classifier is kept, whatever its width, so that every other tensor must find its place.
        """
        classifier = getattr(self._config, "classifier", None)
        first = classifier if isinstance(classifier, str) else next(iter(classifier or ()), "")
        weight = tensors.get(f"{first}.weight")
        classes = 0 if weight is None else weight.shape[0]
        overlay = {"state_dict": dict(tensors), "num_classes": classes, "label_offset": 0}
        return self._create(num_classes=classes, pretrained=True, pretrained_cfg_overlay=overlay)

    def _create(self, **arguments: Any) -> nn.Module:
        network: nn.Module = _library().create_model(self.name, **self._arguments, **arguments)
        return network


def timm_network(params: TimmParams, shape: tuple[int, int, int], num_classes: int, *, name: str) -> nn.Module:
    """`name` as timm names it, at random; `load_start` then loads the weights to start from.

    Raises:
        InvalidSpecError: timm does not know it, it does not fit the images, or it has too many weights.
    """
    maker = BackboneMaker(name, params, shape)
    found = maker.probe()
    backbone = maker.build()
    rest = layers(found.features, params.head, params.dropout, num_classes)
    head = nn.Sequential(*([] if params.head else [nn.Dropout(params.dropout)]), *rest)
    return TimmNetwork(backbone, head, found.stages, maker)


@cache
def _library() -> ModuleType:
    """timm itself.

    Raises:
        InvalidSpecError: it is not installed.
    """
    try:
        from kd_engine.torchvision_guard import import_torchvision

        import_torchvision()
        import timm
    except ImportError as error:
        raise InvalidSpecError(
            f"networks named '{PREFIX}...' need the packages of the extra 'timm' (timm and torchvision) where the "
            f"engine runs; {error.name or error} is missing."
        ) from error
    library: ModuleType = timm
    return library


def _check_known(name: str) -> None:
    library = _library()
    architecture, _, tag = name.partition(".")
    if not library.is_model(architecture):
        known, what = library.list_models(), "network"
    elif tag and name not in (known := library.list_pretrained(f"{architecture}.*")):
        what = "set of weights"
    else:
        return
    hint = nearest(name, known)
    guess = f"did you mean '{PREFIX}{hint}'?" if hint else "look it up in timm.list_models()."
    raise InvalidSpecError(f"timm {library.__version__} knows no {what} '{name}'; {guess}")


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:297] + "..."
