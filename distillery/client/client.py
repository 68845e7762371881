"""`Distillery`: the service as an object."""

from __future__ import annotations

import os
from typing import Self

from distillery.client.datasets import Datasets
from distillery.client.jobs import Jobs
from distillery.client.models import Models
from distillery.client.transport import Transport
from distillery.resources import CatalogView, UsageView

DEFAULT_URL = "http://127.0.0.1:8000"


class Distillery:
    """A client of the service.

        with Distillery() as d:
            job = d.jobs.run(dataset="digits", teacher="mnist_cnn", student="mlp", temperature=4)
            print(job.wait().report().summary)

    Every method raises `distillery.errors.Problem` where the service refuses, in its own words, and `NoAnswer` where it
    cannot be reached.
    """

    def __init__(self, url: str | None = None, api_key: str | None = None, *, patience: float = 60.0) -> None:
        """
        Args:
            url: where the service is; unless given DISTILLERY_URL, or else http://127.0.0.1:8000.
            api_key: unless given DISTILLERY_API_KEY; none where the service asks for none.
            patience: seconds for which a request is tried again while the service is away or busy.

        Raises:
            ValueError: `url` is none.
        """
        url = url or os.environ.get("DISTILLERY_URL") or DEFAULT_URL
        self._transport = Transport(url, api_key or os.environ.get("DISTILLERY_API_KEY") or None, patience)
        self.jobs = Jobs(self._transport)
        self.datasets = Datasets(self._transport)
        self.models = Models(self._transport)

    @property
    def url(self) -> str:
        return self._transport.url

    def catalog(self) -> CatalogView:
        """What a spec may name."""
        return self._transport.get("/catalog", CatalogView)

    def usage(self) -> UsageView:
        """What you have, and may have."""
        return self._transport.get("/usage", UsageView)

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
