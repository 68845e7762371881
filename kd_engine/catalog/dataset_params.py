"""What a spec says of a data set of the user's own: where it lies, and how it is read. No torch."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from kd_engine.catalog.tasks import IMAGE_CLASSIFICATION, TASKS, TaskName, TaskRow
from kd_engine.schema.strict_model import StrictModel

# each part starts with a letter, a digit or an underscore: no absolute path, no `..`, nothing hidden
_INSIDE = r"^\w[\w. +-]*(/\w[\w. +-]*)*$"
_TEST, _VALIDATION = ("test",), ("val", "validation", "valid")
_LONGEST = 200
DATASET_ID = r"^ds_[0-9A-Za-z]{1,40}$"


def _below_the_data(path: Any) -> Any:
    """Says in words what the pattern means."""
    if isinstance(path, str) and len(path) <= _LONGEST and re.fullmatch(_INSIDE, path) is None:
        absolute = path.startswith(("/", "~", "\\")) or path[1:3] in (":\\", ":/")
        why = "is a path of the machine" if absolute else "is not taken"
        message = (
            f"'{path}' {why}; expected a place below KD_DATA_DIR, as in 'photos' or 'pets/photos', of names that begin "
            "with a letter, a digit or an underscore. Put the data there, or send it with POST /datasets."
        )
        raise PydanticCustomError("string_pattern_mismatch", "{message}", {"message": message})
    return path


Inside = Annotated[str, Field(max_length=_LONGEST, pattern=_INSIDE), BeforeValidator(_below_the_data)]


@dataclass(frozen=True)
class Facts:
    """What is known of a data set's content; None where only reading it will tell.

    Attributes:
        classes: their names, by label.
        shape: channels, height and width of an image.
        train: images in train, those that are held out of it included.
        mean, std: of pixels in [0, 1], one value a channel.
        validation: images in a validation split that the data set brings; None where it is held out of train.
        task: what its labels mean; a row of the catalogue.
    """

    name: str
    classes: tuple[str, ...] | None
    shape: tuple[int, int, int] | None
    train: int | None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    validation: int | None = None
    task: str = IMAGE_CLASSIFICATION

    @property
    def task_row(self) -> TaskRow:
        return TASKS[self.task]

    @property
    def row_size(self) -> int | None:
        """How many numbers the losses of logits compare at once."""
        return self.task_row.row_size or self.num_classes

    @property
    def num_classes(self) -> int | None:
        return None if self.classes is None else len(self.classes)

    @property
    def channels(self) -> int | None:
        return None if self.shape is None else self.shape[0]


class DatasetParams(StrictModel):
    """A data set that needs none."""

    def facts(self, known: Facts) -> Facts:
        """What these parameters add to what is known."""
        return known

    def absence(self, data_dir: Path) -> str | None:
        """What to tell a user whose data is not there; None when it is."""
        return None


class ImageFolderParams(DatasetParams):
    """Pictures in folders, a folder a class, decoded once to the size that is asked for."""

    folder: Inside = Field(description="Folder under KD_DATA_DIR with train/, test/ and val/, or one of both.")
    height: int = Field(ge=1, le=1024, description="Pixels; pictures are resized to this, proportions not kept.")
    width: int = Field(ge=1, le=1024, description="As `height`.")
    channels: Literal[1] | None = Field(None, description="1: in grey. Left out: in colour.")

    def facts(self, known: Facts) -> Facts:
        return replace(known, shape=(self.channels or 3, self.height, self.width))

    def absence(self, data_dir: Path) -> str | None:
        root = inside(data_dir, self.folder)
        if root is None or not root.is_dir():
            return _absence("image_folder", "folder", self.folder, "a folder with train/ and val/ (or test/)")
        needed = {"train": held_split(root, ("train",)), "val or test": held_folders(root)["test"]}
        missing = [names for names, folder in needed.items() if folder is None]
        if missing:
            return f"the folder '{self.folder}' under KD_DATA_DIR has no {' and no '.join(missing)}; add it."
        return None


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise PydanticCustomError("bad_names", "two classes have the same name; give each its own.")
    return names


_Name = Annotated[str, Field(min_length=1, max_length=200)]
_Names = Annotated[tuple[_Name, ...], Field(min_length=2, max_length=100_000), AfterValidator(_distinct)]


class ArraysParams(DatasetParams):
    """Arrays in an .npz file, or in a folder with one .npy file each."""

    path: Inside = Field(description="File (.npz) or folder (of .npy files) under KD_DATA_DIR.")
    classes: _Names | None = Field(None, description="Names of the classes by label; their numbers, if left out.")
    task: TaskName | None = Field(None, description="What the labels mean. Left out: each image has one class.")

    def facts(self, known: Facts) -> Facts:
        return replace(known, classes=self.classes, task=self.task or known.task)

    def absence(self, data_dir: Path) -> str | None:
        place = inside(data_dir, self.path)
        expected = "an .npz file" if self.path.endswith(".npz") else "a folder of .npy files"
        if place is None or not (place.is_file() if self.path.endswith(".npz") else place.is_dir()):
            return _absence("arrays", "path", self.path, expected)
        return None


class UploadedParams(DatasetParams):
    """A data set that was sent with `POST /datasets`. Its id is enough: the service fills in the rest."""

    id: str = Field(pattern=DATASET_ID, description="As `POST /datasets` answered.")
    height: int = Field(ge=1, le=1024, description="Pixels; pictures are resized to this. Left out: as was checked.")
    width: int = Field(ge=1, le=1024, description="As `height`.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of its checked file. Filled in.")
    layout: Literal["image_folder", "arrays"] = Field(description="What its file holds. Filled in.")
    channels: Literal[1, 3] = Field(description="1: in grey, which may be asked of pictures. Left out: as was checked.")
    classes: _Names = Field(description="Names by label. Filled in.")
    train: int = Field(ge=1, description="Images in train. Filled in.")
    validation: int | None = Field(
        None, ge=1, description="Images in the validation split that it brings, if any. Filled in."
    )
    task: TaskName | None = Field(None, description="What its labels mean, if not a class each. Filled in.")

    def facts(self, known: Facts) -> Facts:
        shape = (self.channels, self.height, self.width)
        return replace(
            known,
            classes=self.classes,
            shape=shape,
            train=self.train,
            validation=self.validation,
            task=self.task or known.task,
        )


def inside(data_dir: Path, name: str) -> Path | None:
    """The place that `name` stands for; None where links lead out of what the administrator put there.

    The first part of the name may itself be a link: only who may write to the data folder can have put it there, to
    show a data set that lies elsewhere. Nothing below it leads out of it.
    """
    first = name.split("/", maxsplit=1)[0]
    try:
        root, place = (data_dir / first).resolve(), (data_dir / name).resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name that no file system takes
        return None
    return place if place.is_relative_to(root) else None


def held_split(root: Path, names: tuple[str, ...]) -> Path | None:
    """The first of these folders that `root` holds."""
    return next((root / name for name in names if (root / name).is_dir()), None)


def held_folders(root: Path) -> dict[str, Path | None]:
    """The folders of the other splits beside train: with one of test and val alone, that is the test split."""
    test, validation = held_split(root, _TEST), held_split(root, _VALIDATION)
    return {"validation": validation, "test": test} if test and validation else {"test": test or validation}


def _absence(dataset: str, key: str, name: str, expected: str) -> str:
    return (
        f"the data of '{dataset}' is not present: params.{key} is '{name}', which is not {expected} under KD_DATA_DIR. "
        "Put it there, point KD_DATA_DIR at the folder that holds it, or correct the name."
    )
