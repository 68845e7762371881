"""The images: how long they take to build, how large they are, what is not in them; and what the stack refuses."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from cyclonedx.model.component import ComponentType

from deploy import sbom
from tests.compose.engine import SERVICES, Failed, Stack, run

_LARGEST_API = 250_000_000  # bytes
_TOOLS = ("gcc", "cc", "g++", "make", "pip", "perl", "apt-get", "curl")


def build(stack: Stack) -> Iterator[str]:
    """Builds both images from nothing, and again after a change of the code."""
    began = time.monotonic()
    stack.compose("build", "--no-cache", seconds=3600)
    yield f"build from nothing: {time.monotonic() - began:.0f} s"
    with (stack.folder / "kd_engine" / "__init__.py").open("a") as file:
        file.write("# a change\n")
    began = time.monotonic()
    stack.compose("build")
    yield f"build after a change of the code: {time.monotonic() - began:.0f} s"


def check_images(stack: Stack) -> Iterator[str]:
    """Nobody is root, nothing can be built or installed inside, and the API has no torch; raises Failed."""
    for service in SERVICES:
        image = json.loads(run("docker", "image", "inspect", stack.image(service)))[0]
        yield f"image of {service}: {image['Size'] / 1e6:,.0f} MB"
        if service == "api" and image["Size"] >= _LARGEST_API:
            raise Failed(f"the image of the api has {image['Size']:,} bytes; {_LARGEST_API:,} are too many")
        if image["Config"]["User"] in {"", "0", "root"}:
            raise Failed(f"the image of {service} runs as root")
        _lacks_tools(stack.image(service))
        yield _listed(stack.image(service))
    look = "import importlib.util as find; print(find.find_spec('torch'))"
    if _inside(stack.image("api"), "python", "-c", look) != "None":
        raise Failed("there is a torch in the image of the api")


def _lacks_tools(image: str) -> None:
    found = _inside(image, "sh", "-c", "; ".join(f"command -v {tool}" for tool in _TOOLS) + "; true").split()
    if found:
        raise Failed(f"{image} has {', '.join(found)} inside")


def _listed(image: str) -> str:
    """Its bill of materials, which is validated as it is made, and the licence texts that it asks for."""
    components = sbom.of_image(image)
    document = sbom.document(image, components, ComponentType.CONTAINER)
    missing = {"python", "libc6", "pydantic", "psycopg"} - {one.name for one in components}
    if missing:
        raise Failed(f"the list of what is in {image} lacks {', '.join(missing)}")
    _inside(image, "test", "-s", "/usr/share/doc/libc6/copyright")
    return f"{image}: {len(components)} packages of Python and Debian, {len(document):,} bytes of CycloneDX"


def _inside(image: str, program: str, *arguments: str) -> str:
    return run("docker", "run", "--rm", "--network", "none", "--entrypoint", program, image, *arguments).strip()


def refuses(stack: Stack) -> Iterator[str]:
    """Without passwords or keys the stack does not start, and says what is missing; raises Failed."""
    yield f"without passwords: {_refusal(stack, 'secrets/', 'up', '--detach', '--no-build')}"
    stack.make_secrets()
    said = _refusal(stack, "KD_API_KEYS", "run", "--rm", "--no-deps", "api")
    yield f"without KD_API_KEYS: {said}"


def _refusal(stack: Stack, name: str, *command: str) -> str:
    """The line in which the stack says what is missing."""
    try:
        stack.compose(*command)
    except Failed as error:
        lines = [line for line in str(error).splitlines()[1:] if name in line]
        if lines:
            return lines[-1].strip()
        raise
    raise Failed(f"the stack starts without {name}")
