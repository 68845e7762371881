"""What `make sbom` says of this environment is true and valid; `make compose-test` asks it about the images."""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import version
from typing import Any

import pytest

from deploy import sbom
from tests.docs.blocks import ROOT

_COPYLEFT = re.compile(r"GPL|MPL|Mozilla|EPL|Eclipse|CDDL|EUPL|CeCILL|OSL-", re.IGNORECASE)

_MIT = "License :: OSI Approved :: MIT License"


@pytest.fixture(scope="module")
def packages() -> dict[str, dict[str, Any]]:
    """By name; `document` has validated them."""
    found = json.loads(sbom.document("distillery", sbom.of_python(sys.executable)))
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    return {one["name"]: one for one in found["components"]}


def _same(name: str) -> str:
    """A classifier's name as the identifier that it stands for."""
    return re.sub(r"^Mozilla Public License 2\.0 \(MPL 2\.0\)$|^MPL 2\.0$", "MPL-2.0", name)


def licences(package: dict[str, Any]) -> list[str]:
    """Names or identifiers, as the document has them."""
    found = [one.get("license", {}) | one for one in package.get("licenses", ())]
    return [next(one[key] for key in ("expression", "id", "name") if key in one) for one in found]


def test_every_package_is_listed_with_version_and_licence(packages: dict[str, dict[str, Any]]) -> None:
    assert packages["torch"]["version"] == version("torch")
    assert packages["psycopg"]["purl"] == f"pkg:pypi/psycopg@{version('psycopg')}"
    assert licences(packages["psycopg"]) == ["LGPL-3.0-only"]
    assert [name for name, package in packages.items() if not licences(package)] == []


def test_every_copyleft_package_is_in_the_decision(packages: dict[str, dict[str, Any]]) -> None:
    page = (ROOT / "docs" / "decisions" / "033-copyleft-parts.md").read_text()
    told = dict(re.findall(r"^\| `([\w-]+)` \| ([^|]+) \|", page, re.MULTILINE))

    found = {name: package for name, package in packages.items() if _COPYLEFT.search(" ".join(licences(package)))}

    # in an expression with OR the other licence may be chosen
    assert set(told) == {name for name, one in found.items() if " OR " not in " ".join(licences(one))}
    assert {name: _same(licences(found[name])[0]) for name in told} == told


def test_a_package_of_debian_is_named_as_debian_names_it() -> None:
    text = sbom.document("image", sbom.debian_packages("libssl3\t3.0.17-1~deb12u2\tamd64\nbase-files\t12.4\tamd64\n"))

    refs = {one["bom-ref"] for one in json.loads(text)["components"]}
    assert refs == {"pkg:deb/debian/libssl3@3.0.17-1~deb12u2?arch=amd64", "pkg:deb/debian/base-files@12.4?arch=amd64"}


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"license_expression": "BSD-3-Clause", "classifier": [_MIT]}, ["BSD-3-Clause"]),
        ({"license": "BSD"}, ["BSD"]),
        ({"license": "UNKNOWN", "classifier": [_MIT]}, ["MIT License"]),
        ({"license": "Its text\nover lines", "classifier": [_MIT]}, ["MIT License"]),
        ({"license": "Its text\nover lines"}, ["Its text"]),
        ({}, []),
    ],
)  # fmt: skip
def test_the_licence_is_what_a_package_says_most_precisely(metadata: dict[str, Any], expected: list[str]) -> None:
    assert sbom.declared(metadata) == expected
