"""The API's documentation to click through: Swagger UI and ReDoc, from a package, with nothing of any other server.

The pages hold no script and no style of their own, so that a strict Content-Security-Policy lets nothing else in.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.responses import FileResponse, HTMLResponse

from api.http.errors import Problem
from api.http.etag import quoted, unchanged

router = APIRouter(include_in_schema=False)

_PACKAGE = "fastapi_standalone_docs"  # for its files alone: what it does to an application is not used
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{styles}; img-src 'self' data: blob:; connect-src 'self'; "
    "worker-src {workers}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# What ReDoc writes into a page: an empty style that it fills by script, and its scroll bar's.
_REDOC_STYLES = (
    " 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' 'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"
)
_SWAGGER_POLICY = _POLICY.format(styles="", workers="'none'")
_REDOC_POLICY = _POLICY.format(styles=_REDOC_STYLES, workers="blob:")  # it searches in a worker made of its own text
_SWAGGER = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Distillery: the API in Swagger UI</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_REDOC = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Distillery: the API in ReDoc</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="redoc/start.css">
</head>
<body>
<div id="redoc"></div>
<script src="redoc/redoc.standalone.js"></script>
<script src="redoc/start.js"></script>
</body>
</html>
"""
_START = {
    "docs/start.js": """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
  layout: "BaseLayout",
});
""",
    "redoc/start.js": 'Redoc.init("openapi.json", {}, document.getElementById("redoc"));\n',
    "redoc/start.css": "body { margin: 0; }\n",
}
_FILES = {
    "docs/swagger-ui.css": "swagger/swagger-ui.css",
    "docs/swagger-ui-bundle.js": "swagger/swagger-ui-bundle.js",
    "redoc/redoc.standalone.js": "redoc/redoc.standalone.js",
    "redoc/logo-mini.svg": "redoc/logo-mini.svg",
}
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@router.get("/docs")
def swagger_ui() -> Response:
    return HTMLResponse(_SWAGGER, headers={"Content-Security-Policy": _SWAGGER_POLICY})


@router.get("/redoc")
def redoc() -> Response:
    return HTMLResponse(_REDOC, headers={"Content-Security-Policy": _REDOC_POLICY})


@router.get("/docs/{name}")
def swagger_ui_file(name: str, request: Request) -> Response:
    return _file(f"docs/{name}", request)


@router.get("/redoc/{name}")
def redoc_file(name: str, request: Request) -> Response:
    return _file(f"redoc/{name}", request)


def _file(path: str, request: Request) -> Response:
    folder, release = _package()
    headers = {"Cache-Control": "no-cache", "ETag": quoted(f"{request.app.version}-{release}")}
    if path not in _FILES and path not in _START:
        raise Problem("not_found", "There is nothing at this path; /docs lists the paths that exist.")
    if unchanged(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    media_type = _TYPES[Path(path).suffix]
    if path in _START:
        return Response(_START[path], headers=headers, media_type=media_type)
    return FileResponse(folder / "static" / _FILES[path], headers=headers, media_type=media_type)


@cache
def _package() -> tuple[Path, str]:
    """Where the files are, without running the package, and its release."""
    found = find_spec(_PACKAGE)
    assert found is not None, "a dependency"
    assert found.submodule_search_locations, "a package"
    return Path(found.submodule_search_locations[0]), version(_PACKAGE)
