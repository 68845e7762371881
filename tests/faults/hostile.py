"""Honest users beside strangers who do all that a service on a network meets, for as long as asked.

Meanwhile a trainer or a worker is killed every now and then, and somebody asks /healthz all the time.
"""

from __future__ import annotations

import itertools
import json
import random
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil

from distillery.states import JobState
from tests.faults import leftovers, strangers
from tests.faults.lies import GREEDY_MEMORY, LIES, Lie
from tests.faults.outcome import Outcome
from tests.faults.scene import SHORT, student_of
from tests.faults.stack import USER, DatabaseKind, Stack
from tests.faults.strangers import HOARDER, STRANGER, Tally
from tests.faults.verdict import judge
from tests.kd_engine.intake.archives import by_class, zipped
from tests.worker.hooks import Hook, listening

WORKERS = 3
SETTINGS: dict[str, Any] = {
    "trainer_memory": GREEDY_MEMORY,
    "stall_seconds": 30,
    "check_seconds": 90,
    "max_lost_attempts": 10,  # or a job that is often killed ends, as it is promised to
    "webhook_private": True,
    "webhook_secret": "whsec_" + "c29ha3NvYWtzb2Frc29ha3NvYWtzb2Frc29ha3NvYWs=",
}
OWNERS: dict[str, dict[str, int]] = {USER: {}, STRANGER: {"queued": 20}, HOARDER: {"uploads": 20}}
_MIB = 2**20
_HONEST = "honest"
_SETTLE_SECONDS = 15.0
_DELIVERED_SECONDS = 180.0


def options(kind: DatabaseKind) -> dict[str, Any]:
    """What the stack is started with: on PostgreSQL with keys, as it is deployed; on SQLite without."""
    return SETTINGS | ({"owners": OWNERS} if kind == "postgresql" else {})


def hostile(
    stack: Stack,
    seconds: float,
    *,
    lies: Sequence[Lie] = LIES,
    idle: int = 100,
    crowd: int = 40,
    kills: tuple[float, float] = (15, 30),
) -> Outcome:
    """Runs all of it for so long, waits until all accepted jobs have ended, and looks at what is left.

    Args:
        stack: of SETTINGS, with at least two workers; the last of them is never killed.
        lies: files that strangers send, in an order of chance.
        idle: connections that say nothing.
        crowd: connections that mean harm.
        kills: seconds between two of them.

    What is not as it should be is in the outcome. Seen red when no origin is refused, and when a reader says another
    reason.
    """
    began, outcome, done = time.monotonic(), Outcome(seconds=seconds, idle=idle, crowd=crowd), threading.Event()
    tally, honest = outcome.tally, outcome.honest
    unfinished = strangers.Unfinished(stack, tally)
    with listening() as hook, strangers.dead_addresses() as addresses, strangers.connections(stack, idle, crowd):
        numbers, draw = itertools.count(), random.Random(len(stack.keys))  # another order with keys
        acts: list[strangers.Turn] = [
            (partial(_job, stack, numbers, honest, hook), 0.0),
            (partial(_job, stack, numbers, honest, hook), 0.0),
            (partial(_file, stack, numbers, honest), 5.0),
        ]
        watching: list[strangers.Turn] = [
            (partial(_ask, stack, outcome), 0.5),
            (partial(_measure, stack, outcome), 1.0),
            (partial(_kill, stack, outcome, draw, kills, done), 1.0),
        ]
        doing = strangers.all_of_it(stack, draw.sample(lies, len(lies)), tally, unfinished, addresses, done)
        with strangers.busy(watching, honest, threading.Event()), strangers.busy([*acts, *doing], tally, done):
            time.sleep(seconds)
        stack.wait_ended(seconds=600)
        _delivered(stack, hook, honest)
    unfinished.give_up()
    _look(stack, outcome)
    outcome.all_seconds = time.monotonic() - began
    return outcome


def _job(stack: Stack, numbers: itertools.count[int], honest: Tally, hook: Hook) -> None:
    """A job that names a webhook, and its student."""
    spec = SHORT | {
        "seed": next(numbers) % 5,
        "name": _HONEST,
        "webhooks": [{"url": hook.url.replace("127.0.0.1", "localhost")}],
    }
    job_id = stack.submit(spec)
    stack.wait_ended(job_id, seconds=900)
    job = stack.job(job_id)
    honest.count(f"job {job.state}")
    if job.state is not JobState.SUCCEEDED:
        honest.wrong.append(f"{job_id}: {job.end_reason}: {job.end_detail}")
        return
    with stack.client() as client:
        answer = client.get(f"/jobs/{job_id}/artifacts/student.safetensors").raise_for_status()
    assert leftovers.sha256(answer.content) == student_of(stack, job_id), f"{job_id}: another file than is listed"


