"""What users do while things break: post, cancel, pause, follow and download."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from functools import partial

from distillery.states import JobState
from tests.faults.scene import (
    ENDLESS,
    EVENTFUL,
    LONG,
    SHORT,
    check_student,
    no_trainer,
    student_of,
    undisturbed,
    wait_moving,
)
from tests.faults.stack import Stack


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


def cancels(stack: Stack, scale: int = 1) -> None:
    """Case 9: cancel in every state, twice, and racing the end.

    Passes when the trainer is gone within 15 seconds and a terminal state is never overwritten. Seen red when the
    supervision does not hear of the wish.
    """
    draw = random.Random(9)
    with stack.client() as client:
        for _ in range(scale):
            running, queued, paused = stack.submit(ENDLESS), stack.submit(SHORT), stack.submit(SHORT)
            wait_moving(stack, running)
            assert client.post(f"/jobs/{paused}/pause").status_code == 200
            for job_id in (paused, queued, running):
                assert client.post(f"/jobs/{job_id}/cancel").status_code == (202 if job_id == running else 200)
                assert client.post(f"/jobs/{job_id}/cancel").status_code in {200, 202}
            stack.until(partial(no_trainer, stack, running), 15, "the trainer to be gone")
            stack.wait_ended(running, queued, paused, seconds=15)
            stack.count("cancelled")
        for _ in range(3 * scale):
            racing = stack.submit(SHORT)
            wait_moving(stack, racing, 3)
            time.sleep(draw.uniform(0, 0.5))
            answer = client.post(f"/jobs/{racing}/cancel")
            stack.wait_ended(racing)
            state = stack.job(racing).state
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
            check_student(stack, job_id, expected)
            assert stack.job(job_id).lost_attempts == 0


def _rests(stack: Stack, job_id: str) -> bool:
    state = stack.job(job_id).state
    return state is JobState.PAUSED or state.terminal


def cuts(stack: Stack, scale: int = 1) -> None:
    """Case 11: an event stream cut at random, also by a killed api; a download cut at random bytes.

    Passes when the events' numbers have no gaps and none comes twice, and the file has its sha256. Seen red when a
    stream begins at the job's first event whatever it is asked for.
    """
    draw = random.Random(11)
    for _ in range(scale):
        job_id = stack.submit(EVENTFUL)
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
