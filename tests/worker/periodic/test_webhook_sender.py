"""Messages to a real webhook: signed, tried again until taken, and delivered again when the sender dies on the way."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from distillery.states import DeliveryState, EndReason
from jobs.tables import Delivery
from kd_engine.jobspec import parse_spec
from tests.kd_engine.small_runs import DIGITS
from tests.worker.hooks import Hook, listening, silent, slow_names
from worker.context import Services
from worker.periodic.runner import PeriodicRunner
from worker.periodic.webhook_sender import WAITS, WebhookSender

Submit = Callable[[dict[str, Any]], str]
# of the specification's own examples
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def home(services: Services) -> Services:
    """A worker that may call this machine."""
    return replace(services, settings=services.settings.model_copy(update={"webhook_private": True}))


def _ended(services: Services, submit: Submit, *urls: str) -> str:
    """A job that has just ended, and tells it to these."""
    job_id = submit(DIGITS | {"name": "digits", "webhooks": [{"url": url} for url in urls]})
    with services.database.write() as repository:
        job = repository.claim(job_id, "me", 60)
        assert job is not None
        repository.finish(job_id, job.token, EndReason.DIVERGED, "the loss is NaN")
    return job_id


def _messages(services: Services, job_id: str) -> list[Delivery]:
    with services.database.read() as repository:
        return list(repository.deliveries(job_id))


def _deliver_until(webhook_sender: WebhookSender, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        webhook_sender.deliver_due()
        time.sleep(0.01)


def test_the_signature_is_that_of_the_specification() -> None:
    """https://github.com/standard-webhooks/standard-webhooks, its example of a signed message."""
    moment = datetime.fromtimestamp(1614265330, UTC)
    signed = Webhook(SECRET).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", moment, '{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_message_arrives_once_and_can_be_verified(home: Services, submit: Submit) -> None:
    with listening() as hook:
        job_id = _ended(home, submit, hook.url)
        webhook_sender = WebhookSender(home, SECRET)
        webhook_sender.deliver_due()
        webhook_sender.deliver_due()
    [(_, headers, body)] = hook.received
    message = Webhook(SECRET).verify(body, headers)
    assert (message["type"], message["data"]["id"], message["data"]["reason"]) == ("job.failed", job_id, "diverged")
    assert headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"failed", b"succeeded"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(body, headers)
    [delivery] = _messages(home, job_id)
    assert (delivery.state, delivery.tries, delivery.id) == (DeliveryState.DELIVERED, 1, headers["webhook-id"])
    assert json.loads(body) == json.loads(delivery.body)


def test_it_is_tried_again_until_it_is_taken(home: Services, submit: Submit) -> None:
    def answer(before: int) -> tuple[int, dict[str, str]]:
        return (500 if before < 2 else 200), {}

    with listening(answer) as hook:
        job_id = _ended(home, submit, hook.url)
        webhook_sender = WebhookSender(home, SECRET, waits=[0.01] * 9)
        _deliver_until(webhook_sender, lambda: _messages(home, job_id)[0].state is not DeliveryState.DUE)
    [delivery] = _messages(home, job_id)
    assert (delivery.state, delivery.tries, delivery.last_error) == (DeliveryState.DELIVERED, 3, None)
    assert len({headers["webhook-id"] for _, headers, _ in hook.received}) == 1
    assert len(hook.received) == 3


def test_it_is_not_tried_again_before_its_time(home: Services, submit: Submit) -> None:
    with listening(lambda before: (503, {})) as hook:
        job_id = _ended(home, submit, hook.url)
        webhook_sender = WebhookSender(home, SECRET)
        webhook_sender.deliver_due()
        webhook_sender.deliver_due()
    assert len(hook.received) == 1
    [delivery] = _messages(home, job_id)
    assert delivery.state is DeliveryState.DUE
    assert delivery.last_error == "the webhook answered with status 503"


def test_it_is_given_up_after_ten_tries(home: Services, submit: Submit) -> None:
    assert len(WAITS) == 9
    with listening(lambda before: (500, {})) as hook:
        job_id = _ended(home, submit, hook.url)
        webhook_sender = WebhookSender(home, SECRET, waits=[0.001] * len(WAITS))
        _deliver_until(webhook_sender, lambda: _messages(home, job_id)[0].state is not DeliveryState.DUE)
    assert len(hook.received) == 10
    assert _messages(home, job_id)[0].state is DeliveryState.GIVEN_UP


