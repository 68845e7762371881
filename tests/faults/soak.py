"""Many short jobs on several workers while something is killed every few seconds, for as long as asked."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psutil

from tests.faults.scene import SHORT
from tests.faults.stack import Stack

_MIB = 2**20


@dataclass
class Memory:
    """Resident MiB of the api and the workers: the largest after a third of the time, and the largest at the end.

    Processes that were killed meanwhile start small again; a leak shows in those that live on.
    """

    early: float = 0.0
    late: float = 0.0

    @property
    def growth(self) -> float:
        return self.late / self.early if self.early else 0.0


def soak(stack: Stack, jobs: int, minutes: float, say: Callable[[str], None] = print) -> Memory:
    """Submits `jobs` jobs over the first two thirds of the time, and kills at random until it is over.

    The verdict is `verdict.judge`'s once all jobs have ended.
    """
    over = time.monotonic() + 60 * minutes
    memory, done = Memory(), threading.Event()
    killer = threading.Thread(target=_kill_at_random, args=(stack, done))
    killer.start()
    try:
        for number in range(jobs):
            stack.submit(SHORT | {"seed": number % 5, "name": f"soak {number}"})
            pause = over - 20 * minutes - time.monotonic()
            time.sleep(max(0.0, pause / max(jobs - number, 1)))
            _note(stack, memory, early=number < jobs / 2)
        while time.monotonic() < over:
            time.sleep(1)
            _note(stack, memory, early=False)
    finally:
        done.set()
        killer.join()
    say(f"soak: {jobs} jobs submitted, {sum(stack.faults.values())} faults; waiting for the rest")
    stack.wait_ended(seconds=60 * max(minutes, 10))
    return memory


def _kill_at_random(stack: Stack, done: threading.Event) -> None:
    draw = random.Random(15)
    while not done.wait(draw.uniform(2, 6)):
        victim = draw.choice(["trainer", "worker", "worker", "redis", "api", "database"])
        if victim == "trainer":
            with suppress(psutil.NoSuchProcess, IndexError):
                draw.choice(stack.trainers()).kill()
        elif victim == "database":
            if stack.postgres is None:
                continue
            stack.postgres.stop(signal.SIGQUIT)
            time.sleep(draw.uniform(0, 2))
            stack.postgres.start()
        else:
            server = draw.choice(stack.workers) if victim == "worker" else getattr(stack, victim)
            server.kill()
            time.sleep(draw.uniform(0, 1))
            server.start()
            if victim != "worker":
                server.wait_ready()
        stack.count(f"kill -9: {victim}")


def _note(stack: Stack, memory: Memory, *, early: bool) -> None:
    largest = 0.0
    for server in (stack.api, *stack.workers):
        with suppress(psutil.NoSuchProcess):
            if server.running:
                largest = max(largest, psutil.Process(server.pid).memory_info().rss / _MIB)
    if early:
        memory.early = max(memory.early, largest)
    else:
        memory.late = max(memory.late, largest)
