from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distillery import Distillery
from distillery.client import uploads
from distillery.client.pack import pack
from distillery.errors import JobEnded, UnknownFormat, UnknownParameter
from distillery.states import EndReason
from tests.api.conftest import Service
from tests.distillery.breaking_proxy import breaking_proxy


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Noise by class, and what a folder has besides."""
    folder = tmp_path / "photos"
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(4):
            pixels = np.random.default_rng(number).integers(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    (folder / ".DS_Store").write_bytes(b"hidden")
    return folder


def packed(folder: Path) -> bytes:
    target = io.BytesIO()
    pack(folder, target)
    return target.getvalue()


def test_a_folder_is_the_same_zip_whenever_it_is_the_same(photos: Path) -> None:
    first = packed(photos)
    (photos / "cat" / "0.png").touch()

    assert packed(photos) == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"photos/{name}/{number}.png" for name in ("cat", "dog") for number in range(4)]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no files"):
        packed(tmp_path)


def test_a_folder_is_sent_in_parts_over_connections_that_break(
    service: Service, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(uploads, "_PART", 1500)
    seen: list[tuple[int, int]] = []
    with breaking_proxy(service.port) as proxy, Distillery(proxy.url, patience=30) as through:
        # within a part, and after one whose answer does not come back
        proxy.budgets = [(3000, 1 << 60), (1 << 60, 1000)]
        sent = through.datasets.push(photos, wait=False, progress=lambda arrived, size: seen.append((arrived, size)))

        assert proxy.cut == 2
        assert (sent.name, sent.info.state) == ("photos", "checking")
        assert packed(photos) in [service.content(key) for key in service.files()]
        assert [arrived for arrived, _ in seen] == sorted(arrived for arrived, _ in seen)
        assert seen[-1] == (len(packed(photos)),) * 2
        assert sent.id in [one.id for one in through.datasets.list()]
        assert not list((tmp_path / "cache" / "distillery" / "uploads").iterdir())


def test_what_an_earlier_program_began_is_gone_on_with(
    distillery: Distillery, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_PART", 500)

    def stop(arrived: int, size: int) -> None:
        if arrived:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distillery.datasets.push(photos, progress=stop)
    seen: list[int] = []
    distillery.datasets.push(photos, "again", wait=False, progress=lambda arrived, _: seen.append(arrived))

    assert seen[0] == 500


def test_what_is_no_data_set_is_refused_in_the_service_s_words(distillery: Distillery, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no pictures")
    with pytest.raises(UnknownFormat, match="Expected a zip"):
        distillery.datasets.push(tmp_path / "notes.txt")
    with pytest.raises(FileNotFoundError):
        distillery.datasets.push(tmp_path / "nothing")


def test_a_check_that_fails_is_told_when_it_is_waited_for(
    distillery: Distillery, service: Service, photos: Path
) -> None:
    (photos / "cat" / "extra.png").write_bytes((photos / "dog" / "1.png").read_bytes())
    sent = distillery.datasets.push(photos, "failing", wait=False)
    service.end(sent.check().id, EndReason.DATA_ERROR)

    with pytest.raises(JobEnded, match="as the test wishes"):
        sent.wait()
    sent.delete()
    assert sent.id not in [one.id for one in distillery.datasets.list()]


def test_a_model_is_sent_with_what_it_is_for(distillery: Distillery, service: Service, tmp_path: Path) -> None:
    np.savez(tmp_path / "logits.npz", train=np.zeros((4, 10), np.float32), test=np.zeros((2, 10), np.float32))
    with pytest.raises(UnknownParameter, match="channels"):
        distillery.models.push(tmp_path / "logits.npz", "digits", chanels="bgr")
    sent = distillery.models.push(tmp_path / "logits.npz", "digits", wait=False)

    assert (sent.name, sent.info.dataset, sent.info.role) == ("logits", "digits", "model")
    assert sent.id in [one.id for one in distillery.models.list()]
    job = sent.job()
    service.publish(job.id, service.start(job.id), "model.safetensors", b"weights", tmp_path)
    assert sent.pull(tmp_path / "pulled.safetensors").read_bytes() == b"weights"
    assert repr(sent.refresh()) == f"<Model {sent.id} 'logits' checking>"
