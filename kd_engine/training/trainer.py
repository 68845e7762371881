"""The one training loop: fit -> train_epoch -> train_step. Teacher, student alone and distilled student all run here.

Shapes: B images in the batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from kd_engine.data.dataset import Dataset
from kd_engine.data.loader import Batch, batches
from kd_engine.distributed.world import ALONE, World
from kd_engine.jobspec import TrainingSpec
from kd_engine.networks.network import Network
from kd_engine.platform.heartbeat import sign
from kd_engine.schema.errors import DivergedError
from kd_engine.tasks import load_task
from kd_engine.tasks.evaluate import validate
from kd_engine.training.checkpoint import optimizer_state, restore_optimizer
from kd_engine.training.ema import EMA
from kd_engine.training.objective import Objective
from kd_engine.training.rng import generator, random_state, set_random_state, stream


class TrainerCallbacks(Protocol):
    """Hears of the training's course; may raise `Interrupted` after a step to end it."""

    def after_step(self, trainer: Trainer) -> None: ...

    def after_epoch(self, trainer: Trainer, metrics: dict[str, float]) -> None: ...


@dataclass
class Best:
    """The weights to keep, and how they did on the validation split."""

    epoch: int
    metrics: dict[str, float]
    state: dict[str, Tensor]

    def to_tree(self) -> dict[str, Any]:
        """As a checkpoint's tree."""
        return {"epoch": self.epoch, **self.metrics, "state": self.state}

    @classmethod
    def from_tree(cls, tree: dict[str, Any]) -> Best:
        return cls(tree["epoch"], {key: tree[key] for key in tree if key.startswith("val_")}, tree["state"])


