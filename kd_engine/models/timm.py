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
from kd_engine.jobspec.networks import MOST_WEIGHTS
from kd_engine.models.mlp import layers
from kd_engine.models.timm_stages import Feed, Probe, Stage, probe
from kd_engine.models.weight_names import misfit, unprefixed
from kd_engine.models.weights import WeightsFolder
from kd_engine.schema.errors import DataError, InvalidSpecError
from kd_engine.schema.strict_model import nearest


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

    def load_whole(self, tensors: dict[str, Tensor], classes: int) -> None:
        """Loads a network that was trained to the end, as timm names its parts, with whatever before the names.

        Raises:
            DataError: they do not fit, or do not make the same network here.
        """
        if self._maker.params.head:
            raise DataError("a network of timm's own has one linear layer after its backbone: leave params.head out.")
        whole = self._maker.whole(classes)
        wanted = whole.state_dict()
        state = unprefixed(tensors, wanted)
        state |= _classifier_beside(tensors, state, wanted)
        if wrong := misfit(state, wanted):
            raise DataError(f"the weights do not fit '{PREFIX}{self._maker.name}' for {classes} classes: {wrong}.")
        whole.load_state_dict({name: state.get(name, tensor) for name, tensor in wanted.items()})
        layer, loaded = whole.get_classifier(), whole.state_dict()  # type: ignore[operator]
        weight, bias = getattr(layer, "weight", None), getattr(layer, "bias", None)
        last = self.head[-1]  # type: ignore[index]
        fits = False
        if isinstance(weight, Tensor) and weight.numel() == last.weight.numel():
            self.backbone.load_state_dict({name: loaded[name] for name in self.backbone.state_dict()})
            with torch.no_grad():
                last.weight.copy_(weight.reshape(last.weight.shape))
                last.bias.copy_(torch.zeros(classes) if bias is None else bias)
            fits = self._agrees(whole)
        if not fits:
            raise DataError(
                f"'{PREFIX}{self._maker.name}' names its classes by more than one linear layer, and is not taken as "
                "weights; send it as ONNX."
            )

    @torch.no_grad()
    def _agrees(self, whole: nn.Module) -> bool:
        images_BCHW = torch.rand(2, *self._maker.shape, generator=torch.Generator().manual_seed(0))
        was = self.training
        expected_BK, found_BK = whole.eval()(images_BCHW), self.eval()(images_BCHW)
        self.train(was)
        return bool((expected_BK - found_BK).abs().max() <= 1e-3 * expected_BK.abs().max().clamp(min=1e-3))

    def _load(self, tensors: dict[str, Tensor], source: str) -> None:
        mine = self.backbone.state_dict()
        try:
            state = self._maker.filled(unprefixed(tensors, mine)).state_dict()
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
        self.name, self.params, self.shape = name, params, shape
        _check_known(name)
        config = library().get_pretrained_cfg(name)
        self._config = config
        self._arguments: dict[str, Any] = {"in_chans": shape[0]}
        if config is not None and config.fixed_input_size:
            self._arguments["img_size"] = shape[1:]

    def build(self) -> nn.Module:
        """With weights drawn from torch's global random state."""
        return self._create(num_classes=0)

    def whole(self, classes: int) -> nn.Module:
        """With timm's own classifier."""
        return self._create(num_classes=classes)

    def probe(self) -> Probe:
        """What the network will be, found without memory for its weights.

        Raises:
            InvalidSpecError: it cannot take images of this shape, or has too many weights.
        """
        try:
            with torch.device("meta"):
                found = probe(self._create(num_classes=0), self.shape)
        except Exception as error:  # each network of timm refuses in its own way, if only by a failed convolution
            channels, height, width = self.shape
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
        network: nn.Module = library().create_model(self.name, **self._arguments, **arguments)
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
def library() -> ModuleType:
    """timm itself.

    Raises:
        InvalidSpecError: it is not installed.
    """
    try:
        from kd_engine.platform.torchvision_stub import import_torchvision

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
    timm = library()
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        known, what = timm.list_models(), "network"
    elif tag and name not in (known := timm.list_pretrained(f"{architecture}.*")):
        what = "set of weights"
    else:
        return
    hint = nearest(name, known)
    guess = f"did you mean '{PREFIX}{hint}'?" if hint else "look it up in timm.list_models()."
    raise InvalidSpecError(f"timm {timm.__version__} knows no {what} '{name}'; {guess}")


def _classifier_beside(
    tensors: dict[str, Tensor], state: dict[str, Tensor], wanted: dict[str, Tensor]
) -> dict[str, Tensor]:
    """The last layer, where it has a name of its own beside the backbone's (`backbone.conv1.weight`, `head.weight`)."""
    missing = [name for name in wanted if name not in state and name.endswith((".weight", ".bias"))]
    found = {}
    for name in missing:
        kind = name.rpartition(".")[2]
        beside = [key for key in tensors if key.rpartition(".")[0].count(".") == 0 and key.endswith(f".{kind}")]
        alike = [key for key in beside if tensors[key].shape == wanted[name].shape]
        if len(missing) > 2 or len(alike) != 1:
            return {}
        found[name] = tensors[alike[0]]
    return found


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:297] + "..."
