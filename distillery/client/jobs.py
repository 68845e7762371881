"""Jobs: run them, follow them, read what came out."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from distillery.client.downloads import download
from distillery.client.transport import Transport, path_of, read, understood
from distillery.errors import JobEnded, NotFinishedInTime, TooManyStreams
from distillery.resources import (
    ArtifactList,
    ArtifactView,
    EventPage,
    EventView,
    JobSummary,
    JobView,
    LogLineView,
    LogPage,
    MetricSeries,
    MetricView,
    Resolved,
)  # fmt: skip
from distillery.states import JobState
from kd_engine.schema.evaluation_report import AnyReport, read_report

_WAIT_SECONDS = 30.0  # of one request; the service answers earlier when the job changes
_POLL_SECONDS = 3.0  # between requests where it lets nobody wait


class Job:
    """A job of the service. Ask for `info` again with `refresh`; what follows a job does so by itself."""

    def __init__(self, transport: Transport, job_id: str, info: JobView | None = None) -> None:
        self.id = job_id
        self._transport, self._info, self._etag = transport, info, ""

    @property
    def info(self) -> JobView:
        """The job as it was last seen."""
        return self._info or self.refresh().info

    @property
    def state(self) -> JobState:
        return self.info.state

    def refresh(self, wait: float = 0) -> Self:
        """Asks again; with `wait` the answer comes as soon as the job has changed, or after so many seconds."""
        headers = {"If-None-Match": self._etag} if self._etag else {}
        answer = self._transport.request(
            "GET", self._path(), params={"wait": wait} if wait else None, headers=headers, expected=(304,),
            at_once=(TooManyStreams,) if wait else (),
        )  # fmt: skip
        if answer.status_code != 304:
            self._info, self._etag = read(JobView, answer.content), answer.headers.get("etag", "")
        return self

    def wait(self, timeout: float | None = None) -> Self:
        """Waits until the job has succeeded.

        Args:
            timeout: seconds; as long as it takes unless given. A paused job is waited for too.

        Raises:
            JobEnded: it failed, or was cancelled.
            NotFinishedInTime: `timeout` is over; the job goes on.
        """
        deadline = time.monotonic() + (math.inf if timeout is None else timeout)
        self.refresh()
        while not self.info.state.terminal:
            self._change(deadline)
        if self.state is not JobState.SUCCEEDED:
            raise JobEnded(self.info)
        return self

    def events(
        self,
        after: int = 0,
        timeout: float | None = None,
        changed: Callable[[JobView], None] = lambda info: None,
    ) -> Iterator[EventView]:
        """All events above number `after`, each as it happens, until the job has ended.

        A connection that breaks, and a service that starts again, cost nothing but time. Between events `info` is kept
        up to date; `changed` is called with it whenever the job has changed, as its progress does.

        Raises:
            NotFinishedInTime: `timeout` seconds are over; the job goes on.
        """
        deadline = time.monotonic() + (math.inf if timeout is None else timeout)
        self.refresh()
        while True:
            ended = self.info.state.terminal  # seen before its events, which are all there once it has ended
            for event in self.history(after):
                yield event
                after = event.seq
            if ended:
                return
            self._change(deadline)
            changed(self.info)

    def history(self, after: int = 0) -> Iterator[EventView]:
        """The events above number `after` that there are by now."""
        while True:
            page = self._transport.get(f"{self._path()}/events", EventPage, after=after, format="json")
            yield from page.events
            if page.next_after is None:
                return
            after = page.next_after

    def logs(self, after: int = 0, tail: int | None = None) -> Iterator[LogLineView]:
        """What its trainer wrote until now: lines above number `after`, or the last `tail`."""
        if tail is not None:
            yield from self._transport.get(f"{self._path()}/logs", LogPage, tail=tail, format="json").lines
            return
        while True:
            page = self._transport.get(f"{self._path()}/logs", LogPage, after=after, format="json")
            yield from page.lines
            if page.next_after is None:
                return
            after = page.next_after

    def metrics(self) -> list[MetricView]:
        """Those of each epoch."""
        return self._transport.get(f"{self._path()}/metrics", MetricSeries, format="json").metrics

    def report(self) -> AnyReport:
        """What came out: a `TrainingReport`, or an `EvaluationReport` of a network that was measured.

        Raises:
            distillery.errors.NotFinished: it has not ended.
            distillery.errors.ReportNotFound: it ended without one.
        """
        content = self._transport.request("GET", f"{self._path()}/report").content
        with understood(content):
            return read_report(content)

    def artifacts(self) -> list[ArtifactView]:
        """Its files."""
        return self._transport.get(f"{self._path()}/artifacts", ArtifactList).artifacts

    def download(self, name: str, target: str | Path = ".") -> Path:
        """Fetches a file; what a broken connection, or an earlier program, has left of it is gone on with.

        Args:
            target: a folder (one that exists, or ends with "/"), or the path of the file.

        Returns:
            Where it lies, whole, with the sha256 that the service lists.

        Raises:
            FileNotFoundError: the job has no such file; the message names those that it has.
            DownloadDamaged: it is not what was listed.
        """
        return download(self._transport, self._path(), name, target)

    def cancel(self) -> Self:
        """Asks for its end: a queued job has it at once, a running one as soon as its worker hears of it."""
        return self._act("cancel")

    def pause(self) -> Self:
        return self._act("pause")

    def resume(self) -> Self:
        return self._act("resume")

    def retry(self) -> Job:
        """The new job that runs this one, which failed or was cancelled, again from its last checkpoint."""
        answer = self._transport.request("POST", f"{self._path()}/retry")
        info = read(JobView, answer.content)
        return Job(self._transport, info.id, info)

    def delete(self) -> None:
        """Deletes it with its files, once it has ended."""
        self._transport.request("DELETE", self._path())

    def reference(self) -> dict[str, str]:
        """What stands for its student in a spec."""
        return {"job": self.id}

    def _change(self, deadline: float) -> None:
        """Returns once the job has changed, or after a while."""
        left = min(_WAIT_SECONDS, deadline - time.monotonic())
        if left <= 0:
            raise NotFinishedInTime(f"{self.id} is {self.state}, and goes on after the time to wait for it")
        try:
            self.refresh(wait=left)
        except TooManyStreams:  # all places to wait in are taken: it is asked now and then
            time.sleep(min(left, _POLL_SECONDS))
            self.refresh()

    def _act(self, verb: str) -> Self:
        answer = self._transport.request("POST", f"{self._path()}/{verb}")
        self._info, self._etag = read(JobView, answer.content), ""
        return self

    def _path(self) -> str:
        return path_of("jobs", self.id)

    def __repr__(self) -> str:
        return f"<Job {self.id}{f' {self._info.state}' if self._info else ''}>"


class Jobs:
    """`Distillery.jobs`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def run(self, spec: Mapping[str, Any] | None = None, *, idempotency_key: str | None = None, **keys: Any) -> Job:
        """Creates a job; it is recorded when this returns.

        Args:
            spec: as docs/spec.md has it; `keys` come on top: `run(dataset="digits", teacher="mlp", ...)`. A `Dataset`,
                `Model` or `Job` may stand where the spec names one.
            idempotency_key: the same key with the same spec is the same job. Unless given, one of this call: a request
                that is sent again because its answer was lost makes no second job.

        Raises:
            distillery.errors.InvalidSpec: its `errors` say where it is wrong, and what was expected.
        """
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        answer = self._transport.request("POST", "/jobs", json=_plain({**(spec or {}), **keys}), headers=headers)
        info = read(JobView, answer.content)
        return Job(self._transport, info.id, info)

    def validate(self, spec: Mapping[str, Any] | None = None, **keys: Any) -> Resolved:
        """The spec as it would be run, with warnings; nothing is stored."""
        body = _plain({**(spec or {}), **keys})
        answer = self._transport.request("POST", "/jobs", params={"validate_only": "true"}, json=body)
        return read(Resolved, answer.content)

    def get(self, job_id: str) -> Job:
        """
        Raises:
            distillery.errors.JobNotFound: there is none of this id, or it is somebody else's.
        """
        return Job(self._transport, job_id).refresh()

    def list(
        self,
        *,
        state: JobState | str | None = None,
        name: str | None = None,
        dataset: str | None = None,
        student: str | None = None,
        created_after: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Iterator[JobSummary]:
        """Newest first; pages are fetched as they are needed."""
        filters = {"state": state, "name": name, "dataset": dataset, "student": student, "created_after": created_after}
        filters |= {f"label.{key}": value for key, value in (labels or {}).items()}
        return self._transport.pages("/jobs", "jobs", JobSummary, **filters)


def _plain(value: Any) -> Any:
    """JSON data: what was sent, or came of a job, stands as the spec refers to it."""
    if hasattr(value, "reference"):
        return value.reference()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
