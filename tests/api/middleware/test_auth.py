from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app.create import create_app
from api.app.new_key import run_command
from distillery.quota import Quota
from distillery.states import EndReason
from jobs.auth import ApiKey, Scope, new_key
from jobs.settings import Settings, SettingsError
from tests.api.conftest import SPEC, Service, serving
from tests.kd_engine.intake.archives import by_class, zipped

ROOT = Path(__file__).parents[3]


@dataclass
class Keyed:
    """An api that asks for keys, and a client for each key."""

    service: Service
    keys: dict[str, str]
    clients: dict[str, httpx.Client]


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    asked = {
        "ann": ("vision", [Scope.READ, Scope.SUBMIT], Quota(queued=3)),
        "bob": ("audio", [Scope.READ, Scope.SUBMIT], Quota()),
        "reader": ("vision", [Scope.READ], Quota()),
        "sender": ("vision", [Scope.SUBMIT], Quota()),
        "admin": ("house", [Scope.ADMIN], Quota()),
    }
    made = {name: new_key(owner, scopes) for name, (owner, scopes, _) in asked.items()}
    entries = [made[name][1].model_copy(update={"quota": asked[name][2]}) for name in asked]
    settings = Settings(home=tmp_path_factory.mktemp("home"), broker_url="memory://", api_keys=entries)
    with serving(settings) as service:
        keys = {name: key for name, (key, _) in made.items()}
        contexts = {name: service.caller(key) for name, key in keys.items()}
        clients = {name: context.__enter__() for name, context in contexts.items()}
        yield Keyed(service, keys, clients)
        for context in contexts.values():
            context.__exit__(None, None, None)


