"""About how long a job's trainings will take, from a few steps of throwaway copies before the first of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from kd_engine.data.dataset import Dataset
from kd_engine.jobspec import JobSpec
from kd_engine.platform.heartbeat import sign
from kd_engine.results.result import PhaseResult
from kd_engine.runs.node_networks import NodeNetworks
from kd_engine.runs.speed_trial import answering_speed, epoch_seconds, learning_speed, publishing_seconds
from kd_engine.schema.errors import EngineError
from kd_engine.schema.phases import BASELINE, STUDENT, TEACHER, NodeName, Phase
from kd_engine.teachers.factory import Lesson
from kd_engine.training.eta import EtaEstimator, Expected

log = logging.getLogger(__name__)


class Forecast:
    """Tells the ETA estimator, once, what an epoch of each phase is expected to take.

    Args:
        spec: resolved.
    """

    def __init__(self, spec: JobSpec, data: Dataset, networks: NodeNetworks, eta: EtaEstimator) -> None:
        self._spec, self._data, self._networks, self._eta = spec, data, networks, eta
        self._told = False

    def tell(self, results: Mapping[NodeName, PhaseResult]) -> None:
        """Tries the networks out, unless that was done.

        Args:
            results: of the nodes that are done; where the teacher is given, its own is among them.
        """
        if self._told:
            return
        self._told = True
        try:
            sign("trying out how fast the networks are")
            self._eta.expect(*self._expected(results))
        except (EngineError, RuntimeError, ValueError):  # what is wrong shows in the training itself
            log.warning("how long the job will take is estimated from its epochs alone", exc_info=True)

    def _expected(self, results: Mapping[NodeName, PhaseResult]) -> tuple[dict[Phase, Expected], float]:
        spec, data, copy = self._spec, self._data, self._networks.throwaway
        student = learning_speed(copy(spec.student, spec.training), data, spec.training)
        alone = epoch_seconds(student, data)
        expected: dict[Phase, Expected] = {BASELINE: Expected(alone)}
        if spec.teacher.model is None:
            answer = answering_speed(next(one for one in results.values() if one.phase == TEACHER).network, data)
        else:
            recipe = spec.teacher.training or spec.training
            teacher = learning_speed(copy(spec.teacher, recipe), data, recipe)
            answer = teacher.answer
            expected[TEACHER] = Expected(epoch_seconds(teacher, data))
        lesson = Lesson(spec.dataset, spec.training, spec.objective().losses, spec.teacher_cache, spec.seed)
        taught, views = epoch_seconds(student, data, teacher=answer), lesson.kept_views(data)
        expected[STUDENT] = Expected(alone, taught - alone, 1 - 1 / views) if views else Expected(taught)
        answers = [answer, student.answer] + ([student.answer] if spec.baseline else [])
        return expected, publishing_seconds(answers, len(spec.export))
