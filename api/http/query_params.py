"""Query parameters: one frozen model for each list, unknown names refused with the nearest known one."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)
from starlette.datastructures import QueryParams

from api.http.errors import Problem
from api.http.own_name import own_name
from distillery.states import JobState
from kd_engine.catalog import DATASETS, MODELS
from kd_engine.catalog.tasks import TaskName
from kd_engine.jobspec.check_dataset import FILE_COLUMN, LABEL_COLUMN, LABEL_LIST, NAMES_ENCODING, TASK, Encoding
from kd_engine.schema.strict_model import nearest

Q = TypeVar("Q", bound="Query")

DEFAULT_PAGE_SIZE = 50
_LABEL = "label."
_MOST_LABELS = 20  # the database joins them, one by one
_LARGEST_NUMBER = 2**63 - 1  # of an integer in the database
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+ -]\d\d:\d\d)", re.ASCII)


class Query(BaseModel):
    """Base of the query models. `labels` collects `label.K=V` where a model has that field."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    takes_labels: ClassVar[bool] = False

    @classmethod
    def read(cls, parameters: QueryParams) -> Self:
        """The checked parameters.

        Raises:
            Problem: 400; an unknown name, one given twice, or a value that is wrong. 422; too many labels.
        """
        values: dict[str, Any] = {}
        labels: dict[str, str] = {}
        for name, value in parameters.multi_items():
            if "\0" in name + value:
                raise _wrong(name, "a query parameter cannot hold the character U+0000.", "bad_character")
            is_label = cls.takes_labels and name.startswith(_LABEL) and len(name) > len(_LABEL)
            key, target = (name.removeprefix(_LABEL), labels) if is_label else (name, values)
            if key in target:
                raise _wrong(name, f"'{name}' is given twice; give it once.", "given_twice")
            if not is_label and key not in cls._names():
                raise _unknown(name, cls._names(), cls.takes_labels)
            target[key] = value
        if len(labels) > _MOST_LABELS:
            message = f"The list is filtered by {len(labels)} labels; at most {_MOST_LABELS} are possible at once."
            raise Problem("too_many_filters", message)
        try:
            return cls.model_validate(values | ({"labels": labels} if cls.takes_labels else {}))
        except ValidationError as error:
            raise _bad_values(error) from None

    @classmethod
    def openapi(cls) -> list[dict[str, Any]]:
        """The parameters as OpenAPI has them."""
        properties = cls.model_json_schema(ref_template="#/components/schemas/{model}")["properties"]
        rows = []
        for name in cls._names():
            schema = dict(properties[name])
            description = schema.pop("description", "")
            rows.append({"name": name, "in": "query", "description": description, "schema": schema})
        if cls.takes_labels:
            text = f"`{_LABEL}K=V`: jobs with the label K of value V; may be given for several K."
            rows.append({"name": f"{_LABEL}K", "in": "query", "description": text, "schema": {"type": "string"}})
        return rows

    @classmethod
    def _names(cls) -> list[str]:
        return [name for name in cls.model_fields if name != "labels"]


def _rfc_3339(value: Any) -> Any:
    if isinstance(value, str):
        if not _RFC_3339.fullmatch(value):
            raise ValueError("expected a time as in RFC 3339 with its offset, like 2026-01-31T12:00:00Z")
        return value[:-6] + value[-6:].replace(" ", "+")  # a "+" that was not escaped arrives as a space
    return value


PageSize = Annotated[int, Field(ge=1, description="Entries on a page; more than the service's limit means the limit.")]
Time = Annotated[AwareDatetime, BeforeValidator(_rfc_3339)]


class SubmitQuery(Query):
    """Of POST /jobs."""

    validate_only: bool = Field(False, description="Check and resolve the spec, and store nothing.")


class ListQuery(Query):
    """Of GET /jobs."""

    takes_labels: ClassVar[bool] = True
    state: JobState | None = Field(None, description="Jobs in this state.")
    name: str | None = Field(None, description="Jobs of exactly this name.")
    dataset: str | None = Field(None, description="Jobs on this data set.")
    student: str | None = Field(None, description="Jobs with this student model.")
    created_after: Time | None = Field(None, description="Jobs made after this time (RFC 3339).")
    page_token: str | None = Field(None, description="`next_page_token` of the page before.")
    page_size: PageSize = DEFAULT_PAGE_SIZE
    labels: dict[str, str] = {}

    def filters_text(self) -> str:
        """What a page token is bound to."""
        return self.model_dump_json(exclude={"page_token", "page_size"})


class PageQuery(Query):
    """Of lists that are not filtered."""

    page_token: str | None = Field(None, description="`next_page_token` of the page before.")
    page_size: PageSize = DEFAULT_PAGE_SIZE


_NAME = "Specs may call it so; of several of one name, the newest is meant. No name of the catalogue."


