"""The part of the repository for what users send: data sets, networks, and files on their way."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.orm import Session

from distillery.quota import NO_QUOTA, Quota
from jobs.artifacts import ArtifactInfo
from jobs.ids import LOCAL
from jobs.repository import assets, names, uploads
from jobs.repository.assets import Sent
from jobs.tables import Job, SentDataset, SentModel, Upload
from kd_engine.jobspec import AnySpec, CheckSpec, RegisterSpec


class Inbox:
    """What was sent. `Repository` is one, and has the session."""

    _session: Session

    def begin_upload(self, owner: str, quota: Quota = NO_QUOTA, way: str = uploads.IN_PARTS) -> Upload:
        """A new file that is to come.

        Args:
            way: `uploads.IN_PARTS` or `uploads.IN_ONE`, in one request.

        Raises:
            OverQuota: as many of the owner's are on their way as may be.
        """
        return uploads.begin(self._session, owner, quota, way)

    def list_uploads(self, owner: str | None, before: str | None = None, limit: int = 50) -> list[Upload]:
        """Files on their way in parts; as `list_datasets`."""
        return uploads.listed(self._session, owner, before, limit)

    def reserve(self, upload_id: str, least: int, most: int, quota: Quota = NO_QUOTA) -> int:
        """Makes room for a file on its way, as far as its owner's quota goes, and keeps it from being forgotten.

        Args:
            least: bytes that it needs, in all.
            most: bytes that it may need.

        Returns:
            The bytes that it may have now; at least `least`.

        Raises:
            UploadNotFound: it was given up, or forgotten.
            OverQuota: there is no room for `least`.
        """
        return uploads.reserve(self._session, upload_id, least, most, quota)

    def settle_upload(self, upload_id: str, arrived: int) -> None:
        """Notes how much of a file on its way has come: no request brings more of it now."""
        uploads.settle(self._session, upload_id, arrived)

    def upload(self, upload_id: str, owner: str | None = None) -> Upload:
        """A file on its way; raises UploadNotFound, also for somebody else's."""
        return uploads.get(self._session, upload_id, owner)

    def end_upload(self, upload_id: str) -> None:
        """Forgets a file on its way."""
        uploads.end(self._session, upload_id)

    def overdue_uploads(self, after: str, limit: int) -> list[str]:
        """Ids above `after`, in order, of files that nobody has sent more of for a day; in one request: an hour."""
        return uploads.overdue(self._session, after, limit)

    def end_overdue_uploads(self, upload_ids: Collection[str]) -> None:
        """Forgets those of them that nobody has sent more of since."""
        uploads.end_overdue(self._session, upload_ids)

    def create_dataset(
        self, spec: CheckSpec, upload: ArtifactInfo, *, owner: str = LOCAL, quota: Quota = NO_QUOTA
    ) -> tuple[Sent[SentDataset], bool]:
        """A new data set with the queued job that checks it, and True; or that of the same content, and False.

        The latter gets the name that is given now, if one is.

        Args:
            upload: the stored file; it is not needed, and not listed, where the owner has sent the same before.

        Raises:
            OverQuota: the owner has as much as it may have.
        """
        return assets.create(self._session, SentDataset, spec, owner, quota, upload)

    def create_model(
        self, spec: RegisterSpec, upload: ArtifactInfo, *, owner: str = LOCAL, quota: Quota = NO_QUOTA
    ) -> tuple[Sent[SentModel], bool]:
        """A new model with the queued job that looks at it, and True; or that of the same file and words, and False.

        Args, Raises: as `create_dataset`.
        """
        return assets.create(self._session, SentModel, spec, owner, quota, upload)

    def promote(self, job: Job, role: str, name: str) -> Sent[SentModel]:
        """A model of a network that a job published; the job is kept as long as it.

        Raises:
            WrongState: the job has not succeeded.
            ArtifactNotFound: it published no such network.
        """
        return assets.promote(self._session, job, role, name)

    def dataset(self, dataset_id: str, owner: str | None = None) -> Sent[SentDataset]:
        """A data set; raises DatasetNotFound, also for somebody else's."""
        return assets.get(self._session, SentDataset, dataset_id, owner)

    def model(self, model_id: str, owner: str | None = None) -> Sent[SentModel]:
        """A model; raises ModelNotFound, also for somebody else's."""
        return assets.get(self._session, SentModel, model_id, owner)

    def dataset_named(self, name: str, owner: str) -> Sent[SentDataset] | None:
        """The owner's data set of this name, in any of its Unicode spellings; of several, the one named last."""
        found = names.newest(self._session, SentDataset, owner, name)
        return None if found is None else Sent(*found)

    def model_named(self, name: str, owner: str) -> Sent[SentModel] | None:
        """As `dataset_named`."""
        found = names.newest(self._session, SentModel, owner, name)
        return None if found is None else Sent(*found)

    def dataset_names(self, owner: str, limit: int) -> list[str]:
        """Names of the owner's data sets, each once, the newest first."""
        return names.listed(self._session, SentDataset, owner, limit)

    def model_names(self, owner: str, limit: int) -> list[str]:
        """As `dataset_names`."""
        return names.listed(self._session, SentModel, owner, limit)

    def names_of(self, spec: AnySpec) -> names.Names:
        """The id and the name of each data set and model that was sent and the spec asks for.

        Args:
            spec: resolved, and known to ask for nothing that its owner may not see.
        """
        return names.of_spec(self._session, spec)

    def list_datasets(self, owner: str | None, before: str | None = None, limit: int = 50) -> list[Sent[SentDataset]]:
        """Newest first; `before` is the id that the last page ended with."""
        return assets.listed(self._session, SentDataset, owner, before, limit)

    def list_models(self, owner: str | None, before: str | None = None, limit: int = 50) -> list[Sent[SentModel]]:
        """As `list_datasets`."""
        return assets.listed(self._session, SentModel, owner, before, limit)

    def dataset_sums(self) -> set[str]:
        """The sha256 of the checked file of every data set that was sent."""
        return assets.dataset_sums(self._session)

    def delete_dataset(self, dataset_id: str) -> list[str]:
        """Deletes a data set with its check; the keys of the files that nothing names any more.

        Raises:
            DatasetNotFound: there is none.
            DatasetInUse: jobs that have not ended are to read it.
            WrongState: it is being checked.
        """
        return assets.delete_dataset(self._session, dataset_id)

    def delete_model(self, model_id: str) -> list[str]:
        """Deletes a model, and the job that looked at it; a job that trained it stays. Keys as `delete_dataset`.

        Raises:
            ModelNotFound: there is none.
            WrongState: it is being looked at.
        """
        return assets.delete_model(self._session, model_id)
