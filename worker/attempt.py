"""One attempt's files: its scratch folder, the checkpoint and the teacher it starts from, and what it publishes."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from jobs.artifacts import ArtifactInfo, ArtifactStore, media_type_of
from jobs.db import Database
from jobs.errors import ArtifactNotFound, JobNotFound
from jobs.models import Artifact, Job
from jobs.settings import Settings
from kd_engine.errors import DataError
from kd_engine.options import RunOptions
from kd_engine.spec import Source, parse_spec
from worker.process import write_request

log = logging.getLogger(__name__)
CHECKPOINT = "checkpoint.safetensors"


class Attempt:
    """The files of one attempt of a job, in a folder that no other attempt uses."""

    def __init__(self, job: Job, settings: Settings, database: Database, store: ArtifactStore) -> None:
        self.job, self.job_id, self.token = job, job.id, job.token
        self._settings, self._database, self._store = settings, database, store
        self.folder = settings.runs_dir / job.id / str(job.token)
        self._checkpoints = 0

    def prepare(self) -> None:
        """Makes the folder and the request that the trainer reads.

        Raises:
            DataError: the job that a network comes from is gone.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        spec = parse_spec(self.job.spec)
        given = {source.key: self._network(source) for source in spec.sources()}
        settings = self._settings
        options = RunOptions(
            out_dir=self.folder,
            data_dir=settings.data_dir,
            cache_dir=settings.cache_dir,
            download=settings.download,
            teacher_files=tuple(file for key, file in given.items() if key != "model"),
            model_file=given.get("model"),
            resume_from=self._latest_checkpoint(),
            threads=settings.trainer_threads,
            device=settings.device,
            checkpoint_seconds=settings.checkpoint_seconds,
        )
        write_request(self.folder, spec, options)

    def list_checkpoint(self) -> None:
        """Stores the trainer's newest checkpoint, lists it in place of the last one, and lets that one go."""
        self._checkpoints += 1
        info = self._store_file(CHECKPOINT, "checkpoint", f"{self._checkpoints}-{CHECKPOINT}")
        with self._database.write() as repository:
            replaced = repository.list_artifact(self.job_id, self.token, info)
        self.drop([replaced] if replaced else [])

    def store_results(self, names: Sequence[str]) -> list[ArtifactInfo]:
        """Stores the files of a finished run; they exist for readers once they are listed."""
        return [self._store_file(name, "result", name) for name in names]

    def drop(self, keys: Sequence[str]) -> None:
        """Removes stored files that nothing lists (any more)."""
        for key in keys:
            try:
                self._store.delete(key)
            except OSError as error:
                log.warning("job %s: the file %s could not be removed: %s", self.job_id, key, error.strerror)

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
        return ArtifactInfo(name, kind, media_type_of(name), size, sha256, key)

    def _latest_checkpoint(self) -> Path | None:
        try:
            with self._database.read() as repository:
                listed = repository.artifact(self.job_id, CHECKPOINT, kind="checkpoint")
        except ArtifactNotFound:
            return None
        return self._bring(listed, "resume.safetensors")

    def _network(self, source: Source) -> Path:
        try:
            with self._database.read() as repository:
                listed = repository.artifact(source.job, f"{source.role}.safetensors")
        except (JobNotFound, ArtifactNotFound) as error:
            raise DataError(f"the {source.key} cannot be had: {error}.") from error
        return self._bring(listed, f"given-{source.key.replace('/', '-')}.safetensors")

    def _bring(self, listed: Artifact, name: str) -> Path:
        target = self.folder / name
        with self._store.open(listed.key) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy, 2**20)
        return target
