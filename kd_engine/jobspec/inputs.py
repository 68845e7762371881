"""The files that a job needs besides the data sets of the catalogue: the service looks each of them up by its place."""

from __future__ import annotations

from typing import NamedTuple


def network_file(role: str, epoch: int | None = None) -> str:
    """The name of a published network: of the weights that count, or as they were after an epoch."""
    return f"{role}.safetensors" if epoch is None else f"{role}-epoch-{epoch}.safetensors"


class NetworkInput(NamedTuple):
    """A network of another job.

    Attributes:
        place: where the spec asks for it, as `teacher` or `teacher/ensemble/0`.
        role: which of the job's networks.
        epoch: as it was after this one; None: the weights that count.
    """

    place: str
    job: str
    role: str
    epoch: int | None = None

    @property
    def network(self) -> tuple[str, str, int | None]:
        """Which network it is, wherever the spec asks for it."""
        return self.job, self.role, self.epoch

    @property
    def file(self) -> str:
        """The artifact of the job that holds the network."""
        return network_file(self.role, self.epoch)


class DatasetInput(NamedTuple):
    """The checked file of a data set that was sent.

    Attributes:
        layout: of the file, a key of `catalog.PREPARED`.
    """

    place: str
    id: str
    layout: str


class UploadInput(NamedTuple):
    """The file that came with the job, which looks at it."""

    place: str
    sha256: str


Input = NetworkInput | DatasetInput | UploadInput
DATASET, UPLOAD = "dataset", "upload"