@dataclass
class Trainer:
    """Trains one network by one recipe.

    Attributes:
        role: names the random streams. The student alone and the distilled student share one role, so both start from
            the same weights and see the same batches.
        world: the processes that train the network together, each with the same trainer and an objective of this world.
        epoch: epochs that are done; `step` of `steps` are done in the present one.
        series: metrics of each epoch that is done.
        snapshots: the weights as they counted after the epochs that the recipe names.
    """

    network: Network
    data: Dataset
    recipe: TrainingSpec
    objective: Objective
    seed: int
    role: str
    callbacks: TrainerCallbacks
    world: World = ALONE
    epoch: int = 0
    step: int = 0
    series: list[dict[str, float]] = field(default_factory=list)
    best: Best | None = None
    snapshots: dict[int, dict[str, Tensor]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._task = load_task(self.network.architecture.task)
        self.optimizer = self.recipe.optimizer.build(self._groups())
        self._ema = EMA(self.network, self.recipe.ema) if self.recipe.ema else None
        images, size = len(self.data.train), self.recipe.batch_size
        # BatchNorm cannot take a batch of one image
        self._drop_last = images % size == 1 and images > 1
        self.steps = images // size if self._drop_last else math.ceil(images / size)
        device = self.data.train.images_NCHW.device
        self._loss_sum, self._seen = torch.zeros((), dtype=torch.float64, device=device), 0
        self._not_finite = torch.zeros((), device=device)
        self._random_state: Tensor | None = None

    def fit(self) -> Best:
        """Trains until the recipe's last epoch, from wherever the trainer stands.

        The network then holds the weights to keep: best on validation, or the last, as the recipe says.

        Raises:
            DivergedError: a loss was not finite; the optimiser did not step on it.
            Interrupted: the callbacks asked to stop.
        """
        while not self.done:
            self.train_epoch()
        return self.keep_best()

    def keep_best(self) -> Best:
        """Gives the network the weights to keep."""
        assert self.best is not None, "a recipe has at least one epoch"
        self.network.module.load_state_dict(self.best.state)
        return self.best

    def train_epoch(self) -> None:
        """One pass over train, or the rest of it, and a look at the validation split."""
        self.begin_epoch()
        start, first_step = time.perf_counter(), self.step
        for batch in self.batches_left():
            self.take(batch)
        self.end_epoch(time.perf_counter() - start, self.step - first_step)

    @property
    def done(self) -> bool:
        """Whether there is no epoch left to train."""
        return self.epoch >= self.recipe.epochs or self._out_of_patience()

    def begin_epoch(self) -> None:
        """Starts the epoch, or the rest of one that was interrupted."""
        self.network.module.train()
        self._seed_epoch()

    def batches_left(self) -> Iterator[Batch]:
        """The batches of the epoch from its next step on."""
        turn, first_step = self.recipe.turn(self.epoch), self.step
        draws = generator(self.seed, self.role, turn, "batches")
        epoch_batches = batches(
            self.data.train, self.recipe.batch_size, draws, self.recipe.augmentation,
            drop_last=self._drop_last, world=self.world, view=None if self.recipe.fixed_views is None else turn,
        )  # fmt: skip
        for position, batch in enumerate(epoch_batches):
            if position < first_step:
                sign("finding the place in the epoch")
                continue  # done before the interruption; drawn again so that the stream goes on where it was
            yield batch

    def take(self, batch: Batch) -> None:
        """The epoch's next step."""
        loss = self.train_step(batch)
        self._loss_sum += loss * batch.images
        self._seen += batch.images
        self.step += 1
        if self.step < self.steps:
            self.callbacks.after_step(self)

    def train_step(self, batch: Batch) -> Tensor:
        """One step of the optimiser on one batch; returns the objective on the whole of it, detached.

        Raises:
            DivergedError: the objective is not finite.
        """
        now = self.epoch + self.step / self.steps
        self._set_rate(now)
        terms = self.objective.terms(batch, now)
        loss = torch.stack(list(terms.values())).sum()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.world.size > 1:
            terms = self._summed(terms)
            loss = torch.stack(list(terms.values())).sum()
        self._stop_if_diverged(loss, terms)
        if self.recipe.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.network.module.parameters(), self.recipe.clip_norm)
        self.optimizer.step()
        if self._ema is not None:
            self._ema.update(self.network.module, self.epoch * self.steps + self.step)
        return loss.detach()

    def _summed(self, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        """The terms of all processes, and in place the gradients, in one exchange."""
        values = torch.stack(list(terms.values())).detach()
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        self.world.sum_([values, *gradients])
        return dict(zip(terms, values, strict=True))

    def _stop_if_diverged(self, loss: Tensor, terms: dict[str, Tensor]) -> None:
        """On the CPU raises at once. On a GPU reading the loss would wait for the device at each step: there the fused
        optimiser is told on the device to skip this and every later step, and the epoch's end raises."""
        self._not_finite = torch.maximum(self._not_finite, (~loss.detach().isfinite()).float())
        self.optimizer.found_inf = self._not_finite  # type: ignore[attr-defined]
        if loss.device.type == "cpu" and self._not_finite.item():
            raise self._diverged(terms)

    def _groups(self) -> list[dict[str, Any]]:
        """What the optimiser trains: the network but for its last layer, that layer, and what the losses learn."""
        linear = [layer for layer in self.network.module.modules() if isinstance(layer, nn.Linear)]
        head = {id(parameter) for parameter in linear[-1].parameters()} if linear else set()
        trained = [parameter for parameter in self.network.module.parameters() if parameter.requires_grad]
        groups = [
            {"params": [p for p in trained if id(p) not in head], "factor": 1.0},
            {"params": [p for p in trained if id(p) in head], "factor": self.recipe.head_lr_factor},
            {"params": list(self.objective.parameters()), "factor": 1.0},
        ]
        return [group for group in groups if group["params"]]

    def _out_of_patience(self) -> bool:
        patience = self.recipe.patience
        return patience is not None and self.best is not None and self.epoch - self.best.epoch >= patience

    def end_epoch(self, seconds: float, steps: int) -> None:
        """A look at the validation split; the epoch's metrics are noted and told.

        Args:
            seconds: that its steps took.
            steps: taken since it was begun, or gone on with.
        """
        if self._not_finite.item():
            raise self._diverged({})
        rate = self.optimizer.param_groups[0]["lr"]
        seen_here = self._seen * steps / self.steps
        val = validate(self._counting, self.data.validation, self._task, self.world)
        looked = {f"val_{name}": val[name] for name in sorted(val, key=lambda name: name != "loss")}
        metrics = {
            "train_loss": float(self._loss_sum) / max(self._seen, 1),
            **looked,
            "lr": rate,
            "seconds": seconds,
            "images_per_second": seen_here / max(seconds, 1e-9),
        }
        self.epoch, self.step = self.epoch + 1, 0
        self._loss_sum, self._seen = torch.zeros_like(self._loss_sum), 0
        self.series.append(metrics)
        self._keep(looked)
        if self.epoch in self.recipe.snapshots:
            self.snapshots[self.epoch] = self._state()
        self.callbacks.after_epoch(self, metrics)

    @property
    def _counting(self) -> Network:
        """The network whose weights count: the moving average, where there is one."""
        return self.network if self._ema is None else self._ema.network

    def _keep(self, looked: dict[str, float]) -> None:
        better = self.best is None or self._task.rank(looked) > self._task.rank(self.best.metrics)
        if better or self.recipe.keep == "last":
            self.best = Best(self.epoch, looked, self._state())

    def _state(self) -> dict[str, Tensor]:
        """A copy of the weights that count now."""
        return {name: tensor.detach().clone() for name, tensor in self._counting.module.state_dict().items()}

    def _set_rate(self, epoch: float) -> None:
        rate = self.recipe.optimizer.lr * self.recipe.schedule.factor(epoch, self.recipe.epochs, 1 / self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]

    def _seed_epoch(self) -> None:
        """Starts the epoch's stream for dropout, or goes on with it where an interrupted epoch stopped.

        Each process has a stream of its own: one stream for all would drop the same units of different images.
        """
        names = (self.world.rank,) if self.world.size > 1 else ()
        torch.manual_seed(stream(self.seed, self.role, self.epoch, "dropout", *names))
        if self._random_state is not None:
            set_random_state(self._random_state, self.data.train.images_NCHW.device)
            self._random_state = None

    def _diverged(self, terms: dict[str, Tensor]) -> DivergedError:
        values = ", ".join(f"{name} = {value.item():g}" for name, value in terms.items())
        where = f", step {self.step + 1} ({values})" if terms else ""
        return DivergedError(
            f"the loss of the {self.role} is not finite in epoch {self.epoch + 1}{where} "
            f"at learning rate {self.optimizer.param_groups[0]['lr']:g}. Try a lower rate, a warm-up or clip_norm."
        )

    def state_tree(self) -> dict[str, Any]:
        """Everything that a new trainer needs to go on exactly here, also inside an epoch.

        For all processes of the world to call together: it holds what each of them needs.
        """
        best = self.best
        return {
            "epoch": self.epoch,
            "step": self.step,
            "loss_sum": self._loss_sum,
            "seen": self._seen,
            "series": self.series,
            "module": dict(self.network.module.state_dict()),
            "optimizer": optimizer_state(self.optimizer),
            "objective": self.objective.state(),
            "average": None if self._ema is None else dict(self._ema.network.module.state_dict()),
            "random": self.world.gather(random_state(self.data.train.images_NCHW.device)),
            "best": None if best is None else best.to_tree(),
            "snapshots": {str(epoch): state for epoch, state in self.snapshots.items()},
        }

    def restore(self, tree: dict[str, Any]) -> None:
        """Takes the state that `state_tree` gave."""
        self.epoch, self.step, self.series = tree["epoch"], tree["step"], tree["series"]
        self._loss_sum = tree["loss_sum"].to(self._loss_sum.device)
        self._seen = tree["seen"]
        self.network.module.load_state_dict(tree["module"])
        restore_optimizer(self.optimizer, tree["optimizer"])
        self.objective.restore(tree["objective"])
        if self._ema is not None:
            self._ema.network.module.load_state_dict(tree["average"])
        self._random_state = tree["random"][self.world.rank] if self.step > 0 else None
        self.best = None if tree["best"] is None else Best.from_tree(tree["best"])
        self.snapshots = {int(epoch): state for epoch, state in tree["snapshots"].items()}