class DatasetQuery(Query):
    """Of POST /datasets."""

    upload: str | None = Field(
        None, max_length=40, description="The id of a file that came in parts, in place of a body."
    )
    name: Annotated[str, AfterValidator(lambda name: own_name(name, DATASETS, "data set"))] = Field(
        "", max_length=200, description=_NAME
    )
    test: float = Field(
        0.2, gt=0, lt=1, allow_inf_nan=False,
        description="Share of each class to test on, where the file has no splits.",
    )  # fmt: skip
    broken: Literal["refuse", "skip"] = Field(
        "refuse", description="What becomes of pictures that cannot be decoded: all is refused, or they are left out."
    )
    names_encoding: Encoding | None = Field(None, description=NAMES_ENCODING)
    task: TaskName | None = Field(None, description=TASK)
    label_list: str | None = Field(None, min_length=1, max_length=1000, description=LABEL_LIST)
    file_column: str | None = Field(None, min_length=1, max_length=200, description=FILE_COLUMN)
    label_column: str | None = Field(None, min_length=1, max_length=200, description=LABEL_COLUMN)


def _listed(value: Any) -> Any:
    """`a,b,c`; a name that holds a comma is written in double quotes, as in CSV."""
    if not isinstance(value, str):
        return value
    try:
        return next(csv.reader([value], strict=True), [])
    except csv.Error as error:
        raise ValueError(f"expected values with commas between; {error}") from None


_LISTED = WithJsonSchema({"type": "string", "maxLength": 3000})


class ModelQuery(Query):
    """Of POST /models."""

    upload: str | None = Field(
        None, max_length=40, description="The id of a file that came in parts, in place of a body."
    )
    name: Annotated[str, AfterValidator(lambda name: own_name(name, MODELS, "network"))] = Field(
        "", max_length=200, description=_NAME
    )
    dataset: str = Field(max_length=200, description="What the network is for: a data set, by its name or id.")
    height: int | None = Field(None, ge=1, le=1024, description="Of pictures that you sent: as the network takes them.")
    width: int | None = Field(None, ge=1, le=1024, description="As `height`.")
    model: str | None = Field(None, max_length=200, description="Of weights: the network of the catalogue.")
    # a server takes no more than 64 KiB of a URL, and a character may need twelve bytes there
    params: str | None = Field(None, max_length=1000, description="Of `model`, as a JSON object.")
    classes: Annotated[tuple[str, ...] | None, BeforeValidator(_listed), _LISTED] = Field(
        None, description="Which class each output is, with commas between, where that is not the data set's order."
    )
    mean: Annotated[tuple[float, ...] | None, BeforeValidator(_listed), _LISTED] = Field(
        None, description="Of pixels in [0, 1], a value a channel, with commas. Left out: the usual ones are tried."
    )
    std: Annotated[tuple[float, ...] | None, BeforeValidator(_listed), _LISTED] = Field(None, description="As `mean`.")
    channels: Literal["rgb", "bgr"] | None = Field(None, description="The order in which an ONNX model takes them.")


class JobQuery(Query):
    """Of GET /jobs/{id}."""

    wait: float = Field(
        0.0, ge=0, le=60, allow_inf_nan=False,
        description="Seconds to wait for a change: of what `If-None-Match` names, or of the job as it is now.",
    )  # fmt: skip


class EventsQuery(Query):
    """Of GET /jobs/{id}/events."""

    after: int = Field(0, ge=0, le=_LARGEST_NUMBER, description="Events with a number above this.")
    page_size: PageSize = DEFAULT_PAGE_SIZE
    format: Literal["json", "sse"] | None = Field(None, description="Wins over the Accept header.")


class LogsQuery(Query):
    """Of GET /jobs/{id}/logs."""

    after: int = Field(0, ge=0, le=_LARGEST_NUMBER, description="Lines with a number above this.")
    page_size: PageSize = DEFAULT_PAGE_SIZE
    tail: int | None = Field(None, ge=1, description="The last so many lines, at most the service's limit.")
    format: Literal["json", "text"] | None = Field(None, description="Wins over the Accept header.")


class MetricsQuery(Query):
    """Of GET /jobs/{id}/metrics."""

    format: Literal["json", "csv"] | None = Field(None, description="Wins over the Accept header.")


def _unknown(name: str, known: Iterable[str], labels: bool) -> Problem:
    names = [*known, *([f"{_LABEL}K"] if labels else [])]
    hint = nearest(name[:100], names)
    message = f"unknown query parameter '{name}'" + (f"; did you mean '{hint}'?" if hint else ".")
    message += f" Known here: {', '.join(names)}."
    error = {"parameter": name, "message": message, "code": "unknown_parameter"}
    return Problem("unknown_parameter", message, errors=[error])


def _wrong(name: str, message: str, code: str) -> Problem:
    return Problem("bad_parameter", message, errors=[{"parameter": name, "message": message, "code": code}])


def _bad_values(error: ValidationError) -> Problem:
    errors = []
    for detail in error.errors(include_url=False):
        name = str(detail["loc"][0])
        if detail["type"] == "missing":
            errors.append({"parameter": name, "message": f"'{name}' is required.", "code": detail["type"]})
            continue
        message = f"'{name}' is {str(detail['input'])[:100]!r}: {detail['msg'].removeprefix('Value error, ')}."
        errors.append({"parameter": name, "message": message, "code": detail["type"]})
    return Problem("bad_parameter", errors[0]["message"], errors=errors)
