"""The application: `python -m api`, or `uvicorn api.app:create_app --factory`."""

from __future__ import annotations

from api.app.create import create_app

__all__ = ["create_app"]
