"""The table of timm's networks agrees with the library that is installed."""

from __future__ import annotations

import pytest

from kd_engine.catalog import MODELS
from kd_engine.catalog.models.timm import TimmFacts, timm_facts, unknown_timm
from kd_engine.models.timm import library
from kd_engine.models.timm_table import measured


def test_it_has_all_names_and_tags() -> None:
    names = [f"{name}.{tag}" if tag else name for name, facts in timm_facts().items() for tag in (facts.tags or ("",))]

    assert sorted(timm_facts()) == sorted(library().list_models())
    assert {name for name in names if "." in name} == {name for name in library().list_pretrained() if "." in name}


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "ghostnetv2_100", "twins_svt_small"])
def test_a_row_refuses_nothing_that_can_be_built(name: str) -> None:
    row, found = timm_facts()[name], measured(name)

    assert (row.patch, row.stages) == (found.patch, found.stages)
    assert 1 <= row.min_size <= found.min_size


def test_rows_of_the_catalogue_say_what_it_knows() -> None:
    row = MODELS["timm/levit_128s.fb_dist_in1k"]

    assert (row.stages, MODELS["timm/vit_tiny_patch16_224"].patch, MODELS["timm/inception_v3"].min_size) == ((), 16, 75)
    assert unknown_timm("timm/levit_128s.fb_dist_in1k") is None


def test_hardly_a_network_is_left_of_which_nothing_is_known() -> None:
    """Those that give no vector of features, for one: they cannot be built, whatever the size."""
    assert sum(facts._replace(tags=()) == TimmFacts() for facts in timm_facts().values()) < 10
