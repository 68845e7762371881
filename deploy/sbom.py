"""What the service is made of, as CycloneDX documents: `make sbom`, or `python -m deploy.sbom [IMAGE ...]`.

Writes `sbom/environment.cdx.json`, the Python packages of this environment; and for each image of the local Docker
engine `sbom/IMAGE.cdx.json`, its Python packages and its Debian packages. Each is validated against the schema.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License, LicenseAcknowledgement
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "sbom"
_LONGEST_NAME = 100  # of a licence; some packages put its text there
# What is asked of the Python inside an image, and of this one alike.
_METADATA = """
import importlib.metadata, json, platform
packages = [distribution.metadata.json for distribution in importlib.metadata.distributions()]
print(json.dumps({"python": platform.python_version(), "packages": packages}))
"""
_DPKG_FORMAT = r"${Package}\t${Version}\t${Architecture}\n"


def main(images: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    documents = {"environment": document("distillery", of_python(sys.executable))}
    for image in images:
        documents[re.sub(r"[^\w.-]", "_", image)] = document(image, of_image(image), ComponentType.CONTAINER)
    for name, text in documents.items():
        path = FOLDER / f"{name}.cdx.json"
        path.write_text(text)
        sys.stdout.write(f"{path}: {len(json.loads(text)['components'])} components\n")


def of_image(image: str) -> list[Component]:
    """Everything that is installed in an image of the local Docker engine.

    Raises:
        CalledProcessError: there is no such image; Docker has said so.
    """
    inside = ("docker", "run", "--rm", "--network", "none", "--entrypoint")
    debian = _printed(*inside, "dpkg-query", image, "--show", f"--showformat={_DPKG_FORMAT}")
    return [*of_python(*inside, "python", image), *debian_packages(debian)]


def of_python(*python: str) -> list[Component]:
    """The Python that a command starts, and its packages."""
    found = json.loads(_printed(*python, "-c", _METADATA))
    version = found["python"]
    purl = PackageURL("generic", name="python", version=version)
    interpreter = Component(name="python", version=version, type=ComponentType.PLATFORM, purl=purl, bom_ref=str(purl),
                            licenses=_licenses(["PSF-2.0"]))  # fmt: skip
    return [interpreter, *python_packages(found["packages"])]


def document(name: str, components: Iterable[Component], kind: ComponentType = ComponentType.APPLICATION) -> str:
    """The document as JSON, valid by CycloneDX 1.6.

    Raises:
        ValueError: it is not; the text says where.
    """
    bom = Bom(components={one.purl: one for one in components}.values())
    bom.metadata.component = root = Component(name=name, type=kind, bom_ref="root")
    bom.register_dependency(root, bom.components)
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault is not None:
        raise ValueError(f"the list of {name} is no CycloneDX document: {fault}")
    return text


def python_packages(metadata: Iterable[dict[str, Any]]) -> Iterator[Component]:
    """A component for each package, with the licences that it declares."""
    for one in metadata:
        purl = PackageURL("pypi", name=canonicalize_name(one["name"]), version=one["version"])
        yield Component(name=one["name"], version=one["version"], type=ComponentType.LIBRARY, purl=purl,
                        bom_ref=str(purl), licenses=_licenses(declared(one)))  # fmt: skip


def debian_packages(installed: str) -> Iterator[Component]:
    """A component for each line of dpkg-query. It knows no licences: /usr/share/doc/PACKAGE/copyright has them."""
    for line in installed.splitlines():
        name, version, architecture = line.split("\t")
        purl = PackageURL("deb", "debian", name, version, {"arch": architecture})
        yield Component(name=name, version=version, type=ComponentType.LIBRARY, purl=purl, bom_ref=str(purl))


def declared(metadata: dict[str, Any]) -> list[str]:
    """The licences of a package in its own words: the expression, or the field if it is a name, or the classifiers."""
    expression, field = metadata.get("license_expression"), (metadata.get("license") or "").strip()
    named = expression or (field if len(field) <= _LONGEST_NAME and "\n" not in field and field != "UNKNOWN" else "")
    classifiers = [line.split(" :: ")[-1] for line in metadata.get("classifier", ()) if line.startswith("License :: ")]
    return [named] if named else classifiers or field.splitlines()[:1]


def _licenses(names: list[str]) -> list[License]:
    factory = LicenseFactory()
    return [factory.make_from_string(name, license_acknowledgement=LicenseAcknowledgement.DECLARED) for name in names]


def _printed(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    main(sys.argv[1:])