def test_a_webhook_that_is_gone_is_given_up_at_once(home: Services, submit: Submit) -> None:
    with listening(lambda before: (410, {})) as hook:
        job_id = _ended(home, submit, hook.url)
        WebhookSender(home, SECRET).deliver_due()
    [delivery] = _messages(home, job_id)
    assert (delivery.state, len(hook.received)) == (DeliveryState.GIVEN_UP, 1)


def test_a_redirect_is_a_failure_that_says_so(home: Services, submit: Submit) -> None:
    with listening() as target, listening(lambda before: (302, {"location": target.url})) as hook:
        job_id = _ended(home, submit, hook.url)
        WebhookSender(home, SECRET).deliver_due()
    assert target.received == []
    [delivery] = _messages(home, job_id)
    assert delivery.last_error == "the webhook answered with status 302, a redirect"


def test_a_private_address_is_given_up_without_a_call(services: Services, submit: Submit) -> None:
    with listening() as hook:
        job_id = _ended(services, submit, hook.url)
        WebhookSender(services, SECRET).deliver_due()
    assert hook.received == []
    [delivery] = _messages(services, job_id)
    assert delivery.state is DeliveryState.GIVEN_UP
    assert "not an address on the public internet" in (delivery.last_error or "")


def test_many_are_told_and_one_that_fails_keeps_no_other_from_it(home: Services, submit: Submit) -> None:
    with listening() as good, listening(lambda before: (500, {})) as bad:
        jobs = [_ended(home, submit, bad.url, good.url) for _ in range(6)]
        WebhookSender(home, SECRET).deliver_due()
    assert len(good.received) == len(bad.received) == len(jobs)
    told = {json.loads(body)["data"]["id"] for _, _, body in good.received}
    assert told == set(jobs)


def test_one_that_was_taken_but_not_noted_comes_again_under_the_same_id(
    home: Services, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database goes away between the POST and the note."""
    monkeypatch.setattr("jobs.repository.deliveries._CLAIM_SECONDS", 0.3)
    with listening() as hook:
        job_id = _ended(home, submit, hook.url)
        webhook_sender = WebhookSender(home, SECRET)
        with monkeypatch.context() as patch:
            patch.setattr("jobs.repository.deliveries.settle", _away)
            webhook_sender.deliver_due()
        assert _messages(home, job_id)[0].state is DeliveryState.DUE
        _deliver_until(webhook_sender, lambda: _messages(home, job_id)[0].state is DeliveryState.DELIVERED)
    assert _ids(hook) == [_messages(home, job_id)[0].id] * 2


def _away(*_: object) -> None:
    raise ConnectionError("the database is away")


def _ids(hook: Hook) -> list[str]:
    return [headers["webhook-id"] for _, headers, _ in hook.received]


def test_a_worker_that_leaves_takes_no_more(home: Services, submit: Submit) -> None:
    with listening() as hook:
        _ended(home, submit, hook.url)
        home.leaving.set()
        WebhookSender(home, SECRET).deliver_due()
    assert hook.received == []


def _told(services: Services, owner: str, urls: list[str]) -> None:
    """A job of an owner that ends in the queue, and tells it to these."""
    spec = parse_spec(DIGITS | {"webhooks": [{"url": url} for url in urls]}).resolved()
    with services.database.write() as repository:
        repository.request_cancel(repository.create(spec, owner=owner).id)


@contextmanager
def _delivering(services: Services) -> Iterator[None]:
    """A webhook sender on its rounds, until the block ends."""
    runners = PeriodicRunner("webhook-sender", WebhookSender(services, SECRET).step())
    runners.start()
    try:
        yield
    finally:
        services.leaving.set()
        runners.stop()


@pytest.mark.parametrize("kind", ["silent", "slow name"])
def test_one_owners_dead_webhooks_hold_up_nobody_elses(
    home: Services, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The dead ones are waited for far longer than the test waits for the other."""
    monkeypatch.setattr("worker.periodic.webhook_sender._TIMEOUT_SECONDS", 120.0)
    with silent() as address, slow_names(monkeypatch), listening() as alive, _delivering(home):
        dead = address if kind == "silent" else "http://slow.example/hook"
        for _ in range(12):
            _told(home, "many", [f"{dead}/{number}" for number in range(8)])
        for _ in range(2):
            _told(home, "few", [alive.url])
            alive.wait_for_one()
