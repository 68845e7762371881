"""Data sets of one's own: sent, checked, named in specs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from distillery.client.jobs import Job
from distillery.client.transport import Transport, path_of, read
from distillery.client.uploads import Progress, as_file, deliver
from distillery.errors import JobEnded
from distillery.resources import DatasetView


class Dataset:
    """A data set that was sent. It may stand in a spec where one is named."""

    def __init__(self, transport: Transport, info: DatasetView) -> None:
        self._transport, self.info = transport, info

    @property
    def id(self) -> str:
        return self.info.id

    @property
    def name(self) -> str:
        return self.info.name

    def refresh(self) -> Self:
        self.info = self._transport.get(path_of("datasets", self.id), DatasetView)
        return self

    def check(self) -> Job:
        """The job that checks it."""
        return Job(self._transport, self.info.links["job"].rpartition("/")[2])

    def wait(self, timeout: float | None = None) -> Self:
        """Waits until it is checked; then `info.manifest` says what it holds.

        Raises:
            JobEnded: it was refused; the message says why.
            NotFinishedInTime: `timeout` seconds are over.
        """
        if self.refresh().info.state == "checking":
            self.check().wait(timeout)
            self.refresh()
        if self.info.state == "failed":
            raise JobEnded(self.check().info)
        return self

    def delete(self) -> None:
        """Deletes it, while no unfinished job is to read it."""
        self._transport.request("DELETE", path_of("datasets", self.id))

    def reference(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"<Dataset {self.id} '{self.name}' {self.info.state}>"


class Datasets:
    """`Distillery.datasets`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def push(
        self,
        path: str | Path,
        name: str | None = None,
        *,
        wait: bool = True,
        progress: Progress = lambda arrived, size: None,
        **options: Any,
    ) -> Dataset:
        """Sends a folder (packed into a zip) or a file, in parts, and waits until it is checked.

        What a broken connection, or an earlier program, has left of the same content is gone on with. The same content
        again is the same data set.

        Args:
            name: that of the folder or file, without its ending, unless given.
            wait: False returns as soon as it is sent.
            options: as POST /datasets takes them: `test=0.1`, `task="image_multi_label"`, `broken="skip"`, ...

        Raises:
            FileNotFoundError: there is nothing at `path`.
            JobEnded: what was sent is no data set; the message says why.
        """
        path = Path(path)
        params = {"name": path.resolve().name.partition(".")[0] if name is None else name, **options}

        def make(upload: str) -> Dataset:
            answer = self._transport.request("POST", "/datasets", params={"upload": upload, **params})
            return Dataset(self._transport, read(DatasetView, answer.content))

        with as_file(path) as file:
            dataset = deliver(self._transport, file, progress, make)
        return dataset.wait() if wait else dataset

    def get(self, dataset_id: str) -> Dataset:
        return Dataset(self._transport, self._transport.get(path_of("datasets", dataset_id), DatasetView))

    def list(self) -> Iterator[DatasetView]:
        """Newest first; `Distillery.catalog` has those that the service knows by name."""
        return self._transport.pages("/datasets", "datasets", DatasetView)
