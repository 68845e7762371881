"""The manifest of a data set: what its check has found."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import ConfigDict, Field

from kd_engine.schema.document import Document, Versioned

MANIFEST_VERSION = 2
SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")


class SplitCount(Document):
    images: int
    by_class: tuple[int, ...] = Field(description="In the order of `classes`.")


class Spread(Document):
    """Of a side of the pictures, in pixels."""

    smallest: int
    median: int | float
    largest: int


class Copy(Document):
    """One of several pictures with the same pixels."""

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)
    split: str
    class_name: str = Field(alias="class")
    file: str


class CopyGroups(Document):
    """Groups of pictures with the same pixels: how many, and the first of them."""

    count: int
    listed: tuple[tuple[Copy, ...], ...]


class Copies(Document):
    pictures: int = Field(description="Those that come again after their first.")
    across_splits: CopyGroups = Field(description="In train and test, which makes a test too easy.")
    under_two_classes: CopyGroups


class BrokenPicture(Document):
    file: str
    why: str


class BrokenPictures(Document):
    """Pictures that were left out: how many, and the first of them."""

    count: int
    listed: tuple[BrokenPicture, ...]


class Contents(Document):
    """What the pictures are, whatever file they came in."""

    classes: tuple[str, ...]
    splits: dict[SplitName, SplitCount] = Field(description="Without `validation` each job holds images out of train.")
    channels: int
    sizes: dict[Literal["height", "width"], Spread]
    default_size: tuple[int, int] = Field(description="Height and width where a job names none.")
    mean: tuple[float, ...] = Field(description="Of train's pixels in [0, 1], a channel each.")
    std: tuple[float, ...]
    duplicates: Copies
    broken: BrokenPictures
    left_out: dict[str, int] = Field(description="Files that are not used, by what they are: how many.")
    left_out_files: dict[str, tuple[str, ...]] = Field({}, description="The first of them, by what they are.")
    notes: tuple[str, ...] = Field(description="What its sender should know.")


class SentFile(Document):
    """The file that was sent."""

    format: str
    sha256: str
    bytes: int


class Manifest(Contents, SentFile, Versioned):
    """`manifest.json` of a check."""

    version: int = Field(MANIFEST_VERSION, description=Versioned.model_fields["version"].description)
    task: str = Field("image_classification", description="As `tasks` of GET /catalog names it.")
    layout: Literal["image_folder", "arrays"]

    @classmethod
    def of(
        cls,
        sent: SentFile,
        layout: Literal["image_folder", "arrays"],
        contents: Contents,
        task: str = "image_classification",
    ) -> Self:
        return cls(**dict(sent), **dict(contents), layout=layout, task=task)
