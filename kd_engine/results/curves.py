"""The course of training as files: `metrics.csv`, TensorBoard logs and `curves.png`."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from tensorboardX.writer import SummaryWriter

from kd_engine.platform.files import write_atomically
from kd_engine.results.report import task_of
from kd_engine.results.result import PhaseResult
from kd_engine.schema.phases import BASELINE, NETWORKS, PHASES, STUDENT, TEACHER, TrainedPhase

_BEFORE, _AFTER = ("train_loss", "val_loss"), ("lr", "seconds", "images_per_second")
_COLOURS: dict[TrainedPhase, str] = {TEACHER: "#555555", BASELINE: "#d95f02", STUDENT: "#1b7ab3"}


def columns(results: Sequence[PhaseResult]) -> tuple[str, ...]:
    """Of each epoch: the usual ones around what the task looks at."""
    return *_BEFORE, task_of(list(results)).metrics[0].key("val"), *_AFTER


def write_csv(results: Sequence[PhaseResult], path: Path) -> None:
    """One line an epoch: phase, repeat, epoch and its metrics."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("phase", "repeat", "epoch", *columns(results)))
    for result in results:
        for epoch, metrics in enumerate(result.series, start=1):
            writer.writerow((result.phase, result.repeat, epoch, *(metrics[column] for column in columns(results))))
    write_atomically(path, text.getvalue())


def write_tensorboard(results: Sequence[PhaseResult], folder: Path) -> list[Path]:
    """One TensorBoard run a phase and repeat under `folder`; returns the files."""
    files = []
    for result in results:
        run = folder / f"{result.phase}-{result.repeat}"
        with SummaryWriter(logdir=str(run)) as writer:
            for epoch, metrics in enumerate(result.series, start=1):
                for column in columns(results):
                    writer.add_scalar(column, metrics[column], epoch)
        # the default name holds the host's; TensorBoard asks only for "tfevents" in it
        written = next(run.glob("*tfevents*"))
        files.append(written.rename(run / "events.out.tfevents.0"))
    return files


def draw_curves(results: Sequence[PhaseResult], path: Path, title: str) -> None:
    """The task's first metric and loss by epoch, the phases together, one thin line a repeat.

    Solid lines are the validation split. Dashed ones are what was minimised: for the distilled student that is its
    whole objective, distillation terms included, so its height says nothing beside the others, and it may lie outside.
    """
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    main = task_of(list(results)).metrics[0]
    chosen, loss = figure.subplots(1, 2)
    _panel(chosen, results, main.key("val"), scale=100)
    chosen.set(xlabel="epoch", ylabel=f"{main.label} on the validation split (%)")
    _panel(loss, results, "val_loss", scale=1)
    dashed = _training_losses(loss, results)
    loss.set(xlabel="epoch", ylabel="cross-entropy on the validation split (nats)")
    handles = [*chosen.get_legend_handles_labels()[0], dashed]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(title[:90], parse_math=False)  # a user's text: "$" is not mathematics
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110, metadata={"Software": None})
    write_atomically(path, image.getvalue())


def _training_losses(axes: Axes, results: Sequence[PhaseResult]) -> Line2D:
    """Thin dashed lines on the scale that the validation losses set; returns one for the legend."""
    limits = axes.get_ylim()
    style: dict[str, Any] = {"linestyle": "--", "linewidth": 0.9, "alpha": 0.7}
    for result in (result for result in results if result.series):
        losses = [metrics["train_loss"] for metrics in result.series]
        axes.plot(range(1, len(losses) + 1), losses, color=_COLOURS[result.phase], **style)
    axes.set_ylim(limits)
    return Line2D([], [], color="black", label="objective in training", **style)


def _panel(axes: Axes, results: Sequence[PhaseResult], column: str, scale: float) -> None:
    for phase in PHASES:
        found = [result for result in results if result.phase == phase and result.series]
        for position, result in enumerate(found):
            axes.plot(
                range(1, len(result.series) + 1),
                [scale * metrics[column] for metrics in result.series],
                color=_COLOURS[phase],
                alpha=1.0 if len(found) == 1 else 0.5,
                marker="o" if len(result.series) < 3 else None,
                label=f"{NETWORKS[phase]} ({result.network.architecture.model})" if position == 0 else None,
            )
    axes.grid(alpha=0.3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
