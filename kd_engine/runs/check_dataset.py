"""A job of kind `check`: looks at a data set that was sent, and writes it as later jobs read it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from kd_engine.catalog import PREPARED, TASKS
from kd_engine.intake import arrays
from kd_engine.intake import images as folder
from kd_engine.intake.archive import Packed
from kd_engine.intake.folder_layout import Layout
from kd_engine.intake.formats import in_words, sniff
from kd_engine.intake.left_out import left_out
from kd_engine.intake.list_columns import Asked
from kd_engine.intake.list_layout import lay_out_with_lists
from kd_engine.intake.nested import opened
from kd_engine.intake.parquet import PictureTable
from kd_engine.intake.parquet_shards import tables_of
from kd_engine.intake.publishers import arrays_of
from kd_engine.intake.webdataset import lay_out_samples
from kd_engine.jobspec import CheckSpec
from kd_engine.jobspec.inputs import UPLOAD
from kd_engine.platform.files import write_atomically
from kd_engine.runs.context import RunContext
from kd_engine.runs.item_progress import ImageProgress
from kd_engine.schema.errors import DataError, InvalidSpecError
from kd_engine.schema.events import PhaseEnded, PhaseStarted
from kd_engine.schema.manifest import Manifest, SentFile

MANIFEST = "manifest.json"
_ENCODINGS = ("gbk", "shift_jis", "euc_kr", "cp1251", "cp1252")  # of names in zips that say none
_READ = "a zip or tar archive of pictures in a folder for each class or of tables, a parquet table, or arrays as .npz"


def run_check(spec: CheckSpec, context: RunContext) -> tuple[str, ...]:
    """Checks the file that came with the job; returns the names of the artifacts, `manifest.json` among them.

    Raises:
        DataError: the file is no data set; the message names what is wrong with it.
        Interrupted: asked to stop. Nothing is kept: the next attempt starts from the beginning.
    """
    options, emit = context.options, context.emit
    if (upload := options.inputs.get(UPLOAD)) is None:
        raise InvalidSpecError("a check is made by POST /datasets, with the file that it is of.")
    emit(PhaseStarted(phase=spec.kind, repeat=0, epochs=0))
    report = ImageProgress(spec.kind, emit, context.should_stop)
    manifest, names = _check(upload, spec, options.out_dir, report)
    write_atomically(options.out_dir / MANIFEST, json.dumps(manifest.model_dump(mode="json"), indent=2) + "\n")
    images = {f"{split}_images": float(found.images) for split, found in manifest.splits.items()}
    emit(PhaseEnded(phase=spec.kind, repeat=0, source="given", metrics=images))
    return *names, MANIFEST


def _check(
    path: Path, spec: CheckSpec, out_dir: Path, report: Callable[[int, int], None]
) -> tuple[Manifest, tuple[str, ...]]:
    with path.open("rb") as file:
        found = sniff(file)
        what = in_words(file, found, "data set")
    sent = SentFile(format=found, sha256=spec.upload_sha256, bytes=path.stat().st_size)
    if found in ("zip", "tar"):
        with opened(path, out_dir, is_tar=found == "tar", encoding=spec.names_encoding) as archive:
            manifest, names = _check_archive(archive, sent, spec, out_dir, report)
            return manifest.model_copy(update=left_out(archive)), names
    if spec.names_encoding is not None:
        raise DataError(f"names_encoding is of zip and tar archives, and the file is {what}; leave it out.")
    _check_unasked(_asked(spec), what)
    if found == "parquet":
        table = PictureTable.alone(path, several=TASKS[spec.task_name].several)
        return _check_pictures(table, table.layout(spec.test), sent, spec, out_dir, report)
    if found == "npz":
        contents = arrays.check_arrays(path, out_dir, test_share=spec.test, task=spec.task_name, progress=report)
        return Manifest.of(sent, "arrays", contents, spec.task_name), (PREPARED["arrays"], arrays.SHEET)
    raise DataError(f"by its content the file is {what}; expected {_READ}.")


def _check_archive(
    archive: Packed, sent: SentFile, spec: CheckSpec, out_dir: Path, report: Callable[[int, int], None]
) -> tuple[Manifest, tuple[str, ...]]:
    asked, published, several = _asked(spec), arrays_of(archive), TASKS[spec.task_name].several
    if published is not None:
        _check_unasked(asked, "an archive of arrays")
        contents = arrays.check_named(
            published.arrays, out_dir, packed=sent.bytes, test_share=spec.test, task=spec.task_name,
            notes=published.notes, progress=report,
        )  # fmt: skip
        return Manifest.of(sent, "arrays", contents, spec.task_name), (PREPARED["arrays"], arrays.SHEET)
    if (tables := tables_of(archive)) is not None:
        _check_unasked(asked, "an archive of tables")
        with tables.unpacked(out_dir) as shards:
            table = PictureTable(shards, sent.bytes, several=several)
            layout = _noted(table.layout(spec.test), tables.notes)
            return _check_pictures(table, layout, sent, spec, out_dir, report)
    samples = None if asked or several else lay_out_samples(archive, spec.test)
    layout = samples or lay_out_with_lists(
        archive,
        archive.members,
        spec.test,
        asked=asked,
        packed=sent.bytes,
        keep_going=spec.broken == "skip",
        several=several,
    )
    return _check_pictures(archive, _noted(layout, of_names(archive.guessed)), sent, spec, out_dir, report)


def _asked(spec: CheckSpec) -> Asked:
    return Asked(spec.label_list, spec.file_column, spec.label_column)


def _check_unasked(asked: Asked, what: str) -> None:
    if asked:
        raise DataError(
            "label_list, file_column and label_column say how a list beside pictures is read, and the file is "
            f"{what}. Leave them out."
        )


def _check_pictures(
    source: folder.Source, layout: Layout, sent: SentFile, spec: CheckSpec, out_dir: Path,
    report: Callable[[int, int], None],
) -> tuple[Manifest, tuple[str, ...]]:  # fmt: skip
    contents = folder.check_pictures(source, layout, out_dir, broken=spec.broken, progress=report)
    names = (PREPARED["image_folder"], folder.SAMPLES, folder.SHEET)
    return Manifest.of(sent, "image_folder", contents, spec.task_name), names


def _noted(layout: Layout, notes: Iterable[str]) -> Layout:
    return replace(layout, notes=(*layout.notes, *notes))


def of_names(guessed: bytes | None) -> list[str]:
    """What is to be said where nothing says in which encoding the names are."""
    if guessed is None:
        return []
    looks: dict[str, str] = {}
    for code in _ENCODINGS:
        try:
            looks[code] = guessed.decode(code)[:60]
        except UnicodeDecodeError:
            continue
    shown = " or ".join(f"'{name}' in {code}" for code, name in looks.items())
    seen = f" '{guessed.decode('cp437')[:60]}' may be {shown}:" if looks else ""
    return [
        f"names are in an encoding that the archive does not say, and were read as cp437;{seen} to have them right, "
        f"send it again with names_encoding={next(iter(looks), 'gbk')} (or the one that it is), or pack it with names "
        "in UTF-8"
    ]
