"""A job that looks at a data set that somebody sent, before anything is trained on it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kd_engine.catalog.tasks import IMAGE_CLASSIFICATION, TaskName
from kd_engine.jobspec.inputs import UPLOAD, Input, UploadInput
from kd_engine.jobspec.inspection import InspectionSpec

Encoding = Literal[
    "gbk", "gb18030", "big5", "shift_jis", "cp932", "euc_jp", "euc_kr", "cp949", "cp437", "cp850", "cp852", "cp866",
    "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1258", "koi8_r", "tis_620",
]  # fmt: skip
"""Of names in archives, as Python calls them."""
NAMES_ENCODING = "Of the names in an archive that says none. Left out: UTF-8, or else cp437, and a note."
LABEL_LIST = "The list (csv, tsv, json, jsonl) that names the classes, or `none`: folders do. Left out: found out."
FILE_COLUMN = "Its column that names the pictures. Left out: found out."
TASK = "What the labels mean, as `tasks` of GET /catalog names it. Left out: each image has one class."
LABEL_COLUMN = "Its column that holds the labels. Left out: found out."


class CheckSpec(InspectionSpec):
    """One check. Made by `POST /datasets`, never by hand: the file comes with it."""

    kind: Literal["check"]
    upload_sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the file that was sent.")
    test: float = Field(0.2, gt=0, lt=1, description="Share of each class to test on, where the file has no splits.")
    broken: Literal["refuse", "skip"] = Field(
        "refuse", description="What becomes of pictures that cannot be decoded: all is refused, or they are left out."
    )
    label_list: str | None = Field(None, min_length=1, max_length=1000, description=LABEL_LIST)
    file_column: str | None = Field(None, min_length=1, max_length=200, description=FILE_COLUMN)
    label_column: str | None = Field(None, min_length=1, max_length=200, description=LABEL_COLUMN)
    names_encoding: Encoding | None = Field(None, description=NAMES_ENCODING)
    task: TaskName | None = Field(None, description=TASK)

    @property
    def task_name(self) -> str:
        """The task, also where none is named."""
        return self.task or IMAGE_CLASSIFICATION

    def inputs(self) -> tuple[Input, ...]:
        return (UploadInput(UPLOAD, self.upload_sha256),)
