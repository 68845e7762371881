from __future__ import annotations

import base64

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.errors import Problem
from api.http.page_tokens import make_token, read_token
from tests.api.conftest import Service

texts = st.text(st.characters(exclude_categories=["Cs"]))
ids = st.from_regex("[0-9A-Za-z_]{1,40}", fullmatch=True)


@given(ids, texts)
def test_a_token_leads_back_to_its_position(position: str, filters: str) -> None:
    token = make_token(position, filters)
    assert read_token(token, filters) == position
    assert token.replace("-", "").replace("_", "").isalnum()


@given(ids, texts, st.data())
def test_a_changed_token_is_refused(position: str, filters: str, data: st.DataObject) -> None:
    token = make_token(position, filters)
    place = data.draw(st.integers(0, 15))  # within the mark: the padding bits of the end carry nothing
    letter = data.draw(st.sampled_from("ABCDxyz019-_").filter(lambda letter: letter != token[place]))
    with pytest.raises(Problem) as caught:
        read_token(token[:place] + letter + token[place + 1 :], filters)
    assert caught.value.code == "bad_page_token"


@given(st.text())
def test_any_text_is_refused_as_a_token(text: str) -> None:
    with pytest.raises(Problem):
        read_token(text, "")


FORGED = base64.urlsafe_b64encode(b"\0" * 12 + b"job_00000000000000000000000000").decode()


@pytest.mark.parametrize("token", ["", "x", "%FF", "job_01", FORGED, "A" * 5000, base64.b64encode(b"0").decode()])
def test_forged_tokens_over_http(client: httpx.Client, token: str) -> None:
    answer = client.get("/jobs", params={"page_token": token})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_page_token")
    assert answer.json()["errors"][0]["parameter"] == "page_token"


def test_a_token_belongs_to_its_filters(service: Service) -> None:
    for _ in range(2):
        service.create(labels={"test": "tokens"})
    query = {"label.test": "tokens", "page_size": "1"}
    query["page_token"] = service.client.get("/jobs", params=query).json()["next_page_token"]
    assert service.client.get("/jobs", params=query | {"page_size": "2"}).status_code == 200
    answer = service.client.get("/jobs", params=query | {"state": "queued"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_page_token")
