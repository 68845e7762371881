"""The client of the service's HTTP API, for programs: `from distillery import Distillery`."""

from __future__ import annotations

from distillery.client.client import Distillery
from distillery.client.datasets import Dataset
from distillery.client.jobs import Job
from distillery.client.models import Model

__all__ = ["Dataset", "Distillery", "Job", "Model"]
