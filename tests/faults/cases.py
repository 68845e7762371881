"""The cases of docs/reliability.md that need the whole service: each injects its faults and waits for their end.

A case takes a running stack and a scale (1 in `make test`, more in `make chaos`), and asserts what is its own. What
must hold after every case is in verdict.py.
"""

from __future__ import annotations

import hashlib
import random
import resource
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import psutil

from jobs.states import EndReason, JobState
from tests.faults.server import Server
from tests.faults.stack import Stack

# Seconds of training: long enough to be hit in the middle, short enough for many.
SHORT: dict[str, Any] = {
    "dataset": "digits",
    "teacher": {"model": "mnist_cnn", "params": {"channels": [4, 8], "hidden": 32}, "training": {"epochs": 2}},
    "student": {"model": "mlp", "params": {"hidden": [16], "dropout": 0.1}},
    "training": {"epochs": 3, "batch_size": 256},
    "baseline": False,
}
LONG: dict[str, Any] = SHORT | {"student": "resnet20", "training": {"epochs": 12, "batch_size": 128}}
_LONGER: dict[str, Any] = SHORT | {"student": "resnet20", "training": {"epochs": 100, "batch_size": 128}}
_ENDLESS: dict[str, Any] = SHORT | {"student": "resnet20", "training": {"epochs": 400, "batch_size": 128}}


def student_of(stack: Stack, job_id: str) -> str:
    """The sha256 of the job's student."""
    with stack.database.read() as repository:
        return repository.artifact(job_id, "student.safetensors").sha256


def undisturbed(stack: Stack, spec: dict[str, Any]) -> str:
    """The sha256 of the student that `spec` gives when nothing happens."""
    job_id = stack.submit(spec)
    stack.wait_ended(job_id)
    assert stack.job(job_id).state is JobState.SUCCEEDED, stack.job(job_id).end_detail
    return student_of(stack, job_id)


def wait_moving(stack: Stack, job_id: str, epochs: int = 1, seconds: float = 60.0) -> None:
    """Until the job runs and has done so many epochs."""

    def moves() -> bool:
        with stack.database.read() as repository:
            return len(repository.metrics(job_id)) >= epochs

    stack.until(moves, seconds, f"{epochs} epochs of {job_id}")


_FEW_BYTES = 20_000  # a checkpoint is larger
_GIVEN_UP = "another one has the job"  # what a worker writes into its log when its lease is lost


def _no_trainer(stack: Stack, job_id: str) -> bool:
    return not stack.trainers(job_id)


def _in_attempt(stack: Stack, job_id: str, attempt: int) -> bool:
    return stack.job(job_id).attempt == attempt


def _gave_up(worker: Server) -> bool:
    return _GIVEN_UP in worker.tail()


def kills(stack: Stack, scale: int = 1) -> None:
    """Case 1: SIGKILL of the trainer, of its supervisor, of both, at random times.

    Passes when every job succeeds with the student of an undisturbed run, bit for bit. Seen red when a resumed trainer
    does not restore its optimiser.
    """
    expected = undisturbed(stack, LONG)
    draw = random.Random(1)
    for turn in range(2 * scale):
        job_id = stack.submit(LONG)
        wait_moving(stack, job_id)
        time.sleep(draw.uniform(0, 1.5))
        victim = ("trainer", "worker")[turn % 2]
        if victim == "trainer":
            for trainer in stack.trainers(job_id):
                trainer.kill()
        else:
            stack.workers[0].kill()
            stack.until(partial(_no_trainer, stack, job_id), 10, "the trainer to die with its worker")
            stack.workers[0].start()
        stack.count(f"kill -9 of the {victim}")
        stack.wait_ended(job_id)
        job = stack.job(job_id)
        assert job.state is JobState.SUCCEEDED, job.end_detail
        assert student_of(stack, job_id) == expected, "the student is not that of an undisturbed run"


