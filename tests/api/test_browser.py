"""What a real browser says for pages of its user, of elsewhere, and of a name that was bound to this machine anew."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from jobs.settings import Settings
from tests.api.conftest import SPEC, Service, serving
from tests.browser import EVIL, Pages, dump, showing

_FRAMES = """<!doctype html>
<iframe src="http://HOST_EVIL:PORT/page"></iframe><iframe src="http://127.0.0.1:PORT/page"></iframe>
<iframe src="http://localhost:PORT/page"></iframe>
"""
# each host's page does what it would do; the API itself is at http://localhost:API
_PAGE = """<!doctype html>
<form method="post" action="http://localhost:API/uploads" target="below" enctype="text/plain"><input name="a"></form>
<iframe name="below"></iframe>
<script>
const found = { host: location.hostname };
const api = "http://localhost:API";
const json = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(SPEC) };
async function tried(name, url, options) {
  try {
    const answer = await fetch(url, options);
    found[name] = answer.type === "opaque" ? "opaque" : answer.status;
    return answer;
  } catch (error) {
    found[name] = error.name;
  }
}
async function rebound() {
  await tried("read", "/jobs");
  await tried("make", "/jobs", json);
  await tried("upload", "/uploads", { method: "POST" });
}
async function foreign() {
  const simple = { method: "POST", mode: "no-cors", body: "PK" };
  for (const path of ["/jobs/JOB/cancel", "/datasets?name=x", "/models?name=x", "/uploads", "/jobs"])
    await tried(path, api + path, simple);
  await tried("read", api + "/jobs");
  await tried("make", api + "/jobs", json);
  await new Promise((done) => {
    const picture = new Image();
    picture.onload = picture.onerror = (event) => { found.picture = event.type; done(); };
    picture.src = api + "/jobs";
  });
  await new Promise((done) => {
    document.querySelector("iframe").onload = done;
    document.querySelector("form").submit();
  });
}
async function friend() {
  const made = await tried("make", api + "/jobs", json);
  found.location = made && made.headers.get("Location");
  await tried("read", api + "/jobs/nothing");
  await tried("own", "/uploads", { method: "POST" });
}
({ "127.0.0.1": foreign, "localhost": friend }[location.hostname] || rebound)().then(() =>
  fetch("/result", { method: "POST", body: JSON.stringify(found) }));
</script>
"""


def test_pages_of_elsewhere_do_nothing_and_those_of_here_all(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Pages({}) as pages:
        friend = f"http://localhost:{pages.port}"
        settings = Settings(home=tmp_path / "home", broker_url="memory://", log_format="json", allowed_origins=friend)
        with serving(settings) as service:
            pages.behind = service.port
            job_id = service.create()
            names = {
                "HOST_EVIL": EVIL,
                "PORT": pages.port,
                "API": service.port,
                "JOB": job_id,
                "SPEC": json.dumps(SPEC),
            }
            for path, text in (("/", _FRAMES), ("/page", _PAGE), ("/favicon.ico", "")):
                for name, value in names.items():
                    text = text.replace(name, str(value))
                pages.pages[path] = text
            with (
                caplog.at_level("INFO", "api.access"),
                showing(tmp_path / "profile", f"http://127.0.0.1:{pages.port}/"),
            ):
                results = {found.pop("host"): found for found in (pages.results.get(timeout=90) for _ in range(3))}
            jobs = service.client.get("/jobs").json()["jobs"]

    assert results[EVIL] == {"read": 403, "make": 403, "upload": 403}
    foreign = results["127.0.0.1"]
    assert (len(foreign), foreign.pop("picture"), set(foreign.values())) == (8, "error", {"TypeError"})
    location = results["localhost"].pop("location")
    assert results["localhost"] == {"make": 201, "read": 404, "own": 201}
    # what those answers were that no page may see: of the foreign page five fetches, two reads, a preflight and a form
    assert [job["state"] for job in jobs] == ["queued", "queued"]
    assert location == f"/jobs/{jobs[0]['id']}"
    answers = Counter(record.message.rpartition(": ")[2] for record in caplog.records if record.name == "api.access")
    assert answers == {"403": 3 + 5 + 2 + 1 + 1, "201": 2, "404": 1, "200": 1}


@pytest.mark.parametrize(("page", "says"), [("docs", "opblock-summary-path"), ("redoc", "API docs by Redocly")])
def test_the_documentation_needs_no_network_and_breaks_no_policy(
    service: Service, tmp_path: Path, page: str, says: str
) -> None:
    document, console = dump(tmp_path, f"http://127.0.0.1:{service.port}/{page}")
    assert says in document
    assert "Cancel a job" in document
    assert console == []
