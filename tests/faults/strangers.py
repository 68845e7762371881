"""What strangers do to a service, each thing again and again until told to stop, and what it must answer."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil

from distillery.states import EndReason, JobState
from jobs.artifacts import ArtifactInfo
from kd_engine.jobspec import parse_spec
from tests.faults.lies import GREEDY, Lie, send
from tests.faults.scene import ENDLESS, SHORT
from tests.faults.stack import ROOT, Stack
from tests.worker.hooks import silent

STRANGER, HOARDER = "stranger", "hoarder"  # owners; who hoards files has no places for others
Turn = tuple[Callable[[], None], float]  # what is done, and the seconds between one time and the next
UNFINISHED = 30  # files in parts that are begun and not gone on with
_ANNOUNCED = 50_000_000
_PIECE = b"\0" * 100_000
_PAGE = "https://page.example.org"
_CUT_SECONDS = 90.0  # a body that is too slow is cut off after 30 s


@dataclass
class Tally:
    """How often each thing was done, and what went wrong; for several threads."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1


@contextmanager
def busy(acts: Sequence[Turn], tally: Tally, done: threading.Event) -> Iterator[None]:
    """Each act in a thread of its own, again and again, until the block ends, which sets `done`."""

    def keep_on(act: Callable[[], None], pause: float) -> None:
        while not done.is_set():
            try:
                act()
            except Exception as error:
                tally.wrong.append(f"{type(error).__name__}: {error}")
            done.wait(pause)

    threads = [threading.Thread(target=keep_on, args=act) for act in acts]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


@contextmanager
def connections(stack: Stack, idle: int, hostile: int) -> Iterator[None]:
    """Idle connections and those of `benchmarks.hostile`: half a head, a slow body, a giant head, answers unread."""
    port, path = str(stack.settings.port), f"/jobs/{_job_with_a_file(stack)}"
    command = [sys.executable, "-m", "benchmarks.hostile", port, path, str(idle), str(hostile)]
    command += [stack.keys[STRANGER]] if stack.keys else []
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield
            assert process.poll() is None, "the strangers have died"
        finally:
            process.kill()


def _job_with_a_file(stack: Stack) -> str:
    """A stranger's job that no worker here takes, with a file that takes long to send."""
    with stack.database.write() as repository:
        owner = STRANGER if stack.keys else "local"
        made = repository.create(parse_spec(SHORT | {"resources": {"device": "cuda"}}).resolved(), owner=owner)
        job = repository.claim(made.id, "nobody", 36_000)
        assert job is not None
    path = Path(stack.settings.home) / "big.bin"
    with path.open("wb") as file:
        file.truncate(_ANNOUNCED)
    size, sha256 = stack.store.put(path, key := f"{job.id}/{job.token}/big.bin")
    with stack.database.write() as repository:
        info = ArtifactInfo("big.bin", "result", "application/octet-stream", size, sha256, key)
        repository.list_artifact(job.id, job.token, info)
    return job.id


def liar(stack: Stack, lies: list[Lie], tally: Tally) -> Callable[[], None]:
    """Sends one lie after another."""
    turns, lock = itertools.cycle(lies), threading.Lock()

    def act() -> None:
        with lock:
            lie = next(turns)
        wrong = send(stack, lie, STRANGER)
        if wrong is not None:
            tally.wrong.append(wrong)
            return
        tally.count("greedy check, ended" if lie is GREEDY else "lying file, refused")
        tally.count(f"lie: {lie.reader}, {lie.name}")

    return act


class Unfinished:
    """Begins files in parts, breaks off in the middle of each, and never goes on; `give_up` removes them."""

    def __init__(self, stack: Stack, tally: Tally) -> None:
        self._stack, self._tally, self._begun = stack, tally, deque[str]()

    def act(self) -> None:
        if len(self._begun) >= UNFINISHED:
            return
        with self._stack.client(HOARDER) as client:
            answer = client.post("/uploads")
        if answer.status_code == 429:
            assert answer.json()["code"] == "over_quota", answer.text
            self._tally.count("file begun, refused: too many")
            return
        self._begun.append(upload := answer.raise_for_status().json()["id"])
        with _sending(self._stack, f"PATCH /uploads/{upload}", "Upload-Offset: 0", owner=HOARDER) as connection:
            connection.sendall(_PIECE)
        self._tally.count("file begun and left")

    def give_up(self) -> None:
        with self._stack.client(HOARDER) as client:
            for upload in self._begun:
                client.delete(f"/uploads/{upload}").raise_for_status()