def frozen_worker(stack: Stack, scale: int = 1) -> None:
    """Case 2: SIGSTOP to a worker and its trainer for three leases, then they go on.

    Passes when another worker finishes the job, and the late one notices and writes nothing. Needs two workers. Seen
    red when an attempt neither minds its lease nor names its token.
    """
    for _ in range(scale):
        job_id = stack.submit(_LONGER)
        wait_moving(stack, job_id)
        holder = stack.job(job_id).worker
        frozen = next(worker for worker in stack.workers if holder and holder.endswith(f"-{worker.pid}"))
        trainers = stack.trainers(job_id)
        frozen.freeze()
        for trainer in trainers:
            trainer.suspend()
        stack.count("SIGSTOP of a worker and its trainer")
        stack.until(partial(_in_attempt, stack, job_id, 2), 60, "another worker to take the job")
        time.sleep(stack.settings.lease_seconds)
        before = stack.job(job_id)
        for trainer in trainers:
            with suppress(psutil.NoSuchProcess):
                trainer.resume()
        frozen.thaw()
        # while the job runs: that a job has ended, any attempt would notice
        stack.until(partial(_gave_up, frozen), 5, "the late worker to notice")
        assert stack.job(job_id).state is JobState.RUNNING, "the job was too short to tell"
        stack.wait_ended(job_id)
        after = stack.job(job_id)
        assert after.state is JobState.SUCCEEDED, after.end_detail
        assert after.token == before.token, "the attempt that was frozen got the job back"


def broker(stack: Stack, scale: int = 1) -> None:
    """Case 3: Redis restarted, flushed with jobs waiting and running, frozen.

    Passes when the running job is not disturbed, every waiting one is run, also while Redis is frozen, and POST stays
    under a second. Seen red without an idle worker's own look for work.
    """
    for _ in range(scale):
        running = stack.submit(LONG)
        wait_moving(stack, running)
        waiting = [stack.submit(SHORT) for _ in range(4)]
        _redis(stack, "FLUSHALL")
        stack.count("Redis flushed")
        stack.redis.kill()
        stack.redis.start()
        stack.redis.wait_ready()
        stack.count("Redis killed and restarted")
        stack.redis.freeze()
        stack.count("Redis frozen")
        start = time.monotonic()
        waiting.append(stack.submit(SHORT))
        took = time.monotonic() - start
        time.sleep(3)
        stack.redis.thaw()
        stack.wait_ended(running, *waiting)
        assert stack.job(running).attempt == 1, "the running job was disturbed"
        assert took < 1, f"POST /jobs took {took:.2f} s while Redis was frozen"
        stack.redis.freeze()  # now that the worker has nothing to do, and nobody can tell it that there is work
        stack.count("Redis frozen")
        stack.wait_ended(stack.submit(SHORT))
        stack.redis.thaw()


def _redis(stack: Stack, command: str) -> None:
    import redis

    path = stack.settings.broker_url.removeprefix("redis+socket://")
    with redis.Redis(unix_socket_path=path) as connection:
        connection.execute_command(command)


def database_restart(stack: Stack, scale: int = 1) -> None:
    """Case 4: PostgreSQL stopped in the middle of heartbeats and commits, and started again.

    Passes when the worker keeps training, catches up, and nothing is lost or counted twice. Seen red when the
    supervision does not wait for a database that is away.
    """
    assert stack.postgres is not None
    draw = random.Random(4)
    expected = undisturbed(stack, LONG)
    for turn in range(scale):
        job_id = stack.submit(LONG)
        wait_moving(stack, job_id)
        time.sleep(draw.uniform(0, 1))
        stack.postgres.stop(signal.SIGQUIT if turn % 2 else signal.SIGINT)  # immediate, or with rollbacks
        stack.count("PostgreSQL restarted")
        with stack.client() as client:
            answer = client.get(f"/jobs/{job_id}")
        assert answer.status_code == 503, answer.text
        assert "Retry-After" in answer.headers
        time.sleep(draw.uniform(0, 2))
        stack.postgres.start()
        stack.wait_ended(job_id)
        job = stack.job(job_id)
        assert (job.state, job.attempt) == (JobState.SUCCEEDED, 1), job.end_detail
        assert student_of(stack, job_id) == expected


def api_kills(stack: Stack, scale: int = 1) -> None:
    """Case 5: the api killed within the milliseconds of a POST, which is repeated under its key; one key many times.

    Passes when each key has one job, and there is no job that nobody was told of. Seen red when the key is ignored.
    """
    body = SHORT | {"name": "posted while the api dies", "resources": {"device": "cuda"}}  # no worker here takes it
    draw, made = random.Random(5), list[str]()
    for _ in range(5 * scale):
        post = threading.Thread(target=lambda: made.append(stack.submit(body)))
        post.start()
        time.sleep(draw.uniform(0, 0.03))
        stack.api.kill()
        stack.count("kill -9 of the api")
        stack.api.start()
        stack.api.wait_ready()
        post.join()
    assert len(set(made)) == 5 * scale
    _one_key(stack, 20 * min(scale, 10))
    with stack.client() as client:
        listed = client.get("/jobs", params={"name": str(body["name"]), "page_size": 200}).json()["jobs"]
        assert {job["id"] for job in listed} == set(made), "a job was made that nobody was told of"
        for job_id in made:
            assert client.post(f"/jobs/{job_id}/cancel").status_code == 200


