"""What can go wrong with a job, apart from its training.

JobError
├── JobNotFound          no such job (or artifact of it)
├── DatasetNotFound      no such data set that was sent
├── ModelNotFound        no such network that was sent or kept
├── UploadNotFound       no such file on its way
├── UploadBusy           another part of the file is just arriving
├── DatasetInUse         jobs that have not ended are to read it
├── WrongState           the edge does not exist from the job's present state
├── OverQuota            the owner has as much as it may have
├── KeyReused            an idempotency key came back with another body
├── LeaseLost            another attempt holds the job: stop at once, write nothing
├── ArtifactNotFound     the job has no such artifact
├── StoreUnavailable     the artifact store is away; the same works again once it is back
├── SchemaTooNew         the database was made by a newer version of this program
├── SchemaTooOld         the database's tables lack what this program needs
└── UnknownRevision      there is no such revision of the tables to go back to
"""

from __future__ import annotations

from collections.abc import Sequence

from distillery.states import JobState


class JobError(Exception):
    """Base of the errors of this room; the message is written for the user."""


class JobNotFound(JobError):
    def __init__(self, job_id: str) -> None:
        super().__init__(f"there is no job '{job_id}'")
        self.job_id = job_id


class ArtifactNotFound(JobError):
    def __init__(self, job_id: str, name: str) -> None:
        super().__init__(f"job '{job_id}' has no artifact '{name}'; its list of artifacts has the names")
        self.job_id, self.name = job_id, name


class DatasetNotFound(JobError):
    def __init__(self, dataset_id: str) -> None:
        super().__init__(f"there is no data set '{dataset_id}'")
        self.dataset_id = dataset_id


class ModelNotFound(JobError):
    def __init__(self, model_id: str) -> None:
        super().__init__(f"there is no model '{model_id}'")
        self.model_id = model_id


class UploadNotFound(JobError):
    def __init__(self, upload_id: str) -> None:
        super().__init__(f"there is no upload '{upload_id}'")
        self.upload_id = upload_id


class UploadBusy(JobError):
    def __init__(self, upload_id: str) -> None:
        super().__init__(f"another part of the upload '{upload_id}' is just arriving")
        self.upload_id = upload_id


class DatasetInUse(JobError):
    def __init__(self, dataset_id: str, job_ids: Sequence[str]) -> None:
        listed = ", ".join(job_ids)
        super().__init__(f"the data set '{dataset_id}' is to be read by jobs that have not ended: {listed}")
        self.dataset_id, self.job_ids = dataset_id, job_ids


class WrongState(JobError):
    def __init__(self, job_id: str, state: JobState, wish: str) -> None:
        super().__init__(f"job '{job_id}' is {state}; {wish}")
        self.job_id, self.state = job_id, state


class OverQuota(JobError):
    """
    Attributes:
        quota: which one: `queued`, `bytes`, `epochs` or `uploads`.
        used: how much of it is taken.
        limit: how much there is.
    """

    def __init__(self, quota: str, used: int, limit: int, message: str) -> None:
        super().__init__(message)
        self.quota, self.used, self.limit = quota, used, limit


class KeyReused(JobError):
    def __init__(self, key: str) -> None:
        super().__init__(
            f"the idempotency key '{key}' came before with another body; "
            "a new request needs a new key, a repeated one the same body"
        )
        self.key = key


class LeaseLost(JobError):
    def __init__(self, job_id: str, token: int) -> None:
        super().__init__(f"job '{job_id}' is no longer held under token {token}")
        self.job_id, self.token = job_id, token


class StoreUnavailable(JobError):
    """The message is for whoever runs the service: it names servers."""


class SchemaTooNew(JobError):
    pass


class SchemaTooOld(JobError):
    pass


class UnknownRevision(JobError):
    pass
