"""Classes and splits from the lists that lie beside pictures."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from kd_engine.intake.archive import Archive, Member
from kd_engine.intake.folder_layout import Layout
from kd_engine.intake.images import check_pictures
from kd_engine.intake.list_columns import Asked
from kd_engine.intake.list_layout import lay_out_with_lists
from kd_engine.schema.errors import DataError
from tests.kd_engine.intake.archives import picture, tarred


class _Files(dict[str, bytes]):
    """An archive in memory."""

    def contents(self, wanted: Iterable[Member]) -> Iterator[tuple[Member, bytes]]:
        yield from ((member, self[member.name]) for member in wanted)


def _of(files: Mapping[str, str], *pictures: str, keep_going: bool = False, **asked: str) -> Layout:
    source = _Files({name: text.encode() for name, text in files.items()} | dict.fromkeys(pictures, b"\xff\xd8\xff"))
    members = [Member.of(name, len(content), lambda content=content: content) for name, content in source.items()]
    return lay_out_with_lists(source, members, 0.2, asked=Asked(**asked), packed=10**6, keep_going=keep_going)


def _where(layout: Layout) -> dict[str, tuple[str, str]]:
    return {placed.member.name: (placed.split, layout.classes[placed.labels[0]]) for placed in layout.placed}


def _classes(layout: Layout) -> dict[str, str]:
    return {name: label for name, (_, label) in _where(layout).items()}


def _csv(*rows: str) -> str:
    return "\n".join(rows) + "\n"


PICTURES = [f"{number}.jpg" for number in range(10)]
NAMES = ["cat", "dog"] * 5
RIGHT = dict(zip(PICTURES, NAMES, strict=True))
MIN = [{"image": f"/data/upload/3/{n:08x}-{p}", "choice": name, "id": n, "annotator": 1}
       for n, (p, name) in enumerate(RIGHT.items())]  # fmt: skip
TASKS = [
    {
        "id": 1,
        "data": {"image": f"/data/local-files/?d=sent/{p}"},
        "annotations": [{"result": [{"from_name": "kind", "type": "choices", "value": {"choices": [name]}}]}],
    }
    for p, name in RIGHT.items()
]
COCO = {
    "images": [{"id": n, "file_name": p} for n, p in enumerate(PICTURES)],
    "annotations": [{"id": n, "image_id": n, "category_id": 3 + (name == "dog")} for n, name in enumerate(NAMES)],
    "categories": [{"id": 3, "name": "cat"}, {"id": 4, "name": "dog"}],
}


@pytest.mark.parametrize(("name", "text"), [
    ("train.csv", _csv("id,label", *(f"{p},{name}" for p, name in RIGHT.items()))),
    ("labels.csv", _csv("image_id,breed", *(f"{p[:-4]},{name}" for p, name in RIGHT.items()))),  # without the suffix
    ("labels.csv", _csv(*(f"{p},{name}" for p, name in RIGHT.items()))),  # without names of columns
    ("labels.csv", _csv('"Image_Name";"Class"', *(f'"{p}";"{name}"' for p, name in RIGHT.items()))),
    ("labels.tsv", _csv("filename\tage\tspecies", *(f"x\\{p}\t7\t{name}" for p, name in RIGHT.items()))),
    ("truth.csv", _csv("image,cat,dog", *(f"{p[:-4]},{float(name == 'cat')},{float(name == 'dog')}"
                                          for p, name in RIGHT.items()))),
    ("_classes.csv", _csv("filename, cat, dog", *(f"{p}, {int(name == 'cat')}, {int(name == 'dog')}"
                                                  for p, name in RIGHT.items()))),
    ("project.csv", _csv("annotation_id,annotator,choice,created_at,id,image", *(
        f"{n},1,{row['choice']},2024,{n},{row['image']}" for n, row in enumerate(MIN)))),
    ("project.json", json.dumps(MIN)),
    ("project.json", json.dumps(TASKS)),
    ("metadata.jsonl", _csv(*(json.dumps({"file_name": p, "label": name}) for p, name in RIGHT.items()))),
    ("labels.json", json.dumps(RIGHT)),
    ("dataset.json", json.dumps({"labels": [[p, name] for p, name in RIGHT.items()]})),
    ("train.json", json.dumps(COCO)),
    ("lists.csv", _csv("path,class id,labels,data set", *(
        f"https://host/a%20b/{p}?size=3,{7 * NAMES.index(name)},{name},train" for p, name in RIGHT.items()))),
])  # fmt: skip
@pytest.mark.parametrize("folder", ["", "pets/images/"])
def test_each_kind_of_list_is_read(folder: str, name: str, text: str) -> None:
    layout = _of({name: text}, *(folder + picture for picture in PICTURES))
    assert _classes(layout) == {folder + picture: label for picture, label in RIGHT.items()}
    assert Counter(split for split, _ in _where(layout).values()) == {"train": 8, "test": 2}
    assert any("classes are those of" in note and f"of '{name}'; its column" in note for note in layout.notes)


def test_a_competition_has_labels_of_train_alone() -> None:
    """Names of test and train are the same; what has no labels is left out and named."""
    train = _csv("id,label", *(f"{p[:-4]},{name}" for p, name in RIGHT.items()))
    others = {"test.csv": _csv("id", "0", "1"), "sample_submission.csv": _csv("id,label", "0,cat", "1,cat")}
    layout = _of({"train.csv": train, **others}, *(f"train/{p}" for p in PICTURES), "test/0.jpg", "test/1.jpg")
    assert _classes(layout) == {f"train/{picture}": name for picture, name in RIGHT.items()}
    assert layout.test_share == 0.2
    said = " ".join(layout.notes)
    assert "the list 'test.csv'" in said
    assert "the list 'sample_submission.csv'" in said
    assert "left out, as no row gives them a label: 2 pictures (2 in 'test'), among them 'test/0.jpg'" in said


def test_each_split_may_have_a_list_of_its_own() -> None:
    """As the Hugging Face hub has it: the same names in each folder, and validation is validation."""
    files, pictures = {}, []
    for split in ("train", "validation", "test"):
        files[f"data/{split}/metadata.csv"] = _csv("file_name,label", "a.jpg,x", "b.jpg,y", "gone.jpg,y")
        pictures += [f"data/{split}/a.jpg", f"data/{split}/b.jpg"]
    layout = _of(files, *pictures)
    assert _where(layout) == {name: (name.split("/")[1], "x" if "a.jpg" in name else "y") for name in pictures}
    for split in ("train", "validation", "test"):
        assert any(f"1 of 3 rows of 'data/{split}/metadata.csv' name" in note for note in layout.notes)


@pytest.mark.parametrize(("column", "value"), [("split", "val"), ("set", "valid"), ("Data_Split", "Validation")])
def test_a_column_says_the_split(column: str, value: str) -> None:
    splits = ["train"] * 6 + [value] * 2 + ["test"] * 2
    rows = (f"{p},{name},{split}" for (p, name), split in zip(RIGHT.items(), splits, strict=True))
    layout = _of({"train.csv": _csv(f"id,label,{column}", *rows)}, *(f"train/{p}" for p in PICTURES))
    assert Counter(split for split, _ in _where(layout).values()) == {"train": 6, "validation": 2, "test": 2}


def test_a_column_that_is_only_called_so_is_told() -> None:
    layout = _of({"a.csv": _csv("id,label,fold", *(f"{p},{name},{p[0]}" for p, name in RIGHT.items()))}, *PICTURES)
    assert "the column 'fold' of 'a.csv' is no split: it holds '0'" in layout.notes


def test_lists_of_two_splits_may_name_pictures_of_one_folder() -> None:
    rows = [f"{p},{name}" for p, name in RIGHT.items()]
    lists = {"train.csv": _csv("id,label", *rows[:6]), "val.csv": _csv("id,label", *rows[6:])}
    where = _where(_of(lists, *(f"train/{p}" for p in PICTURES)))
    assert [split for split, _ in where.values()] == ["train"] * 6 + ["test"] * 4


def test_numbers_are_told_and_sorted_as_numbers() -> None:
    rows = (f"{n}.jpg,{n % 11}.0" for n in range(33))
    layout = _of({"a.csv": _csv("id,level", *rows)}, *(f"{n}.jpg" for n in range(33)))
    assert layout.classes == tuple(map(str, range(11)))
    assert "the labels of 'a.csv' are numbers, and the classes are called so" in layout.notes


def _two(**columns: str) -> dict[str, str]:
    head = "id," + ",".join(columns)
    return {"a.csv": _csv(head, *(f"{p},{','.join(v.split()[n % 2] for v in columns.values())}"
                                  for n, p in enumerate(PICTURES)))}  # fmt: skip


def test_what_is_asked_for_is_taken() -> None:
    rows = (f"x{n},{p},{name},{n % 3}" for n, (p, name) in enumerate(RIGHT.items()))
    files = {"a.csv": _csv("image,where,what,class", *rows), "b.csv": _csv("id,label", "0.jpg,fish", "1.jpg,fish")}
    layout = _of(files, *PICTURES, label_list="a.csv", file_column="where", label_column="what")
    assert _classes(layout) == RIGHT


_FOLDERS = [f"{name}/{p}" for p, name in RIGHT.items()]
_SAME = {"a.csv": _csv("file,label,split", *(f"{name}/{p},{name[0]},{'test' if n > 7 else 'train'}"
                                             for n, (p, name) in enumerate(RIGHT.items())))}  # fmt: skip


def test_folders_and_a_list_that_say_the_same_are_one() -> None:
    layout = _of({"a.csv": _csv("id,label", *(f"{p},{name}" for p, name in RIGHT.items()))}, *_FOLDERS)
    assert layout.classes == ("cat", "dog")
    assert layout.notes[-1] == "the folders name the classes, and 'a.csv' says the same"


def test_a_list_may_add_splits_to_folders() -> None:
    where = _where(_of(_SAME, *_FOLDERS))
    assert [split for split, _ in where.values()] == ["train"] * 8 + ["test"] * 2


def test_folders_alone_are_read_where_that_is_asked_for() -> None:
    assert _of(_SAME, *_FOLDERS, label_list="none").classes == ("cat", "dog")


def test_a_list_that_is_none_of_these_pictures_changes_nothing() -> None:
    layout = _of({"classes.csv": _csv("id,name", "100,cat", "101,dog"), "about.json": '{"a": {}}'}, *_FOLDERS)
    assert layout.classes == ("cat", "dog")
    assert any("classes.csv" in note for note in layout.notes)
    assert any("about.json" in note for note in layout.notes)


PARTS = [f"part_{n // 5}/{p}" for n, p in enumerate(PICTURES)]
ROWS = [f"{p},{name}" for p, name in RIGHT.items()]


@pytest.mark.parametrize(("files", "pictures", "message"), [
    ({"a.csv": _csv("id,label", *ROWS[:5], *ROWS[:5])}, PICTURES,
     "5 of 10 pictures are named by no row .* '5.jpg'.*broken=skip"),
    ({"a.csv": _csv("id,label", *ROWS, "3.jpg,cat")}, PICTURES,
     "different things of 1 pictures: '3.jpg' is 'dog' and 'cat'"),
    (_two(label="a b", breed="x x"), PICTURES, "'label' and 'breed' say different things.*label_column"),
    (_two(size_mm="1 2", colour="x y"), PICTURES, "open which column of 'a.csv' holds the labels: 'size_mm', 'colour'"),
    (_two(target="0.25 1.75"), PICTURES, "numbers with fractions"),
    ({"a.csv": _csv("id,caption", *(f"{p},a {p}" for p in PICTURES))}, PICTURES, "10 different labels in 10 rows"),
    ({"a.csv": _csv("id,cat,dog,fish", *(f"{p},1,{n % 2},0" for n, p in enumerate(PICTURES)))}, PICTURES,
     "3 columns of 0 and 1 .* in 5 of 10 rows .* '1.jpg' has 'cat', 'dog'. One label a picture"),
    ({"a.csv": _csv("id,labels", *ROWS[:-1], "9.jpg,cat|dog")}, PICTURES, "1 of 10 rows .* several .* 'cat', 'dog'"),
    ({"a.json": json.dumps([{"image": p, "choice": {"choices": ["a", "b"]}} for p in PICTURES])}, PICTURES,
     "10 of 10 rows of 'a.json' have several labels in 'choice'"),
    ({"a.csv": _csv("id,label", *ROWS)}, [f"{x}/{p}" for p in PICTURES for x in ("images", "jpg")],
     "'0.jpg' in 'a.csv' may be each of 'images/0.jpg', 'jpg/0.jpg'"),
    ({"a.csv": _csv("id,label", *ROWS)}, PARTS, "folders and list differ: .* lies in 'part_.*label_list=none"),
    ({"train.csv": _csv("id,label", *ROWS)}, [f"train/{p}" for p in PICTURES[1:]] + ["test/0.jpg", "test/1.jpg"],
     "'test/0.jpg' lies in a folder of test, and 'train.csv' says that it is of train"),
    ({"a.csv": _csv("id,label", "x,y", "z")}, PICTURES, "line 3 of 'a.csv' has 1 values, and the first line 2"),
    ({"a.csv": _csv("id,label,label", "x,y,z")}, PICTURES, "two columns called 'label'"),
    ({"a.json": '{"0.jpg": "cat", "0.jpg": "dog"}'}, PICTURES, "holds '0.jpg' twice"),
    ({"a.csv": _csv("number,label", "x,y")}, PICTURES,
     "lies in no folder.*no column of it names pictures that are here"),
    ({"test.csv": _csv("id", *PICTURES)}, PICTURES, "as it has no labels: the list 'test.csv'"),
    ({f"{n}.csv": "" for n in range(21)}, ["x.jpg"], "21 lists lie beside the pictures.*label_list"),
])  # fmt: skip
def test_what_is_open_is_asked_about(files: dict[str, str], pictures: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _of(files, *pictures)


@pytest.mark.parametrize(("asked", "message"), [
    ({"label_list": "b.csv"}, "label_list is 'b.csv', and no such list lies beside the pictures; there are 'a.csv'"),
    ({"file_column": "path"}, "file_column is 'path', and no list has such a column; there are 'id', 'label'"),
    ({"label_column": "Label"}, "label_column is 'Label', and no list has such a column"),
])  # fmt: skip
def test_what_is_asked_for_and_not_there_is_told(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _of({"a.csv": _csv("id,label", *ROWS)}, *PICTURES, **asked)


def test_pictures_without_a_row_are_left_out_where_that_is_asked_for() -> None:
    layout = _of({"a.csv": _csv("id,label", *ROWS[:6], "6.jpg,")}, *PICTURES, keep_going=True)
    assert len(layout.placed) == 6
    assert layout.left_out["pictures that no list names"] == 4
    assert "1 of 7 rows of 'a.csv' have no label, among them '6.jpg'" in layout.notes


def test_text_that_is_not_utf_8_is_told_and_utf_16_is_read() -> None:
    text = _csv("id,label", *ROWS)
    source = _Files({"a.csv": text.encode("utf-16")} | dict.fromkeys(PICTURES, b""))
    members = [Member(name, 1, is_picture=name != "a.csv") for name in source]
    assert _classes(lay_out_with_lists(source, members, 0.2, asked=Asked(), packed=1)) == RIGHT
    source["a.csv"] = text.replace("cat", "Kätzchen").encode("cp1252")
    with pytest.raises(DataError, match=r"'a.csv' is not in UTF-8 \(byte 16\); save it as UTF-8"):
        lay_out_with_lists(source, members, 0.2, asked=Asked(), packed=1)


def test_a_check_writes_the_pictures_that_a_list_names(tmp_path: Path) -> None:
    files = {f"train_images/{n}.png": picture(n) for n in range(10)} | {"test_images/1.png": picture(11)}
    text = _csv("id_code,diagnosis", *(f"{n},{n % 2}" for n in range(10))).encode()
    archive = Archive(tarred(tmp_path / "a.tar.gz", files | {"train.csv": text}), is_tar=True)
    layout = lay_out_with_lists(archive, archive.members, 0.2, asked=Asked(), packed=1)
    found = check_pictures(archive, layout, tmp_path, broken="refuse")
    assert list(found.classes) == ["0", "1"]
    assert list(found.splits["train"].by_class) == [4, 4]
    assert found.left_out == {"not pictures by their content": 1, "pictures that no list names": 1}
    with (tmp_path / "samples.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["class"], row["file"]) for row in rows} == {(str(n % 2), f"train_images/{n}.png") for n in range(10)}
