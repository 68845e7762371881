"""What a trainer's processes hold is counted, and it is ended when that is too much: real processes, small limits.

The trainers here are scripts that stand where `worker.attempt.trainer_main` would be found.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs.settings import Settings
from kd_engine.platform.cgroups import MemoryGroup
from kd_engine.schema.events import EpochEnd, Finished, PhaseStarted, RunStarted
from worker import memory_limit
from worker.attempt import trainer_watch
from worker.attempt.process_group import memory_of, use_of
from worker.attempt.trainer_group import TrainerGroup, delegated
from worker.attempt.trainer_process import TrainerProcess
from worker.attempt.trainer_watch import TrainerWatch
from worker.memory_limit import restrict, tell_limit, trainer_memory

_MIB = 2**20
_LIMIT = 64 * _MIB
_WAIT = "sys.stdin.buffer.read()"


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_watch, "_LOOK_SECONDS", 0.02)


Start = Callable[..., tuple[TrainerProcess, TrainerWatch]]


@pytest.fixture
def start(tmp_path: Path, settings: Settings) -> Iterator[Start]:
    """Starts a trainer that is this script, and what watches it."""
    started = []

    def make(script: str, limit: int = _LIMIT) -> tuple[TrainerProcess, TrainerWatch]:
        package = tmp_path / "worker" / "attempt"
        package.mkdir(parents=True)
        for folder in (package.parent, package):
            (folder / "__init__.py").touch()
        (package / "trainer_main.py").write_text(f"import mmap, os, sys, threading, time\n{script}\n")
        trainer = TrainerProcess(tmp_path, 1)
        started.append(trainer)
        # below what settings take
        limited = settings.model_copy(update={"trainer_memory": limit})
        return trainer, TrainerWatch(trainer, tmp_path, limited, "cpu")

    yield make
    for trainer in started:
        trainer.close()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def _ended(trainer: TrainerProcess, watch: TrainerWatch) -> Finished | None:
    with watch:
        _until(lambda: not trainer.running)
    return watch.verdict(None)


def test_a_trainer_that_holds_too_much_is_ended_with_what_it_was_doing(start: Start) -> None:
    trainer, watch = start(f"held = b'x' * {2 * _LIMIT}\n{_WAIT}")
    watch.heard(RunStarted(device="cpu", threads=1))
    watch.heard(PhaseStarted(phase="student", repeat=0, epochs=9))
    watch.heard(EpochEnd(phase="student", repeat=0, epoch=4, epochs=9, metrics={}))
    finished = _ended(trainer, watch)
    assert finished is not None
    assert finished.reason == "out_of_memory"
    assert "of memory while it was training the student (epoch 4); it may hold 64 MiB (KD_TR" in finished.detail
    assert "Try a smaller batch_size" in finished.detail


def test_the_sum_of_its_processes_counts(start: Start) -> None:
    one = f"held = b'x' * {_LIMIT // 2}"
    trainer, watch = start(f"for _ in range(2):\n    if os.fork() == 0:\n        break\n{one}\n{_WAIT}")
    finished = _ended(trainer, watch)
    assert finished is not None
    assert finished.reason == "out_of_memory"


def test_a_mapped_file_larger_than_the_limit_is_no_breach(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "large.npy"
    with file.open("wb") as sparse:
        sparse.truncate(3 * _LIMIT)
    trainer, watch = start(
        f"flags = mmap.MAP_SHARED | mmap.MAP_POPULATE\nfile = os.open({str(file)!r}, os.O_RDONLY)\n"
        f"view = mmap.mmap(file, 0, flags=flags, prot=mmap.PROT_READ)\nopen('read', 'w')\n{_WAIT}"
    )
    with watch:
        _until((tmp_path / "read").exists)
        status = Path(f"/proc/{trainer.pid}/status").read_text()
        time.sleep(0.1)  # several looks
        assert trainer.running
    [resident] = [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS")]
    assert resident > _LIMIT, "the file was not read"
    assert use_of(trainer.pid).memory < _LIMIT


def test_what_processes_share_is_counted_once(start: Start, tmp_path: Path) -> None:
    shared = 40 * _MIB
    trainer, _ = start(
        f"own = b'x' * {shared}\nboth = mmap.mmap(-1, {shared})\nboth[:] = own\n"
        f"if os.fork() == 0:\n    sum(own[::4096]) + sum(both[::4096])\n    open('forked', 'w')\n{_WAIT}"
    )
    _until((tmp_path / "forked").exists)
    use = use_of(trainer.pid)
    assert len(use.processes) == use.tasks == 2
    assert use.memory > 4 * shared
    assert 2 * shared < memory_of(use) < 3 * shared


def test_many_threads_end_it_too(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_watch, "MOST_TASKS", 8)
    trainer, watch = start(
        f"for _ in range(9):\n    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n{_WAIT}"
    )
    finished = _ended(trainer, watch)
    assert finished is not None
    assert finished.reason == "internal_error"
    assert re.search("had (9|10) threads in 1 processes while it was starting; at most 8 are allowed", finished.detail)


def test_one_request_far_above_the_limit_is_refused_by_the_kernel(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_limit, "_headroom", lambda threads: 384 * _MIB)
    trainer, watch = start(f"held = bytearray({16 * _LIMIT})")
    finished = _ended(trainer, watch)
    assert finished is not None
    assert finished.reason == "out_of_memory"
    assert finished.detail.startswith(
        "the trainer ended with exit status 1 when it got no more memory. It was starting"
    )


def test_arrays_in_files_may_be_larger_than_what_the_kernel_lets_it_map(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory_limit, "_headroom", lambda threads: 384 * _MIB)
    large = _LIMIT + 400 * _MIB
    trainer, watch = start(
        "sys.modules.pop('worker')\nimport numpy\nfrom kd_engine.platform.memory_map import mapped\n"
        f"numpy.lib.format.open_memmap('large.npy', 'w+', 'u1', ({large},)).flush()\n"
        "array = mapped(__import__('pathlib').Path('large.npy'))\narray[-1] = 1\n"
        f"bytearray({large})\n"
    )
    finished = _ended(trainer, watch)
    assert finished is not None, "what is no file is refused as before"
    assert "MemoryError" in (tmp_path / "trainer.log").read_text()
    assert "bytearray" in (tmp_path / "trainer.log").read_text().splitlines()[-2]


def test_a_trainer_that_crashes_otherwise_was_just_lost(start: Start) -> None:
    trainer, watch = start("sys.exit('something else')")
    assert _ended(trainer, watch) is None


def test_a_trainer_that_was_through_is(start: Start) -> None:
    trainer, watch = start(f"held = b'x' * {2 * _LIMIT}\n{_WAIT}")
    assert _ended(trainer, watch) is not None
    completed = Finished(reason="completed")
    assert watch.verdict(completed) is completed


@pytest.mark.parametrize(("limit_reached", "reason"), [(True, "out_of_memory"), (False, None)])
def test_a_kill_of_the_kernel_is_known_by_the_containers_own_count(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit_reached: bool, reason: str | None
) -> None:
    events = tmp_path / "memory.events"
    events.write_text("oom 1\noom_kill 1\n")
    monkeypatch.setattr(trainer_watch, "memory_groups", lambda: [MemoryGroup(2, tmp_path, tmp_path)])
    trainer, watch = start(_WAIT)
    with watch:
        events.write_text(f"oom {1 + limit_reached}\noom_kill 2\n")
        subprocess.run(["kill", "-9", str(trainer.pid)], check=True)
        _until(lambda: not trainer.running)
    finished = watch.verdict(None)
    assert (finished and finished.reason) == reason
    if finished is not None:
        assert "at the limit of the worker's container" in finished.detail
    lost = Finished(reason="worker_lost", detail="process 2 of 2 was killed by SIGKILL")
    judged = watch.verdict(lost)
    assert judged is not None
    assert judged.reason == (reason or "worker_lost")


def test_the_kernel_is_told_of_files_and_of_whom_to_take_first() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        restrict(process.pid, None, threads=1)
        limits = Path(f"/proc/{process.pid}/limits").read_text().splitlines()
        first = Path(f"/proc/{process.pid}/oom_score_adj").read_text()
        process.communicate(b"\n")
    [files] = [line.split()[3:5] for line in limits if line.startswith("Max open files")]
    [data] = [line.split()[3:5] for line in limits if line.startswith("Max data size")]
    [space] = [line.split()[3:5] for line in limits if line.startswith("Max address space")]
    assert int(files[0]) <= 4096
    assert data == space == ["unlimited", "unlimited"]
    assert first == "1000\n"


@pytest.mark.parametrize(
    ("memory", "workers", "share"),
    [
        (2048, 1, 2048 - 512),  # a quarter is left to the service
        (8192, 1, 8192 - 640),
        (8192, 4, (8192 - 1024) // 4),
        (65536, 2, (65536 - 4096) // 2),  # a sixteenth
    ],
)
def test_left_to_itself_it_is_a_share_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, memory: int, workers: int, share: int
) -> None:
    monkeypatch.setattr(memory_limit, "machine_memory", lambda: memory * _MIB)
    assert trainer_memory(Settings(workers=workers)) == share * _MIB
    assert trainer_memory(Settings(workers=workers, trainer_memory="3GiB")) == 3 * 2**30


def test_a_limit_that_the_machine_cannot_keep_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(memory_limit, "machine_memory", lambda: 4 * 2**30)
    tell_limit(Settings(workers=3))
    assert not caplog.records
    tell_limit(Settings(workers=3, trainer_memory="1.5GiB"))
    [record] = caplog.records
    assert "1.5 GiB for each of KD_WORKERS=3, and this machine or container has 4.0 GiB" in record.getMessage()


def test_a_group_is_made_only_where_that_was_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "service" / "worker"
    inner.mkdir(parents=True)
    monkeypatch.setattr("worker.attempt.trainer_group.memory_groups", lambda: [MemoryGroup(2, inner, tmp_path)])
    assert delegated() is None
    marked = {inner.parent: b"1"}
    monkeypatch.setattr("os.getxattr", lambda folder, mark: marked[folder])
    assert delegated() == inner.parent
    with pytest.raises(OSError, match="subtree_control"):  # no folder of the kernel's
        TrainerGroup(inner.parent, 1, _LIMIT, 8)
    assert list(inner.parent.iterdir()) == [inner]
