"""How often a job is repeated with another seed: a number of times, or until its answer is sharp enough."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, GetJsonSchemaHandler, Tag, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from kd_engine.schema.spec_error import wrong
from kd_engine.schema.strict_model import StrictModel

_LOOKS = (3, 5, 7, 10, 15, 20, 30, 50, 70)
FEWEST, MOST = 3, 100


class Until(StrictModel):
    """What ends the repeats."""

    width: float = Field(
        0.01,
        gt=0,
        le=2,
        description="The 95 % interval of distilled less alone is this wide or narrower; 0.01 is one point.",
    )


class RepeatsUntil(StrictModel):
    """Repeats until the verdict is `helped` or `hurt`, the interval is narrow, or there were `at_most` of them."""

    auto: ClassVar[Literal["auto"]] = "auto"
    until: Until = Until()
    at_most: int = Field(10, ge=FEWEST, le=MOST, description="Seeds at most; quotas and estimates count so many.")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if isinstance(value, str):
            if value != cls.auto:
                raise wrong("bad_repeats", 'expected a number of repeats, "auto", or {"until": {"width": 0.01}}.')
            return {}
        return value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"const": cls.auto}, handler(core)]}

    @property
    def looks(self) -> tuple[int, ...]:
        """After how many seeds the intervals are looked at; the last is `at_most`."""
        return (*(seeds for seeds in _LOOKS if seeds < self.at_most), self.at_most)


def _form(value: Any) -> str:
    return "until" if isinstance(value, str | dict | RepeatsUntil) else "count"


Repeats = Annotated[
    Annotated[int, Field(ge=1, le=MOST), Tag("count")] | Annotated[RepeatsUntil, Tag("until")], Discriminator(_form)
]
