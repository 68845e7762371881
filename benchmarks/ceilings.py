"""How much one PostgreSQL, one Redis and one disk give to those who ask without a pause."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from kombu.connection import Connection

from api.dependencies.wakeup_producer import make_producer
from benchmarks import race
from benchmarks.counters import server_seconds
from benchmarks.crowd import TOKEN, Crowd, running_id
from benchmarks.race import Act, Done, Race
from benchmarks.turns import in_turns
from distillery.cli.console import Console
from jobs.artifacts.local import LocalStore
from jobs.database import Database
from jobs.repository import Repository
from jobs.wakeup import QUEUE, TASK
from standalone.guard import Guard
from standalone.redis_server import RedisServer
from standalone.supervisor import Supervisor
from tests.postgres import find_binaries

ACTS: tuple[Act, ...] = (race.renew, race.progress, race.write_log, race.beat, race.sweep, race.look)
# what jobs.repository.attempts.renew asks for, in the words of PostgreSQL's own load client
_RENEWAL = f"""
\\set n random(0, :running - 1)
UPDATE jobs SET lease_expires = floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint + 3600000
WHERE id = '{running_id(0)[:-1]}' || :n AND state = 'running' AND token = {TOKEN}
RETURNING cancel_requested, pause_requested;
"""
_READY_SECONDS = 30.0


def questions(crowd: Crowd, rounds: int) -> None:
    """How long single questions take among many jobs."""
    database = Database(crowd.url)
    watched = [running_id(number) for number in range(crowd.running)]

    def asked(act: Callable[[Repository], object]) -> Callable[[], None]:
        def ask() -> None:
            with database.write() as repository:
                act(repository)

        return ask

    measured = in_turns(
        {
            "look for lost jobs": asked(lambda repository: repository.expire_leases(3)),
            "look for work": asked(lambda repository: repository.claim_next("w", "cpu", 60)),
            "changes of all running jobs": asked(lambda repository: repository.versions(watched)),
            "counts (metrics)": asked(lambda repository: repository.counts()),
        },
        rounds * 5,
    )
    database.dispose()
    print(f"questions among {crowd.running:,} running and {crowd.ended:,} ended jobs, medians of {rounds * 5}")
    for name in measured.seconds:
        print(f"  {name:<30} {1000 * measured.median(name):7.1f} ms")


def rates(crowd: Crowd, racers: Sequence[int], rounds: int, seconds: float = 3.0) -> None:
    """What worker processes do together, with the service's own code: it needs the cores as much as the server."""
    print(
        f"processes that do one thing without a pause, on {os.cpu_count()} cores with the server, medians of {rounds}"
    )
    for act in ACTS:
        _compare(act.__name__, crowd.url, racers, rounds, _raced(crowd, act, seconds))


def claims(crowd: Crowd, racers: Sequence[int], rounds: int) -> None:
    """How fast a queue is emptied: one job after the other, whoever takes it."""
    crowd.gather()

    _compare("claim", crowd.url, racers, rounds, _raced(crowd, race.claim, 600), before=crowd.requeue)


def _raced(crowd: Crowd, act: Act, seconds: float) -> Callable[[int], Done]:
    return lambda count: Race(crowd.url, act, count, seconds).run()


def server_alone(crowd: Crowd, clients: Sequence[int], rounds: int, seconds: int = 3) -> None:
    """Renewals from pgbench, which needs little of the cores: what the server can do."""
    # on the PATH there may be links to the server's own programs alone
    pgbench = (find_binaries() / "postgres").resolve().with_name("pgbench")

    def renewals(count: int) -> Done:
        done = subprocess.run(
            [pgbench, "--no-vacuum", "--protocol=prepared", f"--client={count}", "--jobs=2", f"--time={seconds}",
             f"--define=running={crowd.running}", "--file=/dev/stdin", crowd.url],
            input=_RENEWAL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        found = re.search(r"^number of transactions actually processed: (\d+)", done.stdout, re.MULTILINE)
        if found is None:
            raise RuntimeError(f"pgbench failed: {done.stderr[-2000:]}")
        return Done(int(found[1]), seconds)

    _compare("renewals, by pgbench", crowd.url, clients, rounds, renewals)


def _compare(
    name: str,
    url: str,
    counts: Sequence[int],
    rounds: int,
    work: Callable[[int], Done],
    before: Callable[[], object] = lambda: None,
) -> None:
    """Has so many do the work at once, several times each; prints how fast they were, and what it cost the server."""
    texts, cores = [], []
    for count in counts:
        found = []
        for _ in range(rounds):
            before()
            with server_seconds(url) as computed:
                done = work(count)
            found.append(done.per_second)
            cores.append(1000 * computed[0] / done.count)
        texts.append(f"{count} at once {median(found):7,.0f} ({min(found):,.0f} to {max(found):,.0f})")
    print(f"  {name:<22} a second: {'; '.join(texts)}; {median(cores):.2f} ms of a core in the server")


def rings(count: int, rounds: int) -> None:
    """Through the api's own way to ring, and out of the queue as kombu hears them."""
    with _redis() as url:
        producer = make_producer(url)

        def ring() -> None:
            for number in range(count):
                producer.send_task(TASK, args=[f"job_{number}"], queue=QUEUE, ignore_result=True, retry=False)

        def hear() -> None:
            with Connection(url) as connection, connection.SimpleQueue(QUEUE) as queue:
                for _ in range(count):
                    queue.get(timeout=10).ack()

        measured = in_turns({"rung": ring, "heard": hear}, rounds)
        producer.close()
    print(f"rings of a Redis with an append-only file, one process, medians of {rounds}")
    for name in measured.seconds:
        print(f"  {name:<6} {count / measured.median(name):8,.0f} a second")


@contextmanager
def _redis() -> Iterator[str]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="distillery-benchmark-")))
        redis = stack.enter_context(RedisServer(folder / "redis"))
        supervisor = Supervisor(folder / "logs", Console(sys.stderr, show_children=False), Guard())
        stack.enter_context(supervisor)
        supervisor.start([redis.program(dict(os.environ))])
        supervisor.wait_ready(_READY_SECONDS)
        yield redis.url


def store(folder: Path, megabytes: int, rounds: int) -> None:
    """A file into the local store (copied, hashed, flushed) and out of it, beside a plain copy that is flushed."""
    source, kept = folder / "checkpoint", LocalStore(folder / "artifacts")
    source.write_bytes(os.urandom(2**20) * megabytes)

    def copy() -> None:
        with source.open("rb") as read, (folder / "copy").open("wb") as written:
            shutil.copyfileobj(read, written, 2**20)
            written.flush()
            os.fsync(written.fileno())

    def get() -> None:
        for _ in kept.read("job_1/1/checkpoint"):
            pass

    contestants = {"plain copy": copy, "put": lambda: kept.put(source, "job_1/1/checkpoint"), "get": get}
    measured = in_turns(contestants, rounds)
    print(f"files of {megabytes} MiB in a local folder, medians of {rounds}")
    for name in measured.seconds:
        rate = megabytes * 2**20 / 1e6 / measured.median(name)
        print(f"  {name:<10} {rate:7,.0f} MB/s  {measured.speedup(name, 'plain copy'):5.2f}x")
