from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from jobs.broker import check_url, listening, publishing
from jobs.settings import Settings, SettingsError, variable

URLS = (
    "redis://127.0.0.1:6379/0",
    "redis://:hush@redis/1",
    "rediss://:hush@redis:6380/0",
    "redis+socket:///run/redis.sock",
    "redis+socket://:hush@/run/redis.sock?virtual_host=3",
    "amqp://user:hush@rabbit:5672//",
    "amqps://user:hush@rabbit/vhost",
)


@pytest.mark.parametrize("url", URLS)
def test_brokers_that_can_ring(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("KD_BROKER_URL", url)
    assert Settings().broker_url == check_url(url) == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqs://key:hush@", "'sqs' is no broker; expected redis://, rediss:// .* amqps://"),
        ("hush", "'no scheme' is no broker"),
        ("unix:///run/redis.sock", "'unix' is no broker"),
        ("redis+socket://", "a Unix socket needs its path"),
        ("redis://:hush@h/0?ssl_cert_reqs=required", "ssl_cert_reqs are for rediss:// and amqps:// alone"),
        ("amqps://u:hush@h?ssl_ca=/ca.pem", "ssl_ca is not known; expected ssl_ca_certs"),
        ("rediss://:hush@h?ssl_cert_reqs=maybe", "neither 'required' nor 'none'"),
        ("rediss://:hush@h?ssl_ca_certs=/nowhere/ca.pem", r"no such file: ssl_ca_certs \(/nowhere/ca.pem\)"),
    ],
)
def test_what_cannot_ring_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, url: str, says: str) -> None:
    monkeypatch.setenv(variable("broker_url"), url)
    with pytest.raises(SettingsError, match=f"KD_BROKER_URL: .*{says}") as refused:
        Settings()
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["rediss", "amqps"])
def test_a_certificate_is_verified_unless_somebody_says_otherwise(tmp_path: Path, scheme: str) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    for told in (publishing(f"{scheme}://u:p@h/0", 0.5), listening(f"{scheme}://u:p@h/0?ssl_ca_certs={authority}")):
        words = {key.removeprefix("ssl_"): value for key, value in told["broker_use_ssl"].items()}
        assert words["cert_reqs"] is ssl.CERT_REQUIRED
        assert told["broker_url"] == f"{scheme}://u:p@h/0"
    assert words["ca_certs"] == str(authority)
    off = publishing(f"{scheme}://u:p@h/0?ssl_cert_reqs=none&x=1", 0.5)
    assert ssl.CERT_NONE in off["broker_use_ssl"].values()
    assert "server_hostname" not in off["broker_use_ssl"]
    assert off["broker_url"] == f"{scheme}://u:p@h/0?x=1"


@pytest.mark.parametrize("url", URLS)
def test_each_transport_is_told_its_own_options(url: str) -> None:
    amqp = url.startswith("amqp")
    assert ("write_timeout" in publishing(url, 0.5)["broker_transport_options"]) == amqp
    assert ("socket_timeout" in publishing(url, 0.5)["broker_transport_options"]) != amqp
    assert listening(url)["broker_heartbeat"] == 0
    assert ("socket_keepalive" in listening(url)["broker_transport_options"]) != amqp
