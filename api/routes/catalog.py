"""What a spec may name."""

from __future__ import annotations

import hashlib

from fastapi import APIRouter, Request, Response

from api.http.etag import quoted, unchanged
from api.http.responses import answer, problems
from distillery.resources import CatalogView
from kd_engine.catalog import catalog

router = APIRouter(tags=["catalog"])
_VIEW = CatalogView.model_validate(catalog())  # fixed once the program runs
_ETAG = quoted(hashlib.sha256(_VIEW.model_dump_json().encode()).hexdigest()[:32])


@router.get(
    "/catalog",
    summary="Models, data sets, losses and the rest",
    responses={200: {"model": CatalogView}, 304: {"description": "Unchanged."}, **problems()},
)
def read_catalog(request: Request) -> Response:
    """Each with the JSON schema of its parameters."""
    headers = {"ETag": _ETAG}
    if unchanged(request.headers.get("if-none-match"), _ETAG):
        return Response(status_code=304, headers=headers)
    return answer(_VIEW, headers=headers)