def slow_upload(stack: Stack, tally: Tally, done: threading.Event) -> None:
    """A file of 50 MB, some bytes a second: the service ends it."""
    with _sending(stack, "POST /datasets") as connection:
        connection.settimeout(1.0)
        deadline = time.monotonic() + _CUT_SECONDS
        while not done.is_set():
            assert time.monotonic() < deadline, "a body of some bytes a second was not cut off"
            with suppress(ConnectionError):
                connection.sendall(b"12")
            try:
                answer = connection.recv(2**16)
            except TimeoutError:
                continue
            except ConnectionError:
                answer = b""
            assert not answer or answer.split()[1] in {b"408", b"503"}, answer
            tally.count("slow body, cut off")
            return


@contextmanager
def _sending(stack: Stack, request: str, *more: str, owner: str = STRANGER) -> Iterator[socket.socket]:
    """A connection on which a body of 50 MB was announced."""
    lines = [f"{request} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {_ANNOUNCED}", *more]
    lines += [f"{name}: {value}" for name, value in stack.headers(owner).items()]
    with socket.create_connection(("127.0.0.1", stack.settings.port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        yield connection


def page(stack: Stack, tally: Tally) -> None:
    """What a page of elsewhere has its reader's browser send: it has no key, and knows where it comes from."""
    headers = {"Origin": _PAGE, "Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}
    refusal = (401, "unauthorized") if stack.keys else (403, "origin_not_allowed")
    with stack.client() as client:
        client.headers.pop("Authorization", None)
        for path in ("/jobs", "/uploads", "/datasets?name=page"):
            answer = client.post(path, json=SHORT | {"name": "page"}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == refusal, answer.text
            tally.count("request of a page elsewhere, refused")
        if not stack.keys:
            answer = client.get("/jobs", headers={"Host": "page.example.org"})
            assert (answer.status_code, answer.json()["code"]) == (403, "host_not_allowed"), answer.text
            tally.count("request of a page elsewhere, refused")


def dead_hooks(stack: Stack, tally: Tally, silent_url: str, closed_url: str) -> None:
    """A job that ends at once, and is to tell addresses where nobody answers."""
    hooks = [{"url": f"{url}?{number}"} for number, url in enumerate([silent_url, closed_url, closed_url])]
    spec = SHORT | {"name": "hooks", "webhooks": hooks, "resources": {"device": "cuda"}}
    job_id = stack.submit(spec, owner=STRANGER)
    with stack.client(STRANGER) as client:
        client.post(f"/jobs/{job_id}/cancel").raise_for_status()
    stack.wait_ended(job_id)
    assert stack.job(job_id).state is JobState.CANCELLED
    for _ in hooks:
        tally.count("webhook to a dead address")


@contextmanager
def dead_addresses() -> Iterator[tuple[str, str]]:
    """Where somebody takes connections and says nothing, and where nobody listens."""
    with ExitStack() as exits:
        silent_url = exits.enter_context(silent())
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            closed = f"http://127.0.0.1:{nobody.getsockname()[1]}/hook"
        yield silent_url, closed


def hang(stack: Stack, tally: Tally) -> None:
    """A job whose trainer is stopped whenever it has begun: it is ended, and the job in the end too."""
    job_id = stack.submit(ENDLESS | {"name": "hangs"}, owner=STRANGER)
    deadline = time.monotonic() + 900
    while not (job := stack.job(job_id)).state.terminal:
        assert time.monotonic() < deadline, "a job whose trainer hangs does not end"
        if _begun(stack, job_id):
            for trainer in stack.trainers(job_id):
                with suppress(psutil.NoSuchProcess):
                    if trainer.status() != psutil.STATUS_STOPPED:
                        trainer.suspend()
                        tally.count("SIGSTOP of a trainer")
        time.sleep(0.2)
    assert job.end_reason in {EndReason.STALLED, EndReason.WORKER_LOST}, f"{job.end_reason}: {job.end_detail}"


def _begun(stack: Stack, job_id: str) -> bool:
    """Whether the trainer of this attempt has told of itself."""
    with stack.database.read() as repository:
        kinds = [event.type for event in repository.events(job_id, 0, 10_000)]
    return "claimed" in kinds and "run_started" in kinds[len(kinds) - kinds[::-1].index("claimed") :]


def all_of_it(
    stack: Stack,
    lies: list[Lie],
    tally: Tally,
    unfinished: Unfinished,
    addresses: tuple[str, str],
    done: threading.Event,
) -> list[Turn]:
    """What strangers do beside their `connections`."""
    lying = liar(stack, lies, tally)
    return [
        (lying, 1.0),
        (lying, 1.0),
        (liar(stack, [GREEDY], tally), 20.0),
        (unfinished.act, 2.0),
        (partial(slow_upload, stack, tally, done), 2.0),
        (partial(page, stack, tally), 1.0),
        (partial(dead_hooks, stack, tally, *addresses), 15.0),
        (partial(hang, stack, tally), 20.0),
    ]