def _one_key(stack: Stack, posts: int) -> None:
    answers: list[str] = []

    def post() -> None:
        with stack.client() as client:
            answer = client.post("/jobs", json=SHORT | {"name": "one key"}, headers={"Idempotency-Key": "one"})
            answers.append(answer.json()["id"])

    threads = [threading.Thread(target=post) for _ in range(posts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == posts
    assert len(set(answers)) == 1
    stack.accepted.append(answers[0])


def repeated_messages(stack: Stack, scale: int = 1) -> None:
    """Case 6: the same message a hundred times, while several workers listen.

    Passes when the job has one attempt. Seen red when a running job can be claimed.
    """
    from api.queue import Doorbell, make_producer

    bell = Doorbell(make_producer(stack.settings.broker_url))
    try:
        for _ in range(scale):
            job_id = stack.submit(LONG)
            for _ in range(100):
                bell.ring(job_id)
            stack.count("a message sent 100 times")
            stack.wait_ended(job_id)
            assert stack.job(job_id).attempt == 1
    finally:
        bell.close()


def always_dies(stack: Stack, scale: int = 1) -> None:
    """Case 8: a job whose trainer is killed each time.

    Passes when it fails at exactly the cap of attempts, with a reason, and the next job runs. Seen red without the cap.
    """
    for _ in range(scale):
        job_id = stack.submit(_ENDLESS)
        following = stack.submit(SHORT)
        deadline = time.monotonic() + 120
        while not stack.job(job_id).state.terminal:
            assert time.monotonic() < deadline
            for trainer in stack.trainers(job_id):
                with suppress(psutil.NoSuchProcess):
                    trainer.kill()
                stack.count("kill -9 of the trainer")
            time.sleep(0.1)
        job = stack.job(job_id)
        assert (job.end_reason, job.lost_attempts) == (EndReason.WORKER_LOST, stack.settings.max_lost_attempts)
        stack.wait_ended(following)
        assert stack.job(following).state is JobState.SUCCEEDED


def cancels(stack: Stack, scale: int = 1) -> None:
    """Case 9: cancel in every state, twice, and racing the end.

    Passes when the trainer is gone within 15 seconds and a terminal state is never overwritten. Seen red when the
    supervision does not hear of the wish.
    """
    draw = random.Random(9)
    with stack.client() as client:
        for _ in range(scale):
            running, queued, paused = stack.submit(_ENDLESS), stack.submit(SHORT), stack.submit(SHORT)
            wait_moving(stack, running)
            assert client.post(f"/jobs/{paused}/pause").status_code == 200
            for job_id in (paused, queued, running):
                assert client.post(f"/jobs/{job_id}/cancel").status_code == (202 if job_id == running else 200)
                assert client.post(f"/jobs/{job_id}/cancel").status_code in {200, 202}
            stack.until(partial(_no_trainer, stack, running), 15, "the trainer to be gone")
            stack.wait_ended(running, queued, paused, seconds=15)
            stack.count("cancelled")
        ends = Counter[str]()
        for _ in range(3 * scale):
            racing = stack.submit(SHORT)
            wait_moving(stack, racing, 3)
            time.sleep(draw.uniform(0, 0.5))
            answer = client.post(f"/jobs/{racing}/cancel")
            stack.wait_ended(racing)
            state = stack.job(racing).state
            ends[state] += 1
            assert answer.status_code in {200, 202, 409}
            assert client.post(f"/jobs/{racing}/cancel").status_code == (200 if state is JobState.CANCELLED else 409)
            assert stack.job(racing).state is state
            stack.count("cancelled at its end")


def pauses(stack: Stack, scale: int = 1) -> None:
    """Case 10: paused and resumed five times.

    Passes when the student is that of an undisturbed run. Seen red when a job that was to pause is queued instead.
    """
    expected = undisturbed(stack, LONG)
    with stack.client() as client:
        for _ in range(scale):
            job_id = stack.submit(LONG)
            for turn in range(5):
                wait_moving(stack, job_id, 1 + 2 * turn)
                if client.post(f"/jobs/{job_id}/pause").status_code == 409:
                    break  # it was faster
                stack.until(partial(_rests, stack, job_id), 20, "the job to be paused")
                stack.count("paused and resumed")
                client.post(f"/jobs/{job_id}/resume")
            stack.wait_ended(job_id)
            job = stack.job(job_id)
            assert (job.state, job.lost_attempts) == (JobState.SUCCEEDED, 0), job.end_detail
            assert student_of(stack, job_id) == expected


def disk_full(stack: Stack, scale: int = 1) -> None:
    """Case 7: the kernel lets the trainer write no more than a few kilobytes to a file.

    Passes when the job ends with `disk_full`, the api stays up, and a retry goes on from the earlier checkpoint to the
    student of an undisturbed run. Seen red when a retry does not look for its predecessor's checkpoint.
    """
    expected = undisturbed(stack, LONG)
    with stack.client() as client:
        for _ in range(scale):
            job_id = stack.submit(LONG)
            wait_moving(stack, job_id, 4)
            for trainer in stack.trainers(job_id):
                resource.prlimit(trainer.pid, resource.RLIMIT_FSIZE, (_FEW_BYTES, _FEW_BYTES))
            stack.count("disk full")
            stack.wait_ended(job_id)
            assert stack.job(job_id).end_reason is EndReason.DISK_FULL, stack.job(job_id).end_detail
            ready = client.get("/readyz")
            assert ready.status_code == 200, ready.text
            again: str = client.post(f"/jobs/{job_id}/retry").json()["id"]
            stack.accepted.append(again)
            stack.wait_ended(again)
            assert stack.job(again).state is JobState.SUCCEEDED, stack.job(again).end_detail
            assert student_of(stack, again) == expected, "the student is not that of an undisturbed run"
            with stack.database.read() as repository:
                started = [event.data for event in repository.events(again, 0, 100) if event.type == "run_started"]
            assert started[0]["resumed"], "the retry began anew"


def cuts(stack: Stack, scale: int = 1) -> None:
    """Case 11: an event stream cut at random, also by a killed api; a download cut at random bytes.

    Passes when the events' numbers have no gaps and none comes twice, and the file has its sha256. Seen red when a
    stream begins at the job's first event whatever it is asked for.
    """
    draw = random.Random(11)
    for _ in range(scale):
        job_id = stack.submit(_LONGER)
        seen: list[int] = []
        for cut in range(10):
            _follow(stack, job_id, seen, draw.randint(1, 8))
            stack.count("stream cut")
            if cut % 5 == 4:
                stack.api.kill()
                stack.api.start()
                stack.api.wait_ready()
                stack.count("kill -9 of the api")
        _follow(stack, job_id, seen, None)
        assert seen == list(range(1, stack.job(job_id).last_event + 1))
        assert _downloaded(stack, job_id, draw) == student_of(stack, job_id)


def _follow(stack: Stack, job_id: str, seen: list[int], count: int | None) -> None:
    """Takes so many more events from the stream, or all that come until it ends."""
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(seen[-1] if seen else 0)}
    with (
        stack.client() as client,
        client.stream("GET", f"/jobs/{job_id}/events", headers=headers, timeout=60) as answer,
    ):
        if answer.status_code == 204:
            return  # the job has ended, and its last event was seen
        assert answer.status_code == 200, answer.status_code
        for line in answer.iter_lines():
            if line.startswith("id:"):
                seen.append(int(line.removeprefix("id:")))
                count = None if count is None else count - 1
            if count == 0:
                return


def _downloaded(stack: Stack, job_id: str, draw: random.Random) -> str:
    """The sha256 of the student, fetched in pieces that break off anywhere."""
    path, got = f"/jobs/{job_id}/artifacts/student.safetensors", b""
    with stack.client() as client:
        size = int(client.head(path).headers["Content-Length"])
        while len(got) < size:
            wanted = len(got) + draw.randint(1, size // 5)
            with client.stream("GET", path, headers={"Range": f"bytes={len(got)}-"}) as answer:
                for piece in answer.iter_bytes(4096):
                    got += piece
                    if len(got) >= wanted:
                        break
            stack.count("download cut")
    return hashlib.sha256(got).hexdigest()


def _rests(stack: Stack, job_id: str) -> bool:
    state = stack.job(job_id).state
    return state is JobState.PAUSED or state.terminal


Case = Callable[[Stack, int], None]
CASES: dict[str, Case] = {
    "kills": kills,
    "frozen-worker": frozen_worker,
    "broker": broker,
    "database-restart": database_restart,
    "api-kills": api_kills,
    "repeated-messages": repeated_messages,
    "always-dies": always_dies,
    "cancels": cancels,
    "pauses": pauses,
    "disk-full": disk_full,
    "cuts": cuts,
}
WORKERS = {"frozen-worker": 2, "repeated-messages": 2}
POSTGRESQL_ONLY = {"database-restart"}
