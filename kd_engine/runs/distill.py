"""The phases of a run, in order, each taken up where a checkpoint left it: teacher, student alone, distilled."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from kd_engine.data.dataset import Dataset
from kd_engine.distributed.world import ALONE, World
from kd_engine.jobspec import JobSpec, RepeatsUntil, StudentSpec, TeacherSpec, TrainingSpec, alone_hash, teacher_hash
from kd_engine.models.weights import WeightsFolder
from kd_engine.networks.cache import Trained, TrainedCache
from kd_engine.networks.compile import Compiler
from kd_engine.networks.load import load_given_teacher
from kd_engine.networks.network import Architecture, Network, build
from kd_engine.networks.outputs import SplitLogits
from kd_engine.platform.device import training_dtype
from kd_engine.platform.heartbeat import sign
from kd_engine.results.report import looks_at
from kd_engine.results.result import PhaseResult, Source
from kd_engine.runs.speed_trial import answering_speed, epoch_seconds, learning_speed, publishing_seconds
from kd_engine.schema.errors import DataError, EngineError
from kd_engine.schema.events import CheckpointSaved, Event, Phase, PhaseEnded, PhaseStarted
from kd_engine.schema.report import LogitCache
from kd_engine.schema.run_request import RunOptions
from kd_engine.tasks import load_task
from kd_engine.tasks.evaluate import score, validate
from kd_engine.teachers.cached import BATCH_DEPENDENT, CachedTeacher, cache_for, kept_views
from kd_engine.training.callbacks import Watch
from kd_engine.training.checkpoint import save_tree
from kd_engine.training.eta import Expected, Pace, PlannedPhase
from kd_engine.training.objective import Objective
from kd_engine.training.rng import seeded
from kd_engine.training.trainer import Trainer

log = logging.getLogger(__name__)
CHECKPOINT_FILE = "checkpoint.safetensors"
# of the random streams: the student alone and the distilled one start from the same weights and see the same batches
_ROLES: dict[Phase, str] = {"teacher": "teacher", "baseline": "student", "student": "student"}


class Phases:
    """Runs what is left of a job's phases and keeps a checkpoint of the whole run.

    Args:
        spec: resolved.
        data: on `device`.
        world: the processes that run the phases together; the first one writes.
    """

    def __init__(
        self,
        spec: JobSpec,
        data: Dataset,
        device: torch.device,
        options: RunOptions,
        emit: Callable[[Event], None],
        should_stop: Callable[[], bool],
        world: World = ALONE,
    ) -> None:
        self._world = world
        self._spec, self._data, self._device, self._options = spec, data, device, options
        self._task = load_task(data.task)
        self._emit, self._should_stop = emit, should_stop
        self._teachers = TrainedCache(options.cache_dir / "teachers")
        self._students_alone = TrainedCache(options.cache_dir / "students-alone")
        self._weights = WeightsFolder(options.data_dir, options.download)
        self._plan = _plan(spec)
        self._pace = Pace(self._plan)
        self._looked_ahead = False
        self._results: list[PhaseResult] = []
        self._unfinished: dict[str, Any] | None = None
        self._logits: CachedTeacher | None = None
        recipe = spec.training
        images = len(range(recipe.batch_size)[world.part(recipe.batch_size)])
        self.compiler = Compiler(options.cache_dir / "compiled", images) if recipe.compile else None
        self.cache_stats: dict[str, LogitCache] = {}  # by repeat; of this attempt, as the cache is not the result's

    def run_all(self) -> list[PhaseResult]:
        """The results of all phases, in the order of the plan; of as many repeats as the answer needs."""
        for item in self._plan[len(self._results) :]:
            if self._repeated_enough(item.repeat):
                self._pace.end()
                break
            result = self._run_phase(item)
            self._results.append(result)
            self._emit(PhaseEnded(phase=item.phase, repeat=item.repeat, source=result.source, metrics=result.metrics))
            self._save(None)
        return self._results

    def _repeated_enough(self, repeats: int) -> bool:
        """Whether the job ends after so many repeats. Looks at results alone, so a resumed run ends after as many."""
        until = self._spec.repeats
        if not isinstance(until, RepeatsUntil) or repeats not in until.looks:
            return False
        done = [result for result in self._results if result.repeat < repeats]
        [enough] = self._world.decide([looks_at(done, until)[-1].enough])
        return bool(enough)

    def restore(self, tree: dict[str, Any]) -> None:
        """Takes up the results and the unfinished training of a checkpoint."""
        for item, kept in zip(self._plan, tree["results"], strict=False):
            self._results.append(self._rebuild(kept))
            self._pace.at(item.phase, item.repeat, item.epochs)
        self._unfinished = tree["trainer"]

    def _run_phase(self, item: PlannedPhase) -> PhaseResult:
        run = {"teacher": self._teach, "baseline": self._train_alone, "student": self._distil}[item.phase]
        return run(item)

    def _teach(self, item: PlannedPhase) -> PhaseResult:
        if sources := self._spec.sources():
            network = load_given_teacher(self._options.teacher_files, len(sources), self._data)
            return self._found(item, self._place(network, self._spec.training), "given", [])
        teacher = self._teacher_of(item.repeat)
        assert teacher.training is not None, "the spec is resolved"
        assert teacher.seed is not None, "the spec is resolved"
        weights = self._weights.sha256(teacher.params)
        name = teacher_hash(teacher, self._spec.dataset, self._data.split_sha256, weights)
        return self._from_labels(item, teacher, teacher.training, teacher.seed, self._teachers, name)

    def _train_alone(self, item: PlannedPhase) -> PhaseResult:
        student, recipe, seed = self._spec.student, self._spec.training, self._spec.seed + item.repeat
        weights = self._weights.sha256(student.params)
        name = alone_hash(student, recipe, seed, self._spec.dataset, self._data.split_sha256, weights)
        return self._from_labels(item, student, recipe, seed, self._students_alone, name)

    def _from_labels(
        self,
        item: PlannedPhase,
        choice: TeacherSpec | StudentSpec,
        recipe: TrainingSpec,
        seed: int,
        cache: TrainedCache,
        name: str,
    ) -> PhaseResult:
        """Trains on the labels alone, or finds the network that an earlier job trained so."""
        if self._unfinished is None and (cached := self._find(cache, name)) is not None:
            network = self._place(cached.network, recipe)
            snapshots = {epoch: self._place(kept, recipe) for epoch, kept in cached.snapshots.items()}
            extra: dict[str, float] = {"best_epoch": cached.best_epoch}
            return self._found(item, network, "cache", cached.series, extra, snapshots)
        role = _ROLES[item.phase]
        network = self._build(choice, recipe, seed, role)
        with Objective(network, label_smoothing=recipe.label_smoothing, world=self._world) as objective:
            result = self._fit(item, network, recipe, objective, seed, role)
        if self._world.first:
            cache.keep(name, Trained(network, result.series, int(result.metrics["best_epoch"]), result.snapshots))
        return result

    def _find(self, cache: TrainedCache, name: str) -> Trained | None:
        """The network of this hash if the first process finds it: all of them go the same way."""
        cached = cache.find(name) if self._world.first else None
        [found] = self._world.decide([cached is not None])
        if found and cached is None:
            cached = cache.find(name)
            if cached is None:
                raise DataError("a network went out of the cache while the run was taking it from there; run it again.")
        return cached

    def _found(
        self,
        item: PlannedPhase,
        network: Network,
        source: Source,
        series: list[dict[str, float]],
        extra: dict[str, float] | None = None,
        snapshots: dict[int, Network] | None = None,
    ) -> PhaseResult:
        self._pace.skip(item.phase, item.repeat)
        self._emit(PhaseStarted(phase=item.phase, repeat=item.repeat, epochs=0))
        return self._finish(item, network, self._spec.seed + item.repeat, source, series, extra or {}, snapshots or {})

    def _distil(self, item: PlannedPhase) -> PhaseResult:
        recipe, seed = self._spec.training, self._spec.seed + item.repeat
        network = self._build(self._spec.student, recipe, seed, _ROLES[item.phase])
        losses, ce_weight = self._spec.objective()
        teacher = self._teacher_result(item.repeat).network
        self._look_ahead()
        self._logits = cache_for(self._spec, self._data, teacher, self._options.cache_dir, self.compiler, seed)
        if teacher.batch_dependent and self._spec.teacher_cache != "off":
            self.cache_stats[str(item.repeat)] = LogitCache(off=BATCH_DEPENDENT)
        if self._logits is not None:
            self._pace.found(item.phase, self._logits.filled)
        with seeded(seed, "student", "losses"):
            objective = Objective(
                network,
                ce_weight=ce_weight,
                label_smoothing=recipe.label_smoothing,
                losses=losses,
                teacher=teacher,
                cache=self._logits,
                train=self._data.train,
                compiler=self.compiler,
                world=self._world,
            )
        with objective:
            result = self._fit(item, network, recipe, objective, seed, _ROLES[item.phase])
        if self._logits is not None:
            self._logits.flush()
            self.cache_stats[str(item.repeat)] = self._logits.stats(self._world)
            self._logits = None
        return result

    def _fit(
        self, item: PlannedPhase, network: Network, recipe: TrainingSpec, objective: Objective, seed: int, role: str
    ) -> PhaseResult:
        watch = Watch(
            item.phase,
            item.repeat,
            pace=self._pace,
            emit=self._emit,
            save=self._save,
            should_stop=self._should_stop,
            checkpoint_seconds=self._options.checkpoint_seconds,
            checkpoint_epochs=self._options.checkpoint_epochs,
            world=self._world,
        )
        trainer = Trainer(network, self._data, recipe, objective, seed, role, watch, self._world)
        if self._unfinished is not None:
            trainer.restore(self._unfinished)
            self._unfinished = None
        self._emit(PhaseStarted(phase=item.phase, repeat=item.repeat, epochs=recipe.epochs, first_epoch=trainer.epoch))
        self._look_ahead()
        best = trainer.fit()
        self._pace.at(item.phase, item.repeat, item.epochs)  # also when it ran out of patience before
        snapshots = {epoch: self._with_state(network, state) for epoch, state in trainer.snapshots.items()}
        return self._finish(item, network, seed, "trained", trainer.series, {"best_epoch": best.epoch}, snapshots)

    def _look_ahead(self) -> None:
        """Once, before the first training: about how long an epoch of each kind will take."""
        if self._looked_ahead or not self._world.first:
            return
        self._looked_ahead = True
        try:
            sign("trying out how fast the networks are")
            self._pace.expect(*self._expected())
        except (EngineError, RuntimeError, ValueError):  # what is wrong shows in the training itself
            log.warning("how long the job will take is estimated from its epochs alone", exc_info=True)

    def _expected(self) -> tuple[dict[Phase, Expected], float]:
        spec, data = self._spec, self._data
        student = learning_speed(self._copy(spec.student), data, spec.training)
        alone = epoch_seconds(student, data)
        expected: dict[Phase, Expected] = {"baseline": Expected(alone)}
        if spec.teacher.model is None:
            answer = answering_speed(self._teacher_result(0).network, data)
        else:
            recipe = spec.teacher.training or spec.training
            teacher = learning_speed(self._copy(spec.teacher, recipe), data, recipe)
            answer, seconds = teacher.answer, epoch_seconds(teacher, data)
            expected["teacher"] = Expected(seconds)
        taught, views = epoch_seconds(student, data, teacher=answer), kept_views(spec, data)
        found = Expected(alone, taught - alone, 1 - 1 / views) if views else Expected(taught)
        answers = [answer, student.answer] + ([student.answer] if spec.baseline else [])
        return expected | {"student": found}, publishing_seconds(answers, len(spec.export))

    def _copy(self, choice: TeacherSpec | StudentSpec, recipe: TrainingSpec | None = None) -> Network:
        """A network of this kind with any weights, to be thrown away."""
        assert choice.model is not None, "it is trained here"
        with seeded(0, "trial", "init"):
            network = build(self._architecture(choice.model, choice.params))
        return self._place(network, recipe or self._spec.training)

    def _with_state(self, network: Network, state: dict[str, Tensor]) -> Network:
        """A network like this one with other weights, frozen."""
        other = build(network.architecture)
        other.module.load_state_dict(state)
        other.dtype = network.dtype
        other.freeze()
        return other

    def _finish(
        self,
        item: PlannedPhase,
        network: Network,
        seed: int,
        source: Source,
        series: list[dict[str, float]],
        extra: dict[str, float],
        snapshots: dict[int, Network],
    ) -> PhaseResult:
        """Freezes the network and measures it: validation, and the test split this once."""
        trainable = sum(number.numel() for number in network.module.parameters() if number.requires_grad)
        network.freeze()
        val = validate(network, self._data.validation, self._task, self._world)
        is_teacher = item.phase == "teacher"
        logits = SplitLogits(network, self._data.test, keep=is_teacher)
        teacher = None if is_teacher else self._teacher_result(item.repeat).logits
        scores, measured = score(logits, self._task, teacher)
        metrics = {**{f"val_{name}": value for name, value in val.items()}, **measured, **extra}
        return PhaseResult(
            item.phase, item.repeat, seed, source, network, metrics, scores, logits,
            trainable if source == "trained" else None, series, snapshots,
        )  # fmt: skip

    def _build(self, choice: Any, recipe: TrainingSpec, seed: int, role: str) -> Network:
        with seeded(seed, role, "init"):
            network = build(self._architecture(choice.model, choice.params), self._weights)
        return self._place(network, recipe)

    def _place(self, network: Network, recipe: TrainingSpec) -> Network:
        network.module.to(self._device)
        network.dtype = training_dtype(recipe.precision, network.module, self._device)
        return network

    def _architecture(self, model: str, params: dict[str, Any]) -> Architecture:
        dataset = self._spec.dataset
        assert dataset.mean is not None, "the spec is resolved"
        assert dataset.std is not None, "the spec is resolved"
        data = self._data
        return Architecture(model, params, data.shape, data.classes, dataset.mean, dataset.std, data.task)

    def _teacher_of(self, repeat: int) -> TeacherSpec:
        teacher = self._spec.teacher
        if repeat == 0:
            return teacher
        return teacher.model_copy(update={"seed": (teacher.seed or 0) + repeat})

    def _teacher_result(self, repeat: int) -> PhaseResult:
        wanted = repeat if self._spec.teacher.per_repeat else 0
        return next(result for result in self._results if result.phase == "teacher" and result.repeat == wanted)

    def _save(self, trainer: Trainer | None) -> None:
        """Writes a checkpoint of the run: the finished phases, and the training in progress if there is one."""
        if self._logits is not None:
            self._logits.flush()
        state = None if trainer is None else trainer.state_tree()
        if not self._world.first:
            return
        tree = {
            "spec": self._spec.to_json(),
            "formulas": self._spec.formulas,
            "data_sha256": self._data.sha256,
            "results": [result.to_tree() for result in self._results],
            "trainer": state,
        }
        save_tree(tree, self._options.out_dir / CHECKPOINT_FILE)
        last = self._results[-1] if trainer is None else None
        item = self._plan[len(self._results) - (1 if last else 0)]
        epoch = item.epochs if trainer is None else trainer.epoch
        self._emit(CheckpointSaved(path=CHECKPOINT_FILE, phase=item.phase, repeat=item.repeat, epoch=epoch))

    def _rebuild(self, kept: dict[str, Any]) -> PhaseResult:
        network = build(Architecture.from_json(kept["architecture"]))
        network.module.load_state_dict(kept["module"])
        recipe = self._spec.teacher.training if kept["phase"] == "teacher" else None
        self._place(network, recipe or self._spec.training).freeze()
        snapshots = {int(epoch): self._with_state(network, state) for epoch, state in kept["snapshots"].items()}
        return PhaseResult(
            kept["phase"], kept["repeat"], kept["seed"], kept["source"], network, kept["metrics"],
            self._task.restored(kept["outcomes"], self._data.test.labels_N),
            SplitLogits(network, self._data.test, keep=kept["phase"] == "teacher"), kept["trainable"], kept["series"],
            snapshots,
        )  # fmt: skip


def _plan(spec: JobSpec) -> list[PlannedPhase]:
    """Teacher, then for each repeat the student alone and the distilled one."""
    teacher_epochs = spec.teacher.training.epochs if spec.teacher.training else 0
    plan = []
    for repeat in range(spec.most_repeats):
        if repeat == 0 or spec.teacher.per_repeat:
            plan.append(PlannedPhase("teacher", repeat, teacher_epochs))
        if spec.baseline:
            plan.append(PlannedPhase("baseline", repeat, spec.training.epochs))
        plan.append(PlannedPhase("student", repeat, spec.training.epochs))
    return plan
