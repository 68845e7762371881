"""Precision over recall, a curve a class, as a picture. Shapes: N images, K classes."""

from __future__ import annotations

import io

import torch
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kd_engine.tasks.image_multi_label.scores import LabelScores

_LONGEST_NAME = 24


def draw_curves(scores: LabelScores, classes: tuple[str, ...], title: str) -> bytes:
    """A PNG. Classes without an image in the split have no curve; a dot is where the network says yes (p = 0.5)."""
    figure = Figure(figsize=(7.6, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for label, row in enumerate(scores.by_class(classes)):
        found = row.scores["average_precision"]
        if found is None:
            continue
        order_N = scores.logits_NK[:, label].argsort(descending=True)
        hits_N = scores.targets_NK[order_N, label].double().cumsum(0)
        recall_N, precision_N = hits_N / hits_N[-1], hits_N / torch.arange(1, len(hits_N) + 1)
        colour = colormaps["tab20"](label % 20)
        short = row.name if len(row.name) <= _LONGEST_NAME else row.name[: _LONGEST_NAME - 1] + "…"
        # a legend hides what begins with "_", and takes "$" for mathematics
        text = f"{100 * found:.1f}  {short}".replace("$", r"\$")
        axes.step(recall_N.numpy(), precision_N.numpy(), where="post", color=colour, label=text)
        if row.precision is not None and row.recall is not None:
            axes.plot(row.recall, row.precision, "o", color=colour)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.01))
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside right upper", frameon=False, fontsize=8, title="average precision (%)")
    figure.suptitle(title[:70], parse_math=False)  # a user's text: "$" is not mathematics
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110, metadata={"Software": None})
    return image.getvalue()
