from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from distillery.states import EndReason
from jobs.settings import Settings
from tests.api.conftest import SPEC, Service, serving

SECRET = "whsec_" + "QUFB" * 8
HOOKS = {"webhooks": [{"url": "https://example.org/one"}, {"url": "https://example.org/two"}]}


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An api that may promise signed messages."""
    home: Path = tmp_path_factory.mktemp("home")
    with serving(Settings(home=home, broker_url="memory://", webhook_secret=SECRET)) as running:
        yield running


@pytest.mark.parametrize("query", ["", "?validate_only=true"])
def test_webhooks_need_a_secret_to_sign_with(service: Service, query: str) -> None:
    answer = service.client.post(f"/jobs{query}", json=SPEC | HOOKS)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["pointer"], error["code"]) == (422, "/webhooks", "webhooks_not_set_up")
    assert "KD_WEBHOOK_SECRET" in error["message"]


def test_the_messages_about_a_job_and_what_became_of_them(signing: Service) -> None:
    job_id = signing.create(**HOOKS)
    assert signing.client.get(f"/jobs/{job_id}/deliveries").json() == {"deliveries": []}
    signing.end(job_id, EndReason.COMPLETED)
    with signing.context.database.write() as repository:
        first, second = repository.take_deliveries(10)
        repository.settle_delivery(first.id, None, None)
        repository.settle_delivery(second.id, "it answered 500", 60)
    answer = signing.client.get(f"/jobs/{job_id}/deliveries")
    shown = {row["url"]: row for row in answer.json()["deliveries"]}
    one, two = shown["https://example.org/one"], shown["https://example.org/two"]
    assert (one["state"], one["tries"], one["due"], one["last_error"]) == ("delivered", 1, None, None)
    assert (two["state"], two["tries"], two["settled"], two["last_error"]) == ("due", 1, None, "it answered 500")
    assert two["due"] > two["created"]
    assert SECRET not in answer.text
