"""Runs one node of a plan: its network is given, found in the cache, or trained; then it is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kd_engine.data.dataset import Dataset
from kd_engine.jobspec import JobSpec
from kd_engine.models.weights import WeightsFolder
from kd_engine.networks.cache import Trained
from kd_engine.networks.compile import Compiler
from kd_engine.networks.load import load_given_teacher
from kd_engine.networks.network import Network
from kd_engine.results.result import PhaseResult, Source
from kd_engine.runs.context import RunContext
from kd_engine.runs.forecast import Forecast
from kd_engine.runs.node_networks import NodeNetworks
from kd_engine.runs.plan import Train
from kd_engine.runs.trained_networks import TrainedNetworks
from kd_engine.schema.events import PhaseStarted
from kd_engine.schema.phases import NodeName
from kd_engine.schema.report import LogitCache
from kd_engine.tasks import load_task
from kd_engine.tasks.evaluate import score, validate
from kd_engine.teachers.base import Teacher
from kd_engine.teachers.factory import Lesson, teacher_for
from kd_engine.teachers.network import TeacherNetwork
from kd_engine.training.callbacks import Callbacks
from kd_engine.training.eta import EtaEstimator
from kd_engine.training.objective import Objective
from kd_engine.training.rng import seeded
from kd_engine.training.trainer import Trainer

Save = Callable[[Trainer], None]


@dataclass(frozen=True)
class Course:
    """How a network came to be what it is."""

    source: Source
    series: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int | None = None
    snapshots: dict[int, Network] = field(default_factory=dict)


class NodeRunner:
    """Runs the nodes of a job's plan.

    Args:
        spec: resolved.
        data: on the context's device.
        eta: hears how far each node is.
        results: of the nodes that are done, to which the caller adds.
        save: writes a checkpoint of the run, the state of the training in it.
        forecast: of the run, where several of these share one.

    Attributes:
        networks: builds and restores the networks.
        forecast: of the run.
        compiler: of the teacher, where the recipe asks for it.
        cache_stats: what was asked of the cache of the teacher's logits and found there, by repeat; of this attempt
            alone, as the cache is not the result's.
    """

    def __init__(
        self,
        spec: JobSpec,
        data: Dataset,
        context: RunContext,
        eta: EtaEstimator,
        results: Mapping[NodeName, PhaseResult],
        save: Save,
        forecast: Forecast | None = None,
    ) -> None:
        self._spec, self._data, self._context = spec, data, context
        self._eta, self._results, self._save = eta, results, save
        options, recipe = context.options, spec.training
        self._task = load_task(data.task)
        weights = WeightsFolder(options.data_dir, options.download)
        self._trained_networks = TrainedNetworks(spec.dataset, data, context, weights)
        self.networks = NodeNetworks(spec, data, context.device, weights)
        self.forecast = forecast or Forecast(spec, data, self.networks, eta)
        images = len(range(recipe.batch_size)[context.world.part(recipe.batch_size)])
        self.compiler = Compiler(options.cache_dir / "compiled", images) if recipe.compile else None
        self.cache_stats: dict[str, LogitCache] = {}
        self._teachers: dict[NodeName, TeacherNetwork] = {}

    def run(self, node: Train, unfinished: dict[str, Any] | None = None) -> PhaseResult:
        """The node's result; those that it learns from and is compared with are among the results.

        Args:
            unfinished: its training's state in a checkpoint, to go on from.

        Raises:
            Interrupted: asked to stop; a checkpoint was written.
            EngineError: it cannot be trained, or its training diverged.
        """
        if node.recipe is None:
            return self._given(node)
        if node.learns_from is not None:
            return self._distilled(node, node.learns_from, unfinished)
        if unfinished is None and (cached := self._trained_networks.find(node)) is not None:
            return self._cached(node, cached)
        result = self._from_labels(node, unfinished)
        self._trained_networks.keep(node, result)
        return result

    def _given(self, node: Train) -> PhaseResult:
        asked, inputs = self._spec.networks(), self._context.options.inputs
        files = [inputs[network.place] for network in asked if network.place in inputs]
        network = load_given_teacher(files, len(asked), self._data)
        self.networks.place(network, node.recipe)
        self._skip(node)
        return self.measured(node, network, Course("given"))

    def _cached(self, node: Train, cached: Trained) -> PhaseResult:
        for network in (cached.network, *cached.snapshots.values()):
            self.networks.place(network, node.recipe)
        self._skip(node)
        return self.measured(node, cached.network, Course("cache", cached.series, cached.best_epoch, cached.snapshots))

    def _skip(self, node: Train) -> None:
        """Tells that the node needs no training."""
        self._eta.skip(node.name)
        self._context.emit(PhaseStarted(**node.name._asdict(), epochs=0))

    def _from_labels(self, node: Train, unfinished: dict[str, Any] | None) -> PhaseResult:
        assert node.recipe is not None, "it is trained here"
        network = self.networks.new(node)
        smoothing = node.recipe.label_smoothing
        with Objective(network, label_smoothing=smoothing, world=self._context.world) as objective:
            return self._trained(node, network, objective, unfinished, self._save)

    def _distilled(self, node: Train, learns_from: NodeName, unfinished: dict[str, Any] | None) -> PhaseResult:
        network = self.networks.new(node)
        self._look_ahead()
        with self._teacher(node, learns_from) as teacher:
            self._eta.found(node.name.phase, teacher.filled)

            def flush_and_save(trainer: Trainer) -> None:
                teacher.flush()
                self._save(trainer)

            with self.objective(node, network, teacher) as objective:
                result = self._trained(node, network, objective, unfinished, flush_and_save)
            teacher.flush()
            stats = teacher.stats(self._context.world)
        if stats is not None:
            self.cache_stats[str(node.name.repeat)] = stats
        return result

    def _teacher(self, node: Train, learns_from: NodeName) -> Teacher:
        """What answers the node's batches; its network is folded once for all nodes that learn from it."""
        assert node.recipe is not None, "it is trained here"
        if learns_from not in self._teachers:
            self._teachers[learns_from] = TeacherNetwork(self._results[learns_from].network)
        lesson = Lesson(self._spec.dataset, node.recipe, node.objective.losses, self._spec.teacher_cache, node.seed)
        folder = self._context.options.cache_dir
        return teacher_for(lesson, self._data, self._teachers[learns_from], folder, self.compiler)

    def objective(self, node: Train, network: Network, teacher: Teacher) -> Objective:
        """What the node minimises, with what its losses learn."""
        assert node.recipe is not None, "it is trained here"
        with seeded(node.seed, node.stream, "losses"):
            return Objective(
                network,
                ce_weight=node.objective.ce_weight,
                label_smoothing=node.recipe.label_smoothing,
                losses=node.objective.losses,
                teacher=teacher,
                train=self._data.train,
                world=self._context.world,
            )

    def _trained(
        self, node: Train, network: Network, objective: Objective, unfinished: dict[str, Any] | None, save: Save
    ) -> PhaseResult:
        assert node.recipe is not None, "it is trained here"
        context, options, name = self._context, self._context.options, node.name
        callbacks = Callbacks(
            name,
            eta=self._eta,
            emit=context.emit,
            save=save,
            should_stop=context.should_stop,
            checkpoint_seconds=options.checkpoint_seconds,
            checkpoint_epochs=options.checkpoint_epochs,
            world=context.world,
        )
        trainer = Trainer(network, self._data, node.recipe, objective, node.seed, node.stream, callbacks, context.world)
        if unfinished is not None:
            trainer.restore(unfinished)
        started = PhaseStarted(**name._asdict(), epochs=node.epochs, first_epoch=trainer.epoch)
        context.emit(started)
        self._look_ahead()
        best = trainer.fit()
        self._eta.at(name, node.epochs)  # also when it ran out of patience before
        snapshots = {epoch: self.networks.with_state(network, state) for epoch, state in trainer.snapshots.items()}
        return self.measured(node, network, Course("trained", trainer.series, best.epoch, snapshots))

    def _look_ahead(self) -> None:
        if self._context.world.is_main:
            self.forecast.tell(self._results)

    def measured(self, node: Train, network: Network, course: Course) -> PhaseResult:
        """Freezes the network and measures it: validation, and the test split this once."""
        trainable = sum(number.numel() for number in network.module.parameters() if number.requires_grad)
        network.freeze()
        val = validate(network, self._data.validation, self._task, self._context.world)
        logits = self.networks.test_logits(node.name, network)
        teacher = None if node.compared_with is None else self._results[node.compared_with].logits
        scores, measured = score(logits, self._task, teacher)
        extra = {} if course.best_epoch is None else {"best_epoch": course.best_epoch}
        metrics = {**{f"val_{name}": value for name, value in val.items()}, **measured, **extra}
        return PhaseResult(
            node.name, node.seed, course.source, network, metrics, scores, logits,
            trainable if course.source == "trained" else None, course.series, course.snapshots,
        )  # fmt: skip