def _file(stack: Stack, numbers: itertools.count[int], honest: Tally) -> None:
    """A data set as it should be: taken, and what came of it deleted."""
    number = next(numbers)
    with tempfile.TemporaryDirectory() as folder, stack.client() as client:
        path = zipped(Path(folder) / "sent.zip", by_class(5, classes=(f"cat{number}", "dog")))
        while (answer := client.post("/datasets?test=0.2", content=path.read_bytes())).status_code == 503:
            time.sleep(1)  # as many as may be are on their way
        sent = answer.raise_for_status().json()
        job_id = sent["links"]["job"].removeprefix("/jobs/")
        stack.accepted.append(job_id)
        stack.wait_ended(job_id, seconds=900)
    job = stack.job(job_id)
    honest.count(f"data set {job.state}")
    assert job.state is JobState.SUCCEEDED, f"{job_id}: {job.end_reason}: {job.end_detail}"


def _ask(stack: Stack, outcome: Outcome) -> None:
    """How long /healthz takes on a connection of its own; raises where it does not answer."""
    with stack.client() as client:
        began = time.perf_counter()
        try:
            client.get("/healthz").raise_for_status()
        except httpx.HTTPError:
            outcome.unanswered += 1
            raise
        outcome.health.append(time.perf_counter() - began)


def _measure(stack: Stack, outcome: Outcome) -> None:
    now = time.monotonic()
    for server, samples in ((stack.api, outcome.api), (stack.workers[-1], outcome.worker)):
        samples.found.append((now, psutil.Process(server.pid).memory_info().rss / _MIB))
    for server in stack.workers:
        with suppress(psutil.NoSuchProcess, AssertionError):  # just killed, or not yet started again
            outcome.seen |= set(psutil.Process(server.pid).children(recursive=True))
    outcome.seen = set(outcome.children())


def _kill(
    stack: Stack, outcome: Outcome, draw: random.Random, pause: tuple[float, float], done: threading.Event
) -> None:
    """A trainer, or a worker that is not the last."""
    if done.wait(draw.uniform(*pause)):
        return
    if draw.random() < 2 / 3:
        with suppress(psutil.NoSuchProcess, IndexError):
            draw.choice(stack.trainers()).kill()
            outcome.kills["trainer"] += 1
        return
    worker = draw.choice(stack.workers[:-1])
    worker.kill()
    time.sleep(draw.uniform(0, 1))
    worker.start()
    outcome.kills["worker"] += 1


def _delivered(stack: Stack, hook: Hook, honest: Tally) -> None:
    """Every honest job was told of, whatever dead addresses were to be told."""
    waited = {job_id for job_id in stack.accepted if stack.job(job_id).name == _HONEST}
    deadline = time.monotonic() + _DELIVERED_SECONDS
    while missing := waited - {json.loads(body)["data"]["id"] for _, _, body in list(hook.received)}:
        if time.monotonic() > deadline:
            honest.wrong.append(f"of {len(missing)} of {len(waited)} honest jobs nobody was told")
            return
        time.sleep(0.5)
    honest.counts["webhook told"] += len(waited)


def _look(stack: Stack, outcome: Outcome) -> None:
    """At what is left: no process, no file."""
    outcome.honest_jobs = sum(stack.job(job_id).name == _HONEST for job_id in stack.accepted)
    outcome.unswept = len(leftovers.before_the_janitor(stack))
    outcome.left = leftovers.after_the_janitor(stack)
    outcome.verdict = judge(stack)  # with the listed files, after the garbage collector
    deadline = time.monotonic() + _SETTLE_SECONDS
    while outcome.children() and time.monotonic() < deadline:
        time.sleep(0.2)
    outcome.verdict.orphans += len(outcome.children())
    with stack.client() as client:
        made = client.get("/jobs", params={"name": "page"}).raise_for_status().json()["jobs"]
    if made:
        outcome.tally.wrong.append(f"{len(made)} jobs of a page elsewhere")
