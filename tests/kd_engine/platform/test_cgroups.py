"""Where the limits of containers stand, in both versions of control groups, nested or not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kd_engine.platform.cgroups import MemoryGroup, memory_groups
from kd_engine.platform.memory_limit import machine_memory

_UNLIMITED = str(2**63 - 4096)  # version 1 says no limit so


def _process(tmp_path: Path, groups: str, mounts: str) -> Path:
    folder = tmp_path / "self"
    folder.mkdir()
    (folder / "cgroup").write_text(groups)
    (folder / "mountinfo").write_text(mounts.replace("/sys/fs/cgroup", str(tmp_path / "groups")))
    return folder


def _group(tmp_path: Path, path: str, **files: str) -> None:
    folder = tmp_path / "groups" / path
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_a_group_around_the_own_one_may_be_the_tightest(tmp_path: Path) -> None:
    mounts = "30 20 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
    process = _process(tmp_path, "0::/system.slice/distillery.service/worker\n", mounts)
    _group(tmp_path, "system.slice/distillery.service/worker", memory__max="max\n")
    _group(tmp_path, "system.slice/distillery.service", memory__max="3000000\n")
    _group(tmp_path, "system.slice", memory__max="9000000\n")
    [group] = memory_groups(process)
    assert (group.version, group.limit()) == (2, 3_000_000)


def test_a_container_sees_its_group_at_the_root(tmp_path: Path) -> None:
    mounts = "30 20 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n"
    _group(tmp_path, ".", memory__max="5000000\n")
    [group] = memory_groups(_process(tmp_path, "0::/\n", mounts))
    assert group.limit() == 5_000_000


def test_a_path_of_the_hosts_view_is_found_in_the_containers(tmp_path: Path) -> None:
    mounts = (
        "28 20 0:24 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n"
        "29 20 0:25 /docker/abc /sys/fs/cgroup/memory ro master:11 - cgroup cgroup rw,memory\n"
    )
    process = _process(tmp_path, "5:cpu:/docker/abc\n4:memory:/docker/abc/inner\n0::/\n", mounts)
    _group(
        tmp_path, "memory", memory__limit_in_bytes="7000000\n", memory__oom_control="oom_kill_disable 0\noom_kill 2\n"
    )
    _group(tmp_path, "memory/inner", memory__limit_in_bytes=f"{_UNLIMITED}\n")
    [group] = memory_groups(process)
    assert (group.version, group.limit(), group.kills()) == (1, 7_000_000, (0,))
    outer = MemoryGroup(1, group.mount, group.mount)
    assert outer.kills() == (2,)


def test_without_a_limit_or_without_groups_nothing_is_known(tmp_path: Path) -> None:
    mounts = "30 20 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
    _group(tmp_path, ".", memory__max="max\n", memory__events="low 0\nmax 9\noom 3\noom_kill 1\n")
    [group] = memory_groups(_process(tmp_path, "0::/\n", mounts))
    assert (group.limit(), group.kills()) == (None, (3, 1))
    assert memory_groups(tmp_path / "nowhere") == []


def test_the_machine_has_no_more_than_is_built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    built_in = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = machine_memory()
    assert found is not None
    assert 0 < found <= built_in
    monkeypatch.setattr("kd_engine.platform.memory_limit.memory_groups", lambda: [_Limited()])
    assert machine_memory() == 1000


class _Limited:
    def limit(self) -> int:
        return 1000
