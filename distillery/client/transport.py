"""Requests to the service: its address and key, which failures are tried again, and refusals as errors."""

from __future__ import annotations

import ipaddress
import json
import logging
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import BaseModel

from distillery.errors import NoAnswer, Problem, UnknownAnswer

log = logging.getLogger(__name__)

V = TypeVar("V", bound=BaseModel)

_CONNECT_SECONDS, _READ_SECONDS = 10.0, 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 10.0
_TOLD_SECONDS = 1.0  # a shorter pause is nobody's business
_NOTHING_WAS_DONE = (429, 503)  # such an answer says so: any request may be sent again
_OPEN = {"of_a_later_service": True}  # for `distillery.resources`
_BY_A_PROXY = (502, 504)  # what became of the request is not known


class Transport:
    """One service, over connections that are kept open. Safe to use from several threads."""

    def __init__(self, url: str, api_key: str | None, patience: float) -> None:
        """
        Args:
            patience: seconds for which a request is tried again while the service is away or busy.
        """
        self.url, self.patience = url.rstrip("/"), patience
        headers = {"Accept": "application/json", "User-Agent": "distillery-client"}
        if api_key is not None:
            headers["Authorization"] = f"Bearer {api_key}"
        try:
            parsed = httpx2.URL(self.url)
        except httpx2.InvalidURL as error:
            raise ValueError(f"the service's address {url!r} is no URL: {error}") from None
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise ValueError(f"the service's address is {url!r}; expected one like http://127.0.0.1:8000")
        self._http = httpx2.Client(
            base_url=self.url,
            headers=headers,
            timeout=httpx2.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS),
            trust_env=not _is_loopback(parsed.host),  # a proxy that the environment names is not for this machine
        )

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, view: type[V], **params: Any) -> V:
        """GET, as the model of its answer; fields that a later version has added are passed over."""
        return read(view, self.request("GET", path, params=params).content)

    def pages(self, path: str, key: str, view: type[V], **params: Any) -> Iterator[V]:
        """Every entry of a list, page after page."""
        params = {name: value for name, value in params.items() if value is not None}
        while True:
            content = self.request("GET", path, params=params).content
            with understood(content):
                page = json.loads(content)
                entries = [view.model_validate(entry, extra="ignore", context=_OPEN) for entry in page[key]]
                params["page_token"] = page["next_page_token"]
            yield from entries
            if params["page_token"] is None:
                return

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
        expected: tuple[int, ...] = (),
        at_once: tuple[type[Problem], ...] = (),
    ) -> httpx2.Response:
        """The answer, read to its end.

        Args:
            repeatable: whether the request may reach the service twice; else it is not sent again once it may have.
            expected: statuses that are no error, beside those of success.
            at_once: refusals after which nothing is tried again.

        Raises:
            Problem: the service refused.
            NoAnswer: it could not be reached within `patience`.
        """
        request = self._http.build_request(method, path, params=params, json=json, content=content, headers=headers)
        for retry in self.retries(f"{method} {path}"):
            try:
                answer = self._http.send(request)
            except httpx2.TransportError as error:
                retry.after(error, possible=repeatable or isinstance(error, _UNSENT))
                continue
            if answer.is_success or answer.status_code in expected:
                return answer
            problem = _problem(answer.status_code, answer.content)
            if isinstance(problem, at_once):
                raise problem
            again = answer.status_code in _NOTHING_WAS_DONE or (repeatable and answer.status_code in _BY_A_PROXY)
            retry.after(problem, possible=again, seconds=_retry_after(answer))
        raise AssertionError("unreachable: the last retry raises")

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str]) -> Iterator[httpx2.Response]:
        """GET, to be read piece by piece; nothing is tried again here.

        Raises:
            Problem: the service refused.
            httpx2.TransportError: the connection failed, before or while it was read.
        """
        with self._http.stream("GET", path, headers={"Accept-Encoding": "identity", **headers}) as answer:
            if not answer.is_success:
                raise _problem(answer.status_code, answer.read())
            yield answer

    def retries(self, what: str) -> Iterator[Retry]:
        """A try after another, until `patience` is over."""
        retry = Retry(what, self.url, self.patience)
        while True:
            yield retry


_UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class Retry:
    """The pauses between tries: longer each time, and by some chance, since many clients should not come at once."""

    def __init__(self, what: str, url: str, patience: float) -> None:
        self._what, self._url, self._patience = what, url, patience
        self._pause, self._until = _FIRST_PAUSE, time.monotonic() + patience

    def after(self, error: Exception, *, possible: bool = True, seconds: float | None = None) -> None:
        """Waits before the next try, at least `seconds`; raises `error` where none is possible or left."""
        pause = max(seconds or 0.0, self._pause * random.uniform(0.5, 1.0))
        if not possible or time.monotonic() + pause > self._until:
            if isinstance(error, Problem):
                raise error
            raise NoAnswer(f"{self._what}: no answer from {self._url} ({error or type(error).__name__})") from error
        if pause >= _TOLD_SECONDS:
            log.warning("%s: %s; trying again in %.0f s", self._what, error or type(error).__name__, pause)
        time.sleep(pause)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def worked(self) -> None:
        """Something has arrived: the time for tries begins anew."""
        self._pause, self._until = _FIRST_PAUSE, time.monotonic() + self._patience


def path_of(*parts: str) -> str:
    """A path of these parts, whatever a user has written for an id."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def read(view: type[V], content: bytes) -> V:
    """An answer as its model; fields that a later version has added are passed over."""
    with understood(content):
        return view.model_validate_json(content, extra="ignore", context=_OPEN)


@contextmanager
def understood(content: bytes) -> Iterator[None]:
    """Around the reading of an answer.

    Raises:
        UnknownAnswer: it is not what the service answers.
    """
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        text = content[:200].decode(errors="replace")
        raise UnknownAnswer(f"an answer is not as this client knows it; is this the right address? {text}") from error


def _problem(status: int, content: bytes) -> Problem:
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if not isinstance(body, dict):  # a proxy's own page
        text = content.decode(errors="replace").strip()
        body = {"detail": f"the answer was {status}: {text[:200]}" if text else f"the answer was {status}"}
    return Problem.of(status, body)


def _retry_after(answer: httpx2.Response) -> float | None:
    header = answer.headers.get("retry-after", "")
    return float(header) if header.isdigit() else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