def post(client: httpx.Client, **changes: Any) -> str:
    answer = client.post("/jobs", json=SPEC | changes)
    assert answer.status_code == 201, answer.text
    job_id: str = answer.json()["id"]
    return job_id


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/jobs"), ("POST", "/jobs"), ("GET", "/jobs/job_0"), ("GET", "/catalog"), ("GET", "/usage"),
     ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/nothing"), ("DELETE", "/jobs/job_0"), ("PUT", "/jobs"),
     ("GET", "/healthz/"), ("GET", "//healthz"), ("GET", "/jobs%2f..%2fhealthz")],
)  # fmt: skip
@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", "Basic dTpw", "kd_x", "Bearer \xe9\xff"])
def test_without_a_key_nothing_but_health(keyed: Keyed, method: str, path: str, header: str | None) -> None:
    headers = {} if header is None else {b"Authorization": header.encode("latin-1")}
    answer = keyed.service.client.request(method, path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith('Bearer realm="distillery"')


def test_two_keys_at_once_are_none(keyed: Keyed) -> None:
    headers = [("Authorization", f"Bearer {keyed.keys[name]}") for name in ("ann", "bob")]
    assert keyed.service.client.get("/jobs", headers=headers).status_code == 401


def test_health_is_free(keyed: Keyed) -> None:
    assert keyed.service.client.get("/healthz").status_code == 200
    assert keyed.service.client.get("/readyz").json()["code"] == "not_ready"


def test_the_scheme_may_be_written_in_any_case(keyed: Keyed) -> None:
    headers = {"Authorization": f"bEARER  {keyed.keys['ann']}"}
    assert keyed.service.client.get("/jobs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("name", "method", "path", "scope"),
    [("reader", "POST", "/jobs", "submit"), ("reader", "POST", "/jobs/job_0/cancel", "submit"),
     ("reader", "DELETE", "/jobs/job_0", "submit"), ("sender", "GET", "/jobs", "read"),
     ("sender", "HEAD", "/jobs/job_0/artifacts/x", "read")],
)  # fmt: skip
def test_a_key_without_the_scope(keyed: Keyed, name: str, method: str, path: str, scope: str) -> None:
    answer = keyed.clients[name].request(method, path)
    assert answer.status_code == 403
    if method != "HEAD":
        assert answer.json()["code"] == "missing_scope"
        assert f"'{scope}'" in answer.json()["detail"]


def test_a_job_belongs_to_the_owner_of_the_key(keyed: Keyed) -> None:
    job_id = post(keyed.clients["bob"], name="mine")
    for name, seen in (("bob", True), ("admin", True), ("reader", False), ("ann", False)):
        answer = keyed.clients[name].get(f"/jobs/{job_id}")
        assert answer.status_code == (200 if seen else 404)
        listed = {job["id"] for job in keyed.clients[name].get("/jobs?name=mine").json()["jobs"]}
        assert listed == ({job_id} if seen else set())
    assert keyed.clients["bob"].get(f"/jobs/{job_id}").json()["owner"] == "audio"


def test_names_are_of_what_the_owner_has_sent(keyed: Keyed, tmp_path: Path) -> None:
    content = zipped(tmp_path / "a.zip", by_class(3)).read_bytes()
    sent = keyed.clients["bob"].post("/datasets", content=content, params={"name": "photos"}).json()["id"]
    for name, told in (("bob", f"'photos' ({sent}) is not ready"), ("ann", "unknown data set"), ("admin", "unknown")):
        for body in (SPEC | {"dataset": "photos"}, SPEC | {"dataset": "fotos"}):
            answer = keyed.clients[name].post("/jobs", json=body)
            assert answer.status_code == 422
            assert ("you sent" in answer.text) == (name == "bob" and body["dataset"] == "fotos")
            assert told in answer.text or body["dataset"] == "fotos"


@pytest.mark.parametrize(
    ("method", "below"),
    [("GET", ""), ("GET", "?wait=9"), ("DELETE", ""), ("POST", "/cancel"), ("POST", "/pause"), ("POST", "/resume"),
     ("POST", "/retry"), ("GET", "/events"), ("GET", "/events?format=json"), ("GET", "/metrics"), ("GET", "/logs"),
     ("GET", "/report"), ("GET", "/artifacts"), ("GET", "/artifacts/report.json"), ("HEAD", "/artifacts/report.json"),
     ("GET", "/deliveries")],
)  # fmt: skip
def test_somebody_elses_job_is_like_none(keyed: Keyed, tmp_path: Path, method: str, below: str) -> None:
    job_id = post(keyed.clients["bob"])
    token = keyed.service.start(job_id)
    keyed.service.publish(job_id, token, "report.json", b"{}", tmp_path)
    keyed.service.end(job_id, EndReason.DIVERGED, token)
    absent = job_id[:-4] + "0000"
    theirs, none = (keyed.clients["ann"].request(method, f"/jobs/{one}{below}") for one in (job_id, absent))
    assert theirs.status_code == none.status_code == 404
    assert theirs.text.replace(job_id, absent) == none.text
    assert set(theirs.headers) == set(none.headers)
    assert keyed.clients["bob"].get(f"/jobs/{job_id}").json()["state"] == "failed"


def test_an_upload_is_its_owners(keyed: Keyed) -> None:
    upload = keyed.clients["bob"].post("/uploads").json()["id"]
    for name, seen in (("bob", True), ("admin", True), ("ann", False)):
        assert keyed.clients[name].get(f"/uploads/{upload}").status_code == (200 if seen else 404)
        assert (upload in {row["id"] for row in keyed.clients[name].get("/uploads").json()["uploads"]}) is seen
    assert keyed.clients["ann"].delete(f"/uploads/{upload}").status_code == 404


def test_somebody_elses_network_cannot_be_taken(keyed: Keyed) -> None:
    job_id = post(keyed.clients["bob"])
    keyed.service.end(job_id, EndReason.COMPLETED)
    body = SPEC | {"teacher": {"job": job_id}}
    absent = job_id[:-4] + "0000"
    theirs = keyed.clients["ann"].post("/jobs?validate_only=true", json=body)
    none = keyed.clients["ann"].post("/jobs?validate_only=true", json=SPEC | {"teacher": {"job": absent}})
    assert theirs.status_code == 422
    assert theirs.text.replace(job_id, absent) == none.text
    for name in ("bob", "admin"):
        assert keyed.clients[name].post("/jobs?validate_only=true", json=body).status_code == 200


def test_an_idempotency_key_is_its_owners(keyed: Keyed) -> None:
    headers = {"Idempotency-Key": "shared"}
    answers = [keyed.clients[name].post("/jobs", json=SPEC, headers=headers) for name in ("bob", "admin", "bob")]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert answers[0].content == answers[2].content
    assert answers[0].json()["id"] != answers[1].json()["id"]


def test_an_admin_acts_for_the_owner(keyed: Keyed) -> None:
    job_id = post(keyed.clients["bob"])
    assert keyed.clients["admin"].post(f"/jobs/{job_id}/cancel").status_code == 200
    again = keyed.clients["admin"].post(f"/jobs/{job_id}/retry")
    assert (again.status_code, again.json()["owner"]) == (201, "audio")
    assert keyed.clients["bob"].get(again.headers["location"]).json()["retry_of"] == job_id


def test_over_the_quota_of_the_key(keyed: Keyed) -> None:
    """Of the fixture's keys, those of `vision` allow three waiting jobs."""
    made = [post(keyed.clients[name]) for name in ("ann", "sender", "ann")]
    answer = keyed.clients["ann"].post("/jobs", json=SPEC)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (429, "over_quota")
    assert (problem["quota"], problem["used"], problem["limit"]) == ("queued", 3, 3)
    assert "cancel some" in problem["detail"]
    usage = keyed.clients["reader"].get("/usage").json()
    assert (usage["owner"], usage["queued"], usage["limits"]["queued"]) == ("vision", 3, 3)
    assert keyed.clients["ann"].post(f"/jobs/{made[0]}/cancel").status_code == 200
    assert keyed.clients["ann"].post(f"/jobs/{made[0]}/retry").status_code == 201
    assert keyed.clients["ann"].post(f"/jobs/{made[0]}/retry").status_code == 200
    post(keyed.clients["bob"])


def test_the_document_says_that_a_key_is_needed(keyed: Keyed) -> None:
    paths = keyed.service.openapi["paths"]
    assert paths["/jobs"]["post"]["security"] == [{"key": []}]
    assert paths["/healthz"]["get"]["security"] == [{}, {"key": []}]


def test_no_key_is_logged(keyed: Keyed, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        post(keyed.clients["bob"])
        keyed.service.client.get("/jobs", headers={"Authorization": "Bearer kd_wrong"})
    assert keyed.keys["bob"] not in caplog.text
    assert "kd_wrong" not in caplog.text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_open_to_others_without_keys_is_refused(host: str) -> None:
    with pytest.raises(SettingsError, match=r"new-key.*KD_API_KEYS.*KD_ALLOW_OPEN"):
        create_app(Settings(host=host))
    _, entry = new_key("vision", [Scope.READ])
    create_app(Settings(host=host, api_keys=[entry.model_dump(mode="json")]))
    create_app(Settings(host=host, allow_open=True))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST"])
def test_loopback_needs_no_keys(host: str) -> None:
    create_app(Settings(host=host))


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api", *arguments],
        cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_command_prints_a_key_and_the_entry_that_lets_it_in(tmp_path: Path) -> None:
    made = command("new-key", "--owner", "vision", "--scopes", "read, submit")
    assert made.returncode == 0, made.stderr
    _, key, _, entry = made.stdout.splitlines()
    assert ApiKey.model_validate_json(entry).owner == "vision"
    assert key not in entry
    keys = json.loads(f"[{entry}]")
    with (
        serving(Settings(home=tmp_path / "home", broker_url="memory://", api_keys=keys)) as service,
        service.caller(key) as client,
    ):
        assert client.post("/jobs", json=SPEC).status_code == 201


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["new-key", "--owner", "a b"], "owner"), (["new-key", "--owner", "a", "--scopes", "write"], "read, submit"),
     (["new-key"], "--owner"), (["serve"], "new-key")],
)  # fmt: skip
def test_a_command_that_makes_no_sense(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = run_command(arguments)
    except SystemExit as exit:  # argparse's way
        status = exit.code
    assert status == 2
    assert says in capsys.readouterr().err


def test_the_program_does_not_start_open_to_others(tmp_path: Path) -> None:
    done = command(KD_HOME=str(tmp_path), KD_HOST="0.0.0.0")
    assert done.returncode == 2
    assert "KD_API_KEYS" in done.stderr
    assert "Traceback" not in done.stderr
