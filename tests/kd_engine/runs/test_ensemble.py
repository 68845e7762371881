"""Several networks teach as one: the mean of their probabilities. M members, N images, K classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from kd_engine.__main__ import main
from kd_engine.data.dataset import Dataset, load
from kd_engine.jobspec import DatasetSpec
from kd_engine.networks.network import Architecture, Network, build, ensemble, load_network, save_network
from tests.kd_engine.small_runs import LONG, Recorder, run_spec

SPEC: dict[str, Any] = LONG | {
    "teacher": {"ensemble": [{"job": "job_1"}, {"job": "job_2", "role": "teacher"}]},
    "losses": [{"kind": "kl", "temperature": 3}],
    "student": {"model": "mlp", "params": {"hidden": [16], "dropout": 0.1}},
}
MEMBERS: tuple[tuple[str, dict[str, Any], float], ...] = (("mlp", {"hidden": [8]}, 0.3), ("resnet20", {}, 0.5))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load(DatasetSpec(name="digits").resolved(), tmp_path_factory.mktemp("data"), download=False)


@pytest.fixture
def members(data: Dataset) -> list[Network]:
    """Of different kinds, each with its own normalisation; confident and not of one mind, unlike fresh networks."""
    made = []
    for seed, (model, params, mean) in enumerate(MEMBERS):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = build(Architecture(model, params, data.shape, data.classes, (mean,), (0.1,)))
        with torch.no_grad():
            list(network.module.parameters())[-1].copy_(torch.randn(10, generator=torch.Generator().manual_seed(seed)))
        network.freeze()
        made.append(network)
    return made


@pytest.fixture
def files(members: list[Network], tmp_path: Path) -> tuple[Path, ...]:
    paths = tuple(tmp_path / f"member-{place}.safetensors" for place in range(len(members)))
    for network, path in zip(members, paths, strict=True):
        save_network(network, path, {})
    return paths


def test_its_probabilities_are_the_mean_of_its_members(members: list[Network], data: Dataset) -> None:
    images_NCHW = data.test.images_NCHW[:50]
    whole = ensemble(members)
    whole.freeze()

    given_NK = whole.logits(images_NCHW)

    each_MNK = torch.stack([member.logits(images_NCHW).double().softmax(dim=1) for member in members])
    assert (each_MNK[0] - each_MNK[1]).abs().max() > 0.1
    torch.testing.assert_close(given_NK.double().exp(), each_MNK.mean(dim=0), rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(whole.folded().logits(images_NCHW), given_NK, rtol=1e-4, atol=1e-4)
    assert whole.parameters == sum(member.parameters for member in members)
    assert whole.stages == 0


def test_its_logits_are_finite_where_all_members_rule_a_class_out(data: Dataset) -> None:
    arch = Architecture("softmax_regression", {}, data.shape, data.classes, (0.0,), (1.0,))
    sure = [build(arch), build(arch)]
    for member in sure:
        with torch.no_grad():
            member.module.get_parameter("1.bias").copy_(torch.arange(10) * -1000.0)

    assert bool(ensemble(sure).logits(data.test.images_NCHW[:5]).isfinite().all())


def test_bf16_is_for_the_members_alone(members: list[Network], data: Dataset) -> None:
    images_NCHW = data.test.images_NCHW[:50]
    whole = ensemble(members)
    whole.freeze()
    exact_NK = whole.logits(images_NCHW)

    whole.dtype = torch.bfloat16

    given_NK = whole.logits(images_NCHW)
    assert given_NK.dtype == torch.float32
    torch.testing.assert_close(given_NK.double().exp().sum(dim=1), torch.ones(50).double(), rtol=1e-5, atol=0)
    torch.testing.assert_close(given_NK.exp(), exact_NK.exp(), rtol=0, atol=0.1)


def test_it_is_a_network_file_like_any_other(members: list[Network], data: Dataset, tmp_path: Path) -> None:
    whole = ensemble(members)
    whole.freeze()
    save_network(whole, tmp_path / "whole", {})
    again = load_network(tmp_path / "whole")
    images_NCHW = data.test.images_NCHW[:20]

    assert again.architecture == whole.architecture
    assert again.logits(images_NCHW).equal(whole.logits(images_NCHW))
    assert again.weights_sha256() == whole.weights_sha256()
    assert ensemble(members[::-1]).weights_sha256() != whole.weights_sha256()
    nested = ensemble([again, members[0]])
    nested.freeze()
    save_network(nested, tmp_path / "nested", {})
    assert load_network(tmp_path / "nested").logits(images_NCHW).equal(nested.logits(images_NCHW))


def test_an_ensemble_teaches(files: tuple[Path, ...], data: Dataset, tmp_path: Path) -> None:
    recorder = Recorder()
    out = tmp_path / "out"

    ended = run_spec(SPEC, out, recorder, networks=files)

    assert ended.reason == "completed", ended.detail
    taught = recorder.of("phase_ended")[0]
    whole = ensemble([load_network(file) for file in files])
    right_N = whole.logits(data.test.images_NCHW).argmax(dim=1) == data.test.labels_N
    report = json.loads((out / "report.json").read_text())
    row = report["rows"][0]
    assert (taught.source, row["model"], row["parameters"]) == ("given", "ensemble", whole.parameters)
    assert row["test_accuracy"]["mean"] == pytest.approx(float(right_N.float().mean()), abs=0.003)
    assert report["details"]["teacher"]["flops"] > 0
    assert load_network(out / "teacher.safetensors").weights_sha256() == whole.weights_sha256()


def test_the_cache_of_its_logits_is_named_after_all_members(files: tuple[Path, ...], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    rates = []
    for number, order in enumerate((files, files, files[::-1])):
        out = tmp_path / str(number)
        body = SPEC | {"teacher_cache": "float16", "baseline": False}
        assert run_spec(body, out, networks=order, cache_dir=cache).reason == "completed"
        rates.append(json.loads((out / "report.json").read_text())["teacher_cache"]["0"]["hit_rate"])
    assert rates[0] == rates[2] < 1  # the first epoch found nothing
    assert rates[1] == 1


def test_an_interrupted_run_goes_on_with_it(files: tuple[Path, ...], tmp_path: Path) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    assert run_spec(SPEC, whole, networks=files).reason == "completed"
    assert run_spec(SPEC, halves, Recorder(stop_after=15), networks=files).reason == "interrupted"
    at = halves / "checkpoint.safetensors"
    assert run_spec(SPEC, halves, networks=files, resume_from=at).reason == "completed"
    for name in ("teacher.safetensors", "student.safetensors"):
        assert (halves / name).read_bytes() == (whole / name).read_bytes()


def test_each_member_is_checked(members: list[Network], files: tuple[Path, ...], tmp_path: Path) -> None:
    about = vars(members[0].architecture) | {"classes": tuple("1023456789")}
    save_network(Network(Architecture(**about), members[0].module), tmp_path / "permuted", {})
    ended = run_spec(SPEC, tmp_path / "out", networks=(files[0], tmp_path / "permuted"))
    assert ended.reason == "invalid_spec"
    assert "the teacher 2 of 2 does not fit the data" in ended.detail


def test_too_few_files_are_said(files: tuple[Path, ...], tmp_path: Path) -> None:
    ended = run_spec(SPEC, tmp_path, networks=files[:1])
    assert (ended.reason, "2 networks of other jobs, and 1 files" in ended.detail) == ("invalid_spec", True)


def test_a_job_that_turns_out_an_ensemble_has_no_feature_maps(members: list[Network], tmp_path: Path) -> None:
    """POST refuses it where the other job is known; here only its file tells."""
    save_network(ensemble(members), tmp_path / "whole", {})
    body = LONG | {"teacher": {"job": "job_1"}, "student": "resnet20", "losses": ["at"], "baseline": False}
    ended = run_spec(body, tmp_path / "out", networks=(tmp_path / "whole",))
    assert (ended.reason, "ensembles and plain layers have none" in ended.detail) == ("invalid_spec", True)


def test_the_command_takes_a_file_for_each_member(
    files: tuple[Path, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    asked = ["run", str(tmp_path / "spec.json"), str(tmp_path / "out"), "--threads", "1"]
    assert main([*asked, "--teacher", str(files[0])]) == 2
    assert "/teacher/ensemble/1/job: another job's network" in capsys.readouterr().err
    three = [word for file in (*files, files[0]) for word in ("--teacher", str(file))]
    assert main([*asked, *three]) == 2
    assert "--teacher: 1 more than the spec takes from other jobs" in capsys.readouterr().err
