"""Workers and trainers that are killed, frozen, or out of room."""

from __future__ import annotations

import random
import resource
import time
from contextlib import suppress
from functools import partial

import psutil

from distillery.states import EndReason, JobState
from tests.faults.scene import ENDLESS, LONG, LONGER, SHORT, check_student, no_trainer, undisturbed, wait_moving
from tests.faults.server import Server
from tests.faults.stack import Stack

_FEW_BYTES = 20_000  # a checkpoint is larger
_GIVEN_UP = "another one has the job"  # what a worker writes into its log when its lease is lost


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
            stack.until(partial(no_trainer, stack, job_id), 10, "the trainer to die with its worker")
            stack.workers[0].start()
        stack.count(f"kill -9 of the {victim}")
        stack.wait_ended(job_id)
        check_student(stack, job_id, expected)


def frozen_worker(stack: Stack, scale: int = 1) -> None:
    """Case 2: SIGSTOP to a worker and its trainer for three leases, then they go on.

    Passes when another worker finishes the job, and the late one notices and writes nothing. Needs two workers. Seen
    red when an attempt neither minds its lease nor names its token.
    """
    for _ in range(scale):
        job_id = stack.submit(LONGER)
        wait_moving(stack, job_id)
        holder = stack.job(job_id).worker
        frozen = next(worker for worker in stack.workers if holder and holder.endswith(f"-{worker.pid}"))
        trainers = stack.trainers(job_id)
        frozen.freeze()
        for trainer in trainers:
            trainer.suspend()
        stack.count("SIGSTOP of a worker and its trainer")
        stack.until(partial(_in_attempt, stack, job_id, 2), 60, "another worker to take the job")
        time.sleep(2 * stack.settings.lease_seconds)
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


def _in_attempt(stack: Stack, job_id: str, attempt: int) -> bool:
    return stack.job(job_id).attempt == attempt


def _gave_up(worker: Server) -> bool:
    return _GIVEN_UP in worker.tail()


def always_dies(stack: Stack, scale: int = 1) -> None:
    """Case 8: a job whose trainer is killed each time.

    Passes when it fails at exactly the cap of attempts, with a reason, and the next job runs. Seen red without the cap.
    """
    for _ in range(scale):
        job_id = stack.submit(ENDLESS)
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


def disk_full(stack: Stack, scale: int = 1) -> None:
    """Case 7: the kernel lets the trainer write no more than a few kilobytes to a file.

    Passes when the job is tried again up to the cap and then ends with `disk_full`, the api stays up, and a retry goes
    on from the earlier checkpoint to the student of an undisturbed run. Seen red when a retry does not look for its
    predecessor's checkpoint.
    """
    expected = undisturbed(stack, LONG)
    with stack.client() as client:
        for _ in range(scale):
            job_id = stack.submit(LONG)
            wait_moving(stack, job_id, 4)
            deadline = time.monotonic() + 120
            while not stack.job(job_id).state.terminal:
                assert time.monotonic() < deadline
                for trainer in stack.trainers(job_id):
                    with suppress(psutil.NoSuchProcess, ProcessLookupError):
                        resource.prlimit(trainer.pid, resource.RLIMIT_FSIZE, (_FEW_BYTES, _FEW_BYTES))
                time.sleep(0.05)
            stack.count("disk full")
            job = stack.job(job_id)
            assert (job.end_reason, job.lost_attempts) == (EndReason.DISK_FULL, stack.settings.max_lost_attempts)
            ready = client.get("/readyz")
            assert ready.status_code == 200, ready.text
            again: str = client.post(f"/jobs/{job_id}/retry").json()["id"]
            stack.accepted.append(again)
            stack.wait_ended(again)
            check_student(stack, again, expected)
            with stack.database.read() as repository:
                started = [event.data for event in repository.events(again, 0, 100) if event.type == "run_started"]
            assert started[0]["resumed"], "the retry began anew"
