"""What every task is. Importing this never imports torch.

Shapes: B images in a batch, N in a split, K classes, R rows that a loss of logits compares, C numbers in each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self

from kd_engine.schema.metrics import Metric
from kd_engine.schema.model_details import ClassRow, NetworkDetails

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from kd_engine.data.loader import Batch
    from kd_engine.distributed.world import World
    from kd_engine.losses import Outputs
    from kd_engine.statistics.intervals import Estimate


class Meter(Protocol):
    """Gathers metrics from the answers of a network, batch by batch."""

    def update(self, logits_BK: Tensor, targets_B: Tensor, teacher_BK: Tensor | None = None) -> None:
        """Takes one batch, and what a teacher says of the same images, where there is one.

        Raises:
            DivergedError: the answers are not finite.
        """

    def merge(self, world: World, device: torch.device) -> None:
        """Once, at the end: every process of the world then has what all have gathered.

        Args:
            device: that the answers are on; a process may have got none.
        """

    def metrics(self) -> dict[str, float]:
        """By `Metric.name`; those that do not apply are left out."""


class Evaluator(Meter, Protocol):
    """A meter that also keeps what intervals need: a column an example."""

    def scores(self) -> Scores:
        """Of all images, in their order."""


class Scores(Protocol):
    """What was seen of each image of a split, on the CPU: enough for an interval of each metric in `Task.compared`."""

    @classmethod
    def stacked(cls, scores: Sequence[Self]) -> Self:
        """Of several networks that differ in their seed, on the same images: a leading dimension of seeds."""

    def estimate(self, name: str) -> Estimate:
        """The metric with its interval of 95 %, over images, and over seeds where there are several."""

    def less(self, other: Self, name: str, confidence: float = 0.95) -> Estimate:
        """The metric less that of the other, image by image and seed by seed."""

    def error_over_images(self, other: Self) -> float:
        """Standard error of `less` of the first metric over the images alone; of several seeds, of their mean."""

    def to_tree(self) -> dict[str, Any]:
        """As a checkpoint's tree; the targets are the data set's and stay there."""


class Card(NamedTuple):
    """What the model card says of a network that depends on its task.

    Attributes:
        kind: a sentence.
        output: what comes out for an image.
        columns: of the table by class: titles, and what each shows.
        by: what classes are sorted by, the worst first; None comes last.
        limits: sentences.
    """

    kind: str
    output: str
    columns: Mapping[str, Callable[[ClassRow], float | None]]
    by: Callable[[ClassRow], float | None]
    limits: Sequence[str]


class Task(Protocol):
    """What a data set's targets mean.

    Attributes:
        metrics: the first picks the epoch and the repeat, and makes the verdict.
        compared: the names of the metrics that reports give differences of, the first metric first.
        script: a program of its own that uses the exported student, published as `predict.py`; None: there is none.
    """

    name: ClassVar[str]
    metrics: ClassVar[tuple[Metric, ...]]
    compared: ClassVar[tuple[str, ...]]
    script: ClassVar[Path | None] = None

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, float]:
        """What `val_` metrics are compared by, the higher the better: the first metric, and between equals the loss."""
        main = self.metrics[0]
        value = metrics[main.key("val")]
        return (value if main.better == "higher" else -value), -metrics["val_loss"]

    def supervised_loss(self, logits_BK: Tensor, batch: Batch, smoothing: float) -> Tensor:
        """What the network minimises on the batch's targets alone, in nats: the mean over images."""

    def example_losses(self, logits_BK: Tensor, targets_B: Tensor) -> Tensor:
        """float64 `[B]`: what each image adds to the mean, in nats."""

    def predicted(self, logits_BK: Tensor) -> Tensor:
        """What the network says, in the form of the targets."""

    def rows(self, answers: Outputs, targets_B: Tensor) -> tuple[Outputs, Tensor]:
        """What the losses of logits compare: logits `[R, C]` and, of each row, which of the C numbers is right."""

    def meter(self) -> Meter:
        """For the look at the validation split after each epoch."""

    def evaluator(self) -> Evaluator:
        """For everything else that is measured, once."""

    def restored(self, tree: dict[str, Any], targets_N: Tensor) -> Scores:
        """What `Scores.to_tree` gave."""

    def details(self, scores: Any, classes: tuple[str, ...]) -> dict[str, Any]:
        """What a report says of a network besides its metrics: fields of `NetworkDetails`, the table of `classes`
        among them.
        """

    def figures(self, scores: Any, classes: tuple[str, ...], title: str) -> Iterable[tuple[str, Callable[[], bytes]]]:
        """Pictures to publish: their files' names, and what draws them."""
        return ()

    def summary(self, scores: Any, network: str, dataset: str) -> str:
        """How good the network is on the test images, in a sentence."""

    def card(self, student: NetworkDetails) -> Card:
        """What the model card says of the student."""
