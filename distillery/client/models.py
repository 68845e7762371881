"""Networks of one's own: sent, or kept of a job; fetched."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from distillery.client.datasets import Dataset
from distillery.client.jobs import Job
from distillery.client.transport import Transport, path_of, read
from distillery.client.uploads import Progress, as_file, deliver
from distillery.errors import JobEnded
from distillery.resources import ModelView
from kd_engine.schema.evaluation_report import AnyReport


class Model:
    """A network that was sent, or kept of a job. It may stand in a spec as a teacher, or be measured."""

    def __init__(self, transport: Transport, info: ModelView) -> None:
        self._transport, self.info = transport, info

    @property
    def id(self) -> str:
        return self.info.id

    @property
    def name(self) -> str:
        return self.info.name

    def refresh(self) -> Self:
        self.info = self._transport.get(path_of("models", self.id), ModelView)
        return self

    def job(self) -> Job:
        """The job that looked at it, or that trained it."""
        return Job(self._transport, self.info.job)

    def wait(self, timeout: float | None = None) -> Self:
        """Waits until it was verified on its data set.

        Raises:
            JobEnded: it was refused; the message says why.
            NotFinishedInTime: `timeout` seconds are over.
        """
        if self.refresh().info.state == "checking":
            self.job().wait(timeout)
            self.refresh()
        if self.info.state == "failed":
            raise JobEnded(self.job().info)
        return self

    def report(self) -> AnyReport:
        """What was measured of it."""
        return self.job().report()

    def pull(self, target: str | Path = ".") -> Path:
        """Fetches its safetensors file, as `Job.download` does."""
        return self.job().download(f"{self.info.role}.safetensors", target)

    def delete(self) -> None:
        self._transport.request("DELETE", path_of("models", self.id))

    def reference(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"<Model {self.id} '{self.name}' {self.info.state}>"


class Models:
    """`Distillery.models`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def push(
        self,
        path: str | Path,
        dataset: str | Dataset,
        name: str | None = None,
        *,
        wait: bool = True,
        progress: Progress = lambda arrived, size: None,
        params: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Model:
        """Sends an ONNX model, safetensors weights or recorded logits (.npz), and waits until they are verified.

        Args:
            dataset: what it is for.
            name: that of the file, without its ending, unless given.
            params: of `model`, where weights of a network of the catalogue are sent.
            options: as POST /models takes them: `model="timm/resnet18"`, `height=32`, `width=32`, `channels="bgr"`, ...

        Raises:
            FileNotFoundError: there is no file at `path`.
            JobEnded: what was sent is no network for this data set; the message says why.
        """
        path = Path(path)
        query = {"name": path.name.partition(".")[0] if name is None else name, **options}
        query["dataset"] = dataset.id if isinstance(dataset, Dataset) else dataset
        if params is not None:
            query["params"] = json.dumps(params)

        def make(upload: str) -> Model:
            answer = self._transport.request("POST", "/models", params={"upload": upload, **query})
            return Model(self._transport, read(ModelView, answer.content))

        with as_file(path) as file:
            model = deliver(self._transport, file, progress, make)
        return model.wait() if wait else model

    def keep(self, job: str | Job, role: str = "student", name: str = "") -> Model:
        """Gives a network of a job an id of its own; the job stays as long as it."""
        body = {"job": job.id if isinstance(job, Job) else job, "role": role, "name": name}
        answer = self._transport.request("POST", "/models/promote", json=body, repeatable=False)
        return Model(self._transport, read(ModelView, answer.content))

    def get(self, model_id: str) -> Model:
        return Model(self._transport, self._transport.get(path_of("models", model_id), ModelView))

    def list(self) -> Iterator[ModelView]:
        """Newest first; `Distillery.catalog` has the networks that can be trained."""
        return self._transport.pages("/models", "models", ModelView)
