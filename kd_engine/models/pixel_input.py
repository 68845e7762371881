"""How pixels go into a network that was made elsewhere. Shapes: B images, C channels, H and W pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

_NEARLY = 5e-4  # 1 / 255 as people write it: .00392


class Feed(BaseModel):
    """(x / 255 - mean) / std, a value a channel; a deviation below 0 inverts.

    Where the deviation is 1/255, nothing is divided: a network for pixels in [0, 255] gets them as they are. Divided by
    255 and by 1/255 again, 120 of the 256 values would come out low, and a tree's cuts lie on them.

    Attributes:
        mean, std: of pixels in [0, 1], in the order in which the network takes the channels.
        bgr: which is the other way round than the data set's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: tuple[float, ...]
    std: tuple[float, ...]
    bgr: bool = False

    def __call__(self, pixels_BCHW: NDArray[Any], dtype: type[np.floating[Any]] = np.float32) -> NDArray[Any]:
        """What the network takes, of uint8 pixels."""
        mean_C11, std_C11 = (np.array(values).reshape(-1, 1, 1) for values in (self.mean, self.std))
        images_BCHW = (pixels_BCHW[:, ::-1] if self.bgr else pixels_BCHW).astype(dtype)
        if (abs(abs(std_C11) * 255 - 1) < _NEARLY).all():
            images_BCHW -= (mean_C11 * 255).astype(dtype)
            images_BCHW *= np.sign(std_C11).astype(dtype)
        else:
            images_BCHW /= dtype(255)
            images_BCHW -= mean_C11.astype(dtype)
            images_BCHW /= std_C11.astype(dtype)
        return images_BCHW
