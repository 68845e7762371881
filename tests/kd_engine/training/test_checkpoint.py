"""Trees of tensors and values survive a file; a file that is not whole is refused."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kd_engine.schema.errors import DataError
from kd_engine.training.checkpoint import load_tree, optimizer_state, restore_optimizer, save_tree


def test_a_tree_survives(tmp_path: Path) -> None:
    shared = torch.arange(6).reshape(2, 3)
    tree = {"a": [shared, {"b": shared.T}], "empty": {}, "none": None, "pi": 3.14159, "flag": True, "text": "tensor"}
    save_tree(tree, tmp_path / "tree")
    found = load_tree(tmp_path / "tree")
    assert found["a"][0].equal(shared)
    assert found["a"][1]["b"].equal(shared.T)
    assert {key: found[key] for key in ("empty", "none", "pi", "flag", "text")} == {
        key: tree[key] for key in ("empty", "none", "pi", "flag", "text")
    }


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\xff" * 64, (2**63).to_bytes(8, "little") + b"{}"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(DataError, match="not a whole checkpoint"):
        load_tree(tmp_path / "bad")


@pytest.mark.parametrize("make", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
def test_a_restored_optimizer_steps_alike(make: type[torch.optim.Optimizer], tmp_path: Path) -> None:
    """In channels_last, whose memory order a file does not keep."""
    start = torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    options = {"lr": 0.1, "fused": True} | ({"momentum": 0.9} if make is torch.optim.SGD else {})

    def parameter(values: torch.Tensor) -> torch.nn.Parameter:
        return torch.nn.Parameter(values.clone().to(memory_format=torch.channels_last))

    def step(weights: torch.nn.Parameter, optimizer: torch.optim.Optimizer, seed: int) -> None:
        weights.grad = torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(seed))
        weights.grad = weights.grad.to(memory_format=torch.channels_last)
        optimizer.step()

    weights = parameter(start)
    optimizer = make([weights], **options)  # type: ignore[call-arg, arg-type]
    step(weights, optimizer, 1)
    save_tree({"state": optimizer_state(optimizer), "weights": weights}, tmp_path / "c")
    kept = load_tree(tmp_path / "c")
    resumed = parameter(kept["weights"])
    other = make([resumed], **options)  # type: ignore[call-arg, arg-type]
    restore_optimizer(other, kept["state"])
    for seed in (2, 3):
        step(weights, optimizer, seed)
        step(resumed, other, seed)
    assert resumed.equal(weights)


def test_no_room_leaves_the_earlier_checkpoint(tmp_path: Path) -> None:
    """A real write that the kernel refuses: the process may not write files above 64 KiB."""
    save_tree({"epoch": 1}, tmp_path / "c")
    code = (
        "import signal, sys, torch, pathlib\n"
        "from kd_engine.training.checkpoint import save_tree\n"
        "from kd_engine.schema.errors import DiskFullError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "try:\n    save_tree({'big': torch.zeros(10**6)}, pathlib.Path(sys.argv[1]))\n"
        "except DiskFullError as error:\n    print(error)\n"
    )

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536))

    done = subprocess.run(
        [sys.executable, "-B", "-c", code, str(tmp_path / "c")], preexec_fn=limit, capture_output=True, text=True
    )
    assert "no room to write c" in done.stdout, done.stderr
    assert load_tree(tmp_path / "c") == {"epoch": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["c"]
