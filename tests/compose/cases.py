"""What servers live through, one after the other, on one stack. Each case leaves the stack well."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.compose.client import DIGITS, LONG, MNIST, User
from tests.compose.engine import Failed, Stack, run, until

_AWAY_SECONDS = 16  # more than a lease


def digits(stack: Stack) -> None:
    """A digits job."""
    User(stack).wait_succeeded(User(stack).submit(DIGITS))


def mnist(stack: Stack) -> None:
    """An MNIST job, from the stack's data folder or downloaded by the worker."""
    User(stack).wait_succeeded(User(stack).submit(MNIST), seconds=420)


def scaled(stack: Stack) -> None:
    """Three workers take three jobs at the same time."""
    stack.set(KD_WORKERS=3)
    stack.compose("up", "--detach", "--wait", "--no-build")
    user = User(stack)
    job_ids = [user.submit(LONG | {"seed": seed}) for seed in range(3)]
    until(lambda: all(user.job(one)["state"] == "running" for one in job_ids), 60, "three jobs to run at once")
    user.wait_succeeded(*job_ids)
    _require(len({user.workers_of(one)[0] for one in job_ids}) == 3, "two of three jobs went to one worker")


def worker_killed(stack: Stack) -> None:
    """kill -9 from the host to the worker in the middle of a job: another goes on, and the container comes back."""
    with _interrupted(stack) as worker:
        stack.kill_from_host(worker)
    stack.wait_healthy("worker")


def worker_paused(stack: Stack) -> None:
    """The worker stands still for longer than its lease, and comes back to a job that another one has."""
    with _interrupted(stack) as worker:
        run("docker", "pause", worker)
        time.sleep(_AWAY_SECONDS)
        run("docker", "unpause", worker)
    stack.wait_healthy("worker")


def worker_cut_off(stack: Stack) -> None:
    """The worker loses its network for longer than its lease."""
    network = f"{stack.project}_default"
    with _interrupted(stack) as worker:
        run("docker", "network", "disconnect", network, worker)
        time.sleep(_AWAY_SECONDS)
        run("docker", "network", "connect", network, worker)
    stack.wait_healthy("worker")


def out_of_memory(stack: Stack) -> None:
    """A job needs more than its container may have: it fails at once, and says so; the worker lives on."""
    user, workers = User(stack), stack.containers("worker")
    before = stack.inspect(workers[0])["HostConfig"]["Memory"]
    _limit(workers, "200m")
    job_id = user.submit(DIGITS)
    stack.accepted.remove(job_id)  # of those that succeed
    until(lambda: user.job(job_id)["state"] == "failed", 120, "the job to fail")
    _limit(workers, str(before))
    user.judge(job_id)
    job = user.job(job_id)
    _require(job["reason"] == "out_of_memory", f"the reason does not tell of memory: {job['reason']}, {job['detail']}")
    _require(job["attempt"] == 1, f"the job had {job['attempt']} attempts, and none of them could have gone better")
    user.wait_succeeded(user.submit(DIGITS))


def api_killed(stack: Stack) -> None:
    """kill -9 of the api: the job trains on, and a careful client gets its answer."""
    with _undisturbed(stack):
        stack.kill_from_host(stack.containers("api")[0])
        User(stack).submit(DIGITS)
    stack.wait_healthy("api")


def redis_restarted(stack: Stack) -> None:
    """The broker is restarted, and killed: running jobs do not notice, new ones are found."""
    _restarted(stack, "redis")


def postgres_restarted(stack: Stack) -> None:
    """The database is restarted, and killed: the trainer goes on meanwhile."""
    _restarted(stack, "postgres")


def down_and_up(stack: Stack) -> None:
    """The whole stack goes down in the middle of a job and comes up again; the job goes on from its checkpoint."""
    user = User(stack)
    job_id = user.submit(LONG)
    user.wait_epochs(job_id)
    stack.compose("down")
    stack.compose("up", "--detach", "--wait", "--no-build")
    user.wait_succeeded(job_id)
    why = user.why_requeued(job_id)
    _require(len(why) == 1 and "stopped as asked" in why[0], f"the job was not handed back once: {why}")


CASES: dict[str, Callable[[Stack], None]] = {
    case.__name__.replace("_", "-"): case
    for case in (
        digits,
        mnist,
        scaled,
        worker_killed,
        worker_paused,
        worker_cut_off,
        out_of_memory,
        api_killed,
        redis_restarted,
        postgres_restarted,
        down_and_up,
    )
}  # fmt: skip


def data_for(folder: Path, source: Path | None) -> Path | None:
    """A folder that containers can read, with MNIST of `source`; None where there is none, and workers download it."""
    files = sorted((source / "MNIST" / "raw").glob("*.gz")) if source else []
    for file in files:
        target = folder / "MNIST" / "raw" / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    return folder if files else None


@contextmanager
def _interrupted(stack: Stack) -> Iterator[str]:
    """A job whose worker meets with something in the block; afterwards it was finished by a second attempt."""
    user = User(stack)
    job_id = user.submit(LONG)
    user.wait_epochs(job_id)
    yield user.workers_of(job_id)[-1].rpartition("-")[0]  # a container's host name is its id
    user.wait_succeeded(job_id)
    _require(len(user.workers_of(job_id)) >= 2, "the job never changed hands: it was over before the fault")


@contextmanager
def _undisturbed(stack: Stack) -> Iterator[None]:
    """A job in whose middle the block happens; it ends well, and in its first attempt."""
    user = User(stack)
    job_id = user.submit(LONG)
    user.wait_epochs(job_id)
    yield
    user.wait_succeeded(*stack.accepted)
    _require(len(user.workers_of(job_id)) == 1, "the job changed hands, though its worker was well")


def _restarted(stack: Stack, service: str) -> None:
    """As one asks for it and as it happens, each time with a job sent just after."""
    with _undisturbed(stack):
        stack.compose("restart", service)
        User(stack).submit(DIGITS)
        stack.wait_healthy(service)
        stack.kill_from_host(stack.containers(service)[0])
        User(stack).submit(DIGITS)
    stack.wait_healthy(service)


def _limit(containers: list[str], memory: str) -> None:
    run("docker", "update", "--memory", memory, "--memory-swap", memory, *containers)


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Failed(otherwise)
