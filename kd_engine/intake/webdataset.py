"""Pictures with a file of the same name beside each that holds its label, as WebDataset's shards have them:
`000.jpg` and `000.cls`, or `000.json` with a label in it.

A sample is what has the same name up to the first dot of its last part. A shard's name may say its split.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from kd_engine.intake.archive import Member, Packed
from kd_engine.intake.folder_layout import Found, Layout, by_class, by_split, find
from kd_engine.intake.split_names import Split, splits_in
from kd_engine.platform.file_names import one_spelling
from kd_engine.schema.errors import DataError

_KEYS = ("label", "cls", "class")
_MOST_LABEL_BYTES = {"cls": 1000, "json": 2**20}
_LONGEST_LABEL = 1000
_SHOWN = 5


def lay_out_samples(archive: Packed, test_share: float) -> Layout | None:
    """Where the pictures of an archive of samples go; None where it is none.

    Raises:
        DataError: a picture has no label, or two, or it is open which split it is of.
    """
    found = find(archive.members)
    labels = _label_files(archive, found.pictures)
    if labels is None:
        return None
    pictures, aside = _one_a_sample(found.pictures)
    _check_labelled(pictures, labels)
    wanted = [labels[_key(member.name)[0]] for member in pictures]
    texts: dict[str, str] = {}
    kept: dict[str, str] = {}  # the same text in many samples is held once
    for member, content in archive.contents(dict.fromkeys(wanted)):
        text = _label(content, member.name)
        texts[member.name] = kept.setdefault(text, text)
    names = [(texts[member.name],) for member in wanted]
    splits = [_split(member.name) for member in pictures]
    left_out = Counter(found.left_out)
    left_out["not pictures by their content"] -= len(wanted)
    if aside:
        left_out["other pictures of a sample"] = aside
    chosen = Found(pictures, found.foreign, found.aside, +left_out)
    if not any(splits):
        return by_class(chosen, names, test_share)
    unsaid = [member.name for member, split in zip(pictures, splits, strict=True) if split is None]
    if unsaid:
        raise DataError(f"'{unsaid[0]}' is of no split, and others are; name the split of each shard, or of none.")
    return by_split(chosen, splits, names)


def _key(name: str) -> tuple[str, str]:
    """A sample's name, and what follows its first dot."""
    folder, slash, file = name.rpartition("/")
    stem, _, end = file.partition(".")
    return f"{folder}{slash}{stem}", end.lower()


def _label_files(archive: Packed, pictures: Sequence[Member]) -> dict[str, Member] | None:
    """By sample, the file that holds its label; None where there are no such files."""
    samples = {_key(member.name)[0] for member in pictures}
    by_end: dict[str, dict[str, Member]] = {"cls": {}, "json": {}}
    for member in archive.members:
        sample, end = _key(member.name)
        if end in by_end and sample in samples and not member.is_picture:
            by_end[end][sample] = member
    if by_end["cls"]:
        return by_end["cls"]
    # annotations in JSON lie beside pictures in the folders of their classes too
    places = {tuple(part for part in member.name.split("/")[:-1] if not splits_in(part)) for member in pictures}
    files = by_end["json"]
    if len(places) != 1 or 2 * len(files) < len(samples):
        return None
    first = next(iter(files.values()))
    if first.size > _MOST_LABEL_BYTES["json"]:
        return None
    says = any(key in _object(content) for _, content in archive.contents([first]) for key in _KEYS)
    return files if says else None


def _one_a_sample(pictures: Iterable[Member]) -> tuple[list[Member], int]:
    """The picture of each sample, and the number of others (`000.seg.png` beside `000.jpg`)."""
    by_sample: dict[str, list[Member]] = defaultdict(list)
    for member in pictures:
        by_sample[_key(member.name)[0]].append(member)
    chosen, aside = [], 0
    for members in by_sample.values():
        plain = [member for member in members if "." not in _key(member.name)[1]] if len(members) > 1 else members
        if len(plain) != 1:
            raise DataError(
                f"'{members[0].name}' and '{members[1].name}' are two pictures of one sample; which is meant? Leave "
                "out the other."
            )
        chosen += plain
        aside += len(members) - 1
    return chosen, aside


def _check_labelled(pictures: Sequence[Member], labels: dict[str, Member]) -> None:
    lost = [member.name for member in pictures if _key(member.name)[0] not in labels]
    if lost:
        raise DataError(
            f"{len(lost):,} of {len(pictures):,} pictures have no file with their label beside them, as others have "
            f"('{next(iter(labels.values())).name}'), among them {', '.join(lost[:_SHOWN])}. Add them, or leave those "
            "pictures out."
        )
    for member in labels.values():
        most = _MOST_LABEL_BYTES[_key(member.name)[1]]
        if member.size > most:
            raise DataError(f"'{member.name}' has {member.size:,} bytes; a label takes no more than {most:,}.")


def _label(content: bytes, name: str) -> str:
    if _key(name)[1] == "cls":
        value: object = content.decode("utf-8-sig", "replace").strip()
    else:
        sample = _object(content)
        value = next((sample[key] for key in _KEYS if key in sample), None)
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not 0 < len(str(value)) <= _LONGEST_LABEL:
        raise DataError(
            f"'{name}' holds no label; expected a number or the name of a class"
            f"{'' if _key(name)[1] == 'cls' else ' under ' + ', '.join(_KEYS)}."
        )
    return one_spelling(str(value))


def _object(content: bytes) -> dict[str, object]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _split(name: str) -> Split | None:
    """As the folders of a picture say it; an archive in the archive is a folder of its name."""
    found = {split: folder for folder in name.split("/")[:-1] for split in splits_in(folder)}
    if len(found) > 1:
        raise DataError(f"'{name}' lies in {' and '.join(dict.fromkeys(found.values()))}: which is its split?")
    return next(iter(found), None)
