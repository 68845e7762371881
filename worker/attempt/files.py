"""One attempt's files: its scratch folder, the checkpoint and the teacher it starts from, and what it publishes."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from jobs.artifacts import ArtifactInfo, bring, media_type_of
from jobs.errors import ArtifactNotFound, DatasetNotFound, JobNotFound, StoreUnavailable
from jobs.repository import uploads
from jobs.tables import Artifact, Job
from kd_engine.catalog import PREPARED, UNPACKED
from kd_engine.jobspec import KINDS, AnySpec, parse_spec
from kd_engine.jobspec.inputs import DatasetInput, Input, NetworkInput, UploadInput
from kd_engine.jobspec.problems import field_problems
from kd_engine.runs.request import RunRequest
from kd_engine.schema.errors import DataError, DiskFullError, sentence
from kd_engine.schema.run_request import RunOptions
from worker.context import Services
from worker.memory_limit import trainer_memory

log = logging.getLogger(__name__)
_CHECKPOINT = "checkpoint.safetensors"  # as the trainer calls it
_RESUME = "resume.safetensors"


class SpecBeyond(Exception):
    """A newer version wrote the job's spec: it says what this one does not know."""


class Attempt:
    """The files of one attempt of a job, in a folder that no other attempt uses.

    Attributes:
        warnings: what the job's user should know, for its log.
    """

    def __init__(self, job: Job, services: Services) -> None:
        self.job, self.job_id, self.token = job, job.id, job.token
        self._services = services
        self._settings, self._database, self._store = services.settings, services.database, services.store
        self.folder = self._settings.runs_dir / job.id / str(job.token)
        self.warnings: list[str] = []
        self._checkpoints = 0

    @property
    def time_limit(self) -> tuple[float, str] | None:
        """How many seconds all attempts of the job may run together, and who says so."""
        timeout: float | None = self.job.resources.get("timeout_seconds")
        if timeout is not None:
            return timeout, "resources.timeout_seconds"
        kind = KINDS.get(self.job.spec.get("kind", "distill"))
        if kind is not None and kind.brings_upload:
            return self._settings.check_seconds, "KD_CHECK_SECONDS"
        return None

    @property
    def got_further(self) -> bool:
        """Whether it has listed a checkpoint of its own, from which another attempt would go on."""
        return self._checkpoints > 0

    def prepare(self) -> None:
        """Makes the folder and the request that the trainer reads.

        Raises:
            SpecBeyond: this worker's version does not know the spec.
            DataError: the job that a network comes from is gone.
            DiskFullError: no room for what it starts from.
            StoreUnavailable: the store is away; this may be tried again.
        """
        self.warnings.clear()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        spec = self._spec()
        settings = self._settings
        options = RunOptions(
            out_dir=self.folder,
            data_dir=settings.data_dir,
            cache_dir=settings.cache_dir,
            download=settings.download,
            inputs={asked.place: self._input(asked) for asked in spec.inputs()},
            names=self.job.names or {},
            resume_from=self._newest_checkpoint(),
            threads=settings.trainer_threads,
            memory=trainer_memory(settings),
            device=self._services.device,
            checkpoint_seconds=settings.checkpoint_seconds,
            checkpoint_epochs=settings.checkpoint_epochs,
        )
        RunRequest(spec, options).write(self.folder)

    def _spec(self) -> AnySpec:
        try:
            return parse_spec(self.job.spec)
        except ValidationError as error:
            first = field_problems(error, self.job.spec)[0]
            raise SpecBeyond(f"{first.pointer}: {first.message}") from error

    def list_checkpoint(self) -> None:
        """Stores and lists the trainer's newest checkpoint, and lets the oldest go."""
        self._checkpoints += 1
        # its number, of the attempt and within it: the names of two are never the same
        stored = self._store_file(_CHECKPOINT, "checkpoint", f"checkpoint-{self.token}-{self._checkpoints}.safetensors")
        with self._database.write() as repository:
            dropped = repository.list_checkpoint(self.job_id, self.token, stored, self._settings.checkpoints_kept)
        self.drop(dropped)

    def store_results(self, names: Sequence[str]) -> list[ArtifactInfo]:
        """Stores the files of a finished run; they exist for readers once they are listed."""
        stored: list[ArtifactInfo] = []
        try:
            for name in names:
                stored.append(self._store_file(name, "result", name))
        except DiskFullError:
            self.drop([info.key for info in stored])  # room for others; the next attempt makes them anew
            raise
        return stored

    def drop(self, keys: Sequence[str]) -> None:
        """Removes stored files that nothing lists (any more)."""
        for key in keys:
            try:
                self._store.delete(key)
            except (OSError, StoreUnavailable) as error:
                log.warning("job %s: the file %s could not be removed: %s", self.job_id, key, error)

    def clear_away(self) -> None:
        """Removes the attempt's folder, and the job's when no other attempt has one there."""
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.folder.parent.rmdir()
        except OSError:
            log.debug("job %s: another attempt still has a folder", self.job_id)

    def _store_file(self, name: str, kind: str, stored_as: str) -> ArtifactInfo:
        key = f"{self.job_id}/{self.token}/{stored_as}"
        size, sha256 = self._store.put(self.folder / name, key)
        called = stored_as if kind == "checkpoint" else name
        return ArtifactInfo(called, kind, media_type_of(name), size, sha256, key)

    def _newest_checkpoint(self) -> Path | None:
        """The newest that is whole, of this job or of the one that it is a retry of."""
        for listed in self._listed_checkpoints():
            try:
                return self._bring(listed, _RESUME)
            except (OSError, DataError) as error:
                self._warn(f"the checkpoint '{listed.name}' cannot be used ({error}); trying an older one")
        return None

    def _listed_checkpoints(self) -> Iterator[Artifact]:
        """Newest first; those of the job that this one is a retry of come after its own, and so on."""
        job: Job | None = self.job
        while job is not None:
            with self._database.read() as repository:
                listed = repository.artifacts(job.id, kind="checkpoint")
            yield from sorted(listed, key=lambda artifact: (artifact.created_at, artifact.name), reverse=True)
            job = self._retried(job)

    def _retried(self, job: Job) -> Job | None:
        if job.retry_of is None:
            return None
        try:
            with self._database.read() as repository:
                return repository.get(job.retry_of)
        except JobNotFound:
            return None

    def _input(self, asked: Input) -> Path:
        """The file that the spec asks for.

        Raises:
            DataError: it is gone.
        """
        match asked:
            case NetworkInput():
                return self._network(asked)
            case DatasetInput():
                return self._dataset(asked)
            case UploadInput():
                return self._upload()

    def _network(self, source: NetworkInput) -> Path:
        try:
            with self._database.read() as repository:
                listed = repository.artifact(source.job, source.file)
            return self._bring(listed, f"given-{source.place.replace('/', '-')}.safetensors")
        except (JobNotFound, ArtifactNotFound, FileNotFoundError, DataError) as error:
            raise DataError(f"the {source.place} cannot be had: {sentence(error)}") from error

    def _dataset(self, asked: DatasetInput) -> Path:
        """The checked file of a data set that was sent.

        Of a store elsewhere, each machine brings it once: pictures are unpacked in the cache, arrays are kept there.
        """
        name = PREPARED[asked.layout]
        try:
            with self._database.read() as repository:
                listed = repository.artifact(repository.dataset(asked.id).job.id, name)
            kept = self._settings.cache_dir / UNPACKED / listed.sha256
            if name == PREPARED["image_folder"]:
                return kept if kept.is_dir() else self._store.fetch(listed.key, listed.sha256, self.folder / name)
            return self._store.fetch(listed.key, listed.sha256, kept / name)
        except (DatasetNotFound, ArtifactNotFound, FileNotFoundError) as error:
            raise DataError(f"the data set cannot be had: {sentence(error)}") from error

    def _upload(self) -> Path:
        """The file that came with the job."""
        try:
            with self._database.read() as repository:
                listed = repository.artifact(self.job_id, uploads.KIND, uploads.KIND)
            return self._store.fetch(listed.key, listed.sha256, self.folder / uploads.KIND)
        except (ArtifactNotFound, FileNotFoundError) as error:
            raise DataError("what was sent is gone; send it again.") from error

    def _bring(self, listed: Artifact, name: str) -> Path:
        """A copy of a stored file in the attempt's folder: who deletes the file meanwhile does not disturb it."""
        return bring(self._store, listed.key, listed.sha256, self.folder / name)

    def _warn(self, message: str) -> None:
        log.warning("job %s: %s", self.job_id, message)
        self.warnings.append(message)
