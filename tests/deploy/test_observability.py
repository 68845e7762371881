"""Prometheus, Grafana and the alerts ask for what is really there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.exported import Exported, exported
from tests.docs.blocks import ROOT

FOLDER = ROOT / "deploy" / "observability"
_NAME = re.compile(r"\b(?:distillery|process)_\w+")
# what Prometheus itself puts to every series, as prometheus.yml names its jobs
_OF_PROMETHEUS = {"job", "instance", "le"}


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "grafana" / "dashboards" / "distillery.json").read_text())
    return found


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> list[str]:
    return [
        *(target["expr"] for panel in panels() for target in panel["targets"]),
        *(rule["expr"] for rule in alerts()),
    ]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exported]:
    by_process = exported(tmp_path_factory.mktemp("served"))
    return by_process["api"] | by_process["worker"]


@pytest.mark.parametrize("query", sorted(set(queries())))
def test_a_query_asks_for_metrics_and_labels_that_are_served(query: str, served: dict[str, Exported]) -> None:
    samples = {sample: family for family in served.values() for sample in family.samples}
    bare = re.sub(r'"[^"]*"', '""', query)
    names = set(_NAME.findall(bare))
    assert names <= set(samples)
    asked = {label for group in re.findall(r"by \(([^)]*)\)", bare) for label in re.split(r",\s*", group)}
    asked |= set(re.findall(r"(\w+)(?:=~|!=|!~|=)\"", bare))
    assert asked <= _OF_PROMETHEUS.union(*(samples[name].labels for name in names))
    assert bare.count("(") == bare.count(")")


def test_the_dashboard_shows_every_metric(served: dict[str, Exported]) -> None:
    shown = {name for query in queries() for name in _NAME.findall(query)}
    unseen = [name for name, family in served.items() if name.startswith("distillery_") and not family.samples & shown]
    assert unseen == []


def test_panels_name_the_data_source_that_is_provisioned_and_do_not_overlap() -> None:
    sources = yaml.safe_load((FOLDER / "grafana" / "provisioning" / "datasources" / "prometheus.yml").read_text())
    uid = sources["datasources"][0]["uid"]
    everything = dashboard()["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    taken: set[tuple[int, int]] = set()
    for panel in everything:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    for panel in panels():
        assert panel["description"], panel["title"]
        assert {panel["datasource"]["uid"], *(target["datasource"]["uid"] for target in panel["targets"])} == {uid}


def test_alerts_say_what_is_the_matter_and_the_page_says_what_to_do() -> None:
    page = (ROOT / "docs" / "observability.md").read_text()
    for rule in alerts():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"]
        assert f"| `{rule['alert']}` |" in page


def test_compose_mounts_what_is_there_and_publishes_grafana_to_this_machine_alone() -> None:
    compose = yaml.safe_load((ROOT / "compose.observability.yml").read_text())
    services = compose["services"]
    stack = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ports = {stack[name]["environment"]["KD_METRICS_PORT"] for name in ("api", "worker")}
    scraped = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    found = [(config["dns_sd_configs"][0]["names"], config["dns_sd_configs"][0]["port"]) for config in scraped]
    assert ports == {9100}
    assert found == [(["api"], 9100), (["worker"], 9100)]
    published = {name: service.get("ports", []) for name, service in services.items()}
    assert published == {"prometheus": [], "grafana": ["127.0.0.1:3000:3000"]}
    for service in (services["prometheus"], services["grafana"]):
        assert re.fullmatch(r"[\w/]+:v?\d+\.\d+\.\d+", service["image"])
        for volume in service["volumes"]:
            source, target = volume.split(":")[:2]
            assert (ROOT / source).exists() if source.startswith("./") else source in compose["volumes"]
            assert Path(target).is_absolute()
