"""What a spec says of a job's way through the service, not of its training: who waits, who is told, what is kept."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from kd_engine.jobspec.dataset import DatasetSpec
from kd_engine.jobspec.inputs import Input, NetworkInput
from kd_engine.jobspec.networks import ModelChoice
from kd_engine.schema.spec_error import wrong
from kd_engine.schema.strict_model import StrictModel


def _check_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise wrong("bad_url", f"this is not a URL ({error}); expected one like https://example.org/hook.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise wrong("bad_url", "a webhook is an http or https URL with a host, as https://example.org/hook.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise wrong(
            "bad_url", "a webhook's URL holds no user, password or fragment: everyone who reads the job sees it."
        )
    if not url.isascii() or not url.isprintable() or " " in url:
        raise wrong("bad_url", "a URL holds visible ASCII characters alone; encode the others with '%'.")
    return url


class Webhook(StrictModel):
    """Who is told, by a signed POST, that the job has ended."""

    url: Annotated[str, Field(max_length=2000), AfterValidator(_check_url)] = Field(
        description="An http or https URL that answers with a status of 200 to 299."
    )


class ServiceOptions(StrictModel):
    """The keys that every kind of job has."""

    priority: int = Field(
        0, ge=-100, le=100, description="Among its owner's waiting jobs, the one with the highest goes first."
    )
    keep_days: float | None = Field(
        None, gt=0, le=36_500, description="Delete the job so long after its end. Left out: as the service is set."
    )
    webhooks: tuple[Webhook, ...] = Field((), max_length=8, description="Told when the job has ended.")

    @property
    def reads(self) -> DatasetSpec | None:
        """The data set that the job reads."""
        return None

    @property
    def dataset_name(self) -> str:
        """What the job is found by: the data set's name in the catalogue, or the id of one that was sent."""
        return "" if self.reads is None else self.reads.listed_name

    def inputs(self) -> tuple[Input, ...]:
        """The files that it needs besides the data sets of the catalogue."""
        return () if self.reads is None else self.reads.inputs()

    def networks(self) -> tuple[NetworkInput, ...]:
        """Those of them that are networks of other jobs."""
        return tuple(found for found in self.inputs() if isinstance(found, NetworkInput))

    def choices(self) -> dict[str, ModelChoice]:
        """The networks that it builds, by key."""
        return {}

    def with_network(self, network: dict[str, Any]) -> dict[str, Any] | None:
        """The body of a job that would train `network` here: whether that is refused says whether the network, which
        an earlier job trained, fits. None where only the run can tell.
        """
        return None

    def refusal_of_outputs(self, form: str) -> tuple[str, str] | None:
        """Why a network that is no more than its outputs does not do, and at which pointer.

        Args:
            form: of its file: `onnx` or `npz`, the logits of known images.
        """
        return None

    def to_json(self) -> dict[str, Any]:
        """The spec as JSON data, keys that say nothing left out, these last; `model_validate` reads it back."""
        data = self.model_dump(mode="json", exclude_none=True)
        handled = {key: data.pop(key) for key in ServiceOptions.model_fields if key in data}
        return data | handled
