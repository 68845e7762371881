"""Networks that were made elsewhere and only name classes: ONNX models, and the logits of one that its owner keeps.

They are networks like any other (a module, buffers, an architecture), so that they are saved, cached, evaluated and
taught from as all are. They have no feature maps and nothing to train.

Shapes: B images in a batch, N images that logits are known of, C channels, H and W pixels, K classes.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from kd_engine.models.class_scores import as_logits
from kd_engine.models.pixel_input import Feed
from kd_engine.platform.heartbeat import sign
from kd_engine.schema.errors import DataError, InvalidSpecError

if TYPE_CHECKING:
    from kd_engine.models.onnx_session import OnnxSession

ONNX, LOGITS = "onnx", "logits"
"""What architectures of these kinds are called; the catalogue has no rows of these names."""
AT_ONCE = 32
"""Images that a model is given at most, where it takes any number: what it costs was tried with as many."""


class Output(BaseModel):
    """Which output of a model names the classes, and how.

    Attributes:
        place: among the model's outputs, from 0.
        kind: `logits`; `probabilities`; `sigmoids`, probabilities of each class by itself; or `maps`, a list of
            probabilities by class, of models that an earlier version registered.
        keys: of a list by class, as scikit-learn's models give, in order.
        single: there is one column for two classes, and it is of the second.
        floor: what a probability of 0 is taken for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    place: int
    kind: Literal["logits", "probabilities", "sigmoids", "maps"]
    keys: tuple[int | str, ...] = ()
    single: bool = False
    floor: float = 1e-12


class OnnxParams(BaseModel):
    """How an ONNX model is fed and read.

    Attributes:
        size: of its file, in bytes.
        parameters: numbers that it holds.
        layout: of its input: images as `NCHW`, `NHWC`, `NHW` (grey), `flat` (pixels in a row, the channels of each
            together) or `flat_chw` (in a row, channel by channel).
        batch: images that it takes at once; None: any number.
        output: which of its outputs, and what that holds.
        order: for each class of the data set, which of the model's outputs it is.
        feed: how it takes its pixels; None of models that an earlier version registered: as the architecture says.
        batch_dependent: what it says of an image depends on the other images of the batch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int
    parameters: int
    layout: str
    batch: int | None
    output: Output
    order: tuple[int, ...]
    feed: Feed | None = None
    batch_dependent: bool = False


class OnnxNetwork(nn.Module):
    """An ONNX model on the CPU, whatever device the images are on. Its file is the one buffer."""

    file: Tensor

    def __init__(self, params: OnnxParams, file: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("file", torch.zeros(params.size, dtype=torch.uint8) if file is None else file)
        self.params = params
        self._session: OnnxSession | None = None

    @property
    def batch_dependent(self) -> bool:
        """Whether what it says of an image depends on the others; of models of an earlier version, by their file."""
        quantised = self.params.batch != 1 and b"DynamicQuantizeLinear" in self.file.cpu().numpy().tobytes()
        return self.params.batch_dependent or quantised

    def changed(self, **params: Any) -> OnnxNetwork:
        """The same model, fed or read in another way; the file and the session are shared."""
        other = OnnxNetwork(self.params.model_copy(update=params), self.file)
        other._session = self._opened()
        return other

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Logits `[B, K]`; of a model that gives probabilities, their logarithms."""
        output = self.params.output
        answers_BK = np.concatenate([self._part(part_BCHW) for part_BCHW in self._parts(images_BCHW.float().cpu())])
        logits_BK = as_logits(answers_BK, output.kind, output.floor)
        if output.single:
            logits_BK = np.concatenate([np.zeros_like(logits_BK), logits_BK], axis=1)
        return torch.from_numpy(logits_BK[:, list(self.params.order)]).to(images_BCHW.device)

    def _opened(self) -> OnnxSession:
        if self._session is None:
            from kd_engine.models.onnx_session import OnnxSession  # only now: most runs need no onnxruntime

            self._session = OnnxSession(self.file.cpu().numpy().tobytes())
        return self._session

    def _parts(self, images_BCHW: Tensor) -> list[Tensor]:
        return list(torch.split(images_BCHW, self.params.batch or AT_ONCE))

    def _part(self, images_BCHW: Tensor) -> NDArray[Any]:
        count, batch = len(images_BCHW), self.params.batch or 0
        if count < batch:  # a model for so many at once takes no fewer
            images_BCHW = torch.cat([images_BCHW, images_BCHW[:1].expand(batch - count, -1, -1, -1)])
        session = self._opened()
        from kd_engine.models.onnx_session import laid_out

        array: NDArray[Any] = images_BCHW.contiguous().numpy()
        if self.params.feed is not None:  # exact: pixels are k / 255
            pixels_BCHW = np.rint(array * 255).astype(np.uint8)
            array = self.params.feed(pixels_BCHW, np.float64 if session.is_double else np.float32)
        output_BK = session.read(laid_out(array, self.params.layout), self.params.output)
        expected = (len(array), 1 if self.params.output.single else len(self.params.order))
        if output_BK.shape != expected:  # what was tried was right; it may depend on the images
            raise DataError(
                f"the ONNX model gives numbers of shape {output_BK.shape}; expected {expected}, one for "
                "each class of each image."
            )
        return output_BK[:count]

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # nothing changes the file; a session of its own is opened when needed
        return type(self)(self.params, self.file)


class LogitsParams(BaseModel):
    """Of how many images the logits of how many classes are known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int
    classes: int


class RecordedLogits(nn.Module):
    """The logits that a network gave for the images of a data set; it knows no others.

    Images are told by their pixels, so that it does not matter in which order, split or batch they come.
    """

    keys_N2: Tensor
    logits_NK: Tensor

    def __init__(self, params: LogitsParams) -> None:
        super().__init__()
        self.params = params
        self.register_buffer("keys_N2", torch.zeros(params.images, 2, dtype=torch.int64))
        self.register_buffer("logits_NK", torch.zeros(params.images, params.classes))
        self._rows: dict[tuple[int, int], int] | None = None

    def forward(self, pixels_BCHW: Tensor) -> Tensor:
        """Logits `[B, K]` of images that are as they are in the data set, with pixels in [0, 1].

        Raises:
            InvalidSpecError: of other images.
        """
        if self._rows is None:
            self._rows = {(first, second): row for row, (first, second) in enumerate(self.keys_N2.tolist())}
        images_BCHW = pixels_BCHW.float().mul(255).round().to(torch.uint8).cpu()
        try:
            rows_B = [self._rows[key] for key in keys_of(images_BCHW)]
        except KeyError:
            raise InvalidSpecError(
                "the teacher is a list of logits, and knows the images of its data set as they are: train without "
                "augmentation, at the size that it was registered for, and on that data set."
            ) from None
        return self.logits_NK[rows_B].to(pixels_BCHW.device)


def keys_of(images_NCHW: Tensor) -> list[tuple[int, int]]:
    """128 bits of each uint8 image's sha256, as two signed numbers."""
    found = []
    for image_CHW in images_NCHW.contiguous().numpy():
        sign("recognising images")
        digest = hashlib.sha256(image_CHW.data).digest()
        first, second = (int.from_bytes(part, "little", signed=True) for part in (digest[:8], digest[8:16]))
        found.append((first, second))
    return found


def build_foreign(model: str, params: dict[str, Any]) -> nn.Module:
    """An empty network of this kind, for the state of a saved one."""
    if model == ONNX:
        return OnnxNetwork(OnnxParams.model_validate(params))
    return RecordedLogits(LogitsParams.model_validate(params))
