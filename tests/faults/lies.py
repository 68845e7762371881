"""Files that are not what they say, sent to the whole service: each is to be refused, for the right reason."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import httpx
from PIL import Image

from distillery.states import EndReason, JobState
from jobs.tables import Job
from tests.faults.stack import Stack
from tests.kd_engine.intake import lies_archives, lies_arrays, lies_networks, lies_pictures, lies_tables

_READERS = lies_archives.LIES | lies_arrays.LIES | lies_pictures.LIES | lies_tables.LIES | lies_networks.LIES
_NETWORKS = ("onnx", "safetensors", "logits")  # how the names of their readers begin
_CONFINED = ("onnx", "parquet")  # read in a process of their own, whose memory is the trainer's too
_FOLDERS = "onnx, with its weights"  # reads more than one file
GREEDY_MEMORY = "512MiB"  # of a trainer: more than a job on digits holds, and less than the check of GREEDY
# what holds much, without lying, and is taken where there is memory
_TRUE = "None"
_ENDLESS = "a loop without an end"


@dataclass(frozen=True)
class Lie:
    """
    Attributes:
        reader: who is lied to, of `tests.kd_engine.intake.readers`.
        make: the file.
        message: what the refusal says.
    """

    reader: str
    name: str
    make: Callable[[], bytes]
    message: str

    @property
    def path(self) -> str:
        """Where it is sent."""
        if not self.reader.startswith(_NETWORKS):
            return "/datasets?test=0.2"
        return "/models?dataset=digits" + ("&model=mlp" if self.reader == "safetensors, named" else "")

    def refused_by(self, answer: httpx.Response) -> bool:
        """Whether this is the right answer to the file, before any job looks at it: its beginning is of no format."""
        code: str = answer.json()["code"]
        return self.reader == "safetensors" and (answer.status_code, code) == (415, "unknown_format")

    def refused_with(self, job: Job) -> bool:
        """Whether this is the right end of the job that looked at the file."""
        if self is GREEDY:
            return job.end_reason is EndReason.OUT_OF_MEMORY and job.attempt == 1 + job.lost_attempts
        if job.end_reason is EndReason.OUT_OF_MEMORY:
            return self.message == _TRUE or self.reader.startswith(_CONFINED)
        if self.name == _ENDLESS:
            return job.reason in (EndReason.TIMEOUT, EndReason.STALLED)  # whichever limit comes first
        if self.message == _TRUE:
            return job.state is JobState.SUCCEEDED
        return job.end_reason is EndReason.DATA_ERROR and self.message in (job.end_detail or "")


def _one_colour() -> bytes:
    """Two pictures that take 400 MB each, in some hundred kilobytes."""
    picture, file = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (9999, 9999)).save(picture, "PNG")
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("a/1.png", "b/1.png"):
            archive.writestr(name, picture.getvalue())
    return file.getvalue()


GREEDY = Lie("picture", "more than a trainer may hold", _one_colour, "may hold")
_NO_FOLDERS = "lies in no folder"  # what the archive that only `sniff` is lied to with is refused for
_content = cache(lambda lie: lie.make())  # making one takes up to a second, while others measure

LIES = [
    Lie(reader, name, make, _NO_FOLDERS if reader == "sniff" else message)
    for reader, lies in _READERS.items()
    for name, (make, message) in lies.items()
    if reader != _FOLDERS
]  # fmt: skip


def send(stack: Stack, lie: Lie, owner: str) -> str | None:
    """Sends the file, waits until it is refused, and has what is left of it deleted; what was wrong, if anything."""
    with stack.client(owner) as client:
        while (answer := client.post(lie.path, content=_content(lie))).status_code == 503:
            time.sleep(1)  # as many as may be are on their way
        if answer.is_error:
            return None if lie.refused_by(answer) else f"{lie.reader}, {lie.name}: {answer.status_code} {answer.text}"
        sent = answer.json()
        job_id = sent["links"]["job"].removeprefix("/jobs/")
        stack.wait_ended(job_id, seconds=900)
        job = stack.job(job_id)
        client.delete(sent["links"]["self"]).raise_for_status()
    if lie.refused_with(job):
        return None
    return f"{lie.reader}, {lie.name}: {job.state}, {job.end_reason}: {job.end_detail}"
