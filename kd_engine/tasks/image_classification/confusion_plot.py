"""The confusion matrix as a picture. Shapes: K classes."""

from __future__ import annotations

import io

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from kd_engine.tasks.image_classification.metrics import confusion_matrix
from kd_engine.tasks.image_classification.scores import ClassScores

_LONGEST_NAME = 16


def draw_confusion(scores: ClassScores, classes: tuple[str, ...], title: str) -> bytes:
    """A PNG. Rows: the right class; columns: the class given. Cells hold images, their colour the share of the row."""
    images_KK = confusion_matrix(scores.labels_N, scores.predicted_N, len(classes))
    side = 3.2 + 0.5 * len(classes)
    figure = Figure(figsize=(side, side), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    _cells(axes, images_KK)
    names = [name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…" for name in classes]
    turned = 0 if max(len(name) for name in names) <= 3 else 60
    places = range(len(names))
    axes.set_xticks(places, names, rotation=turned, ha="right" if turned else "center", rotation_mode="anchor",
                    parse_math=False)  # fmt: skip
    axes.set_yticks(places, names, parse_math=False)
    correct = int(images_KK.diagonal().sum())
    axes.set(xlabel="class given", ylabel="right class")
    axes.set_title(f"{correct:,} of {int(images_KK.sum()):,} test images right", fontsize=10)
    figure.suptitle(title[:70], parse_math=False)  # a user's text: "$" is not mathematics
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110, metadata={"Software": None})
    return image.getvalue()


def _cells(axes: Axes, images_KK: Tensor) -> None:
    share_KK = images_KK / images_KK.sum(dim=1, keepdim=True).clamp(min=1)
    # a power brings out the rare confusions, which are what one looks for
    axes.imshow(share_KK.pow(0.4).numpy(), cmap="Blues", vmin=0, vmax=1.15)
    for row, column in images_KK.nonzero().tolist():
        dark = float(share_KK[row, column]) > 0.3
        axes.text(
            column, row, f"{int(images_KK[row, column])}", ha="center", va="center", fontsize=9,
            color="white" if dark else "black",
        )  # fmt: skip
