"""`python -m benchmarks.server`: the api as `python -m api` serves it, with empty endpoints to compare it with."""

from __future__ import annotations

import sys

from fastapi import FastAPI, Response

from api.__main__ import serve
from api.app.create import create_app
from jobs.settings import Settings

EMPTY, EMPTY_ASYNC = "/benchmark/empty", "/benchmark/empty-async"


def create_benchmark_app(settings: Settings) -> FastAPI:
    """The service's own application and two routes that do nothing: in a thread, as the service's own, and without."""
    app = create_app(settings)

    @app.get(EMPTY)
    @app.post(EMPTY)
    def empty() -> Response:
        return Response(b"{}", media_type="application/json")

    @app.get(EMPTY_ASYNC)
    async def empty_async() -> Response:
        return Response(b"{}", media_type="application/json")

    return app


if __name__ == "__main__":
    settings = Settings()
    serve(create_benchmark_app(settings), settings)
    sys.exit(0)
