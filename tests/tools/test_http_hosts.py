"""Urls that an argument can change: which hosts and addresses they reach, and who gets credentials."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme

from py_code_mode import HTTPAdapter
from py_code_mode.errors import ToolCallError, ToolDeniedError
from py_code_mode.tools.http import APIKey, Bearer, Endpoint, Param
from py_code_mode.tools.http.hosts import is_public
from tests.tools.http_app import running, serve_tls

Make = Callable[..., HTTPAdapter]
FETCH = Endpoint("fetch", params=(Param("url", "url"), Param("q")))


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Make APIs that are closed after the test."""
    made: list[HTTPAdapter] = []

    def one(*endpoints: Endpoint, **settings: Any) -> HTTPAdapter:
        made.append(HTTPAdapter("web", endpoints=endpoints, **settings))
        return made[-1]

    yield one
    for adapter in made:
        await adapter.aclose()


def at(*addresses: str) -> Callable[[str, int], Any]:
    """A resolver that knows one answer, and how often it was asked."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return addresses

    asked: list[str] = []
    resolve.asked = asked  # type: ignore[attr-defined]
    return resolve


@pytest.mark.parametrize(
    "address",
    [
        *("8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"),
        "2002:808:808::1",
    ],
)
def test_public_addresses(address: str):
    """Addresses of the open internet are told from others."""
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("0.0.0.0", "100.64.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00::1", "ff02::1", "fec0::1"),
        *("::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1", "64:ff9b::7f00:1"),
        *("2002:7f00:1::1", "2002:a00:1::", "2001:db8::1", "no address", ""),
    ],
)
def test_other_addresses(address: str):
    """Private, loopback, link-local and reserved ones are not public, however they are written."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "127.1",
        "0x7f000001",
        "2130706433",
        "0.0.0.0",
    ],
)
async def test_an_argument_does_not_reach_this_machine(make: Make, host: str):
    """Whatever way it is written, the resolved address is what counts."""
    port = running().rpartition(":")[2]
    with pytest.raises(ToolDeniedError, match=r"not on the open internet.*allow_private"):
        await make(FETCH).call("web.fetch", {"url": f"http://{host}:{port}/whoami"})


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:127.0.0.1", "10.1.2.3"])
async def test_a_name_is_judged_by_its_address(make: Make, address: str):
    """A public name that resolves to a private address is refused, even if others are public."""
    for addresses in ((address,), ("8.8.8.8", address)):
        with pytest.raises(ToolDeniedError, match=r"host 'api\.example\.com'"):
            await make(FETCH, resolve=at(*addresses)).call(
                "web.fetch", {"url": "http://api.example.com/"}
            )


async def test_the_checked_address_is_the_one_connected_to(make: Make):
    """The name is looked up once, and the request goes there under the name."""
    port, resolve = running().rpartition(":")[2], at("127.0.0.1")
    adapter = make(FETCH, resolve=resolve, allow_private=True)
    got = await adapter.call(
        "web.fetch", {"url": f"http://api.example.com:{port}/whoami?a=1", "q": "ü"}
    )
    assert resolve.asked == ["api.example.com"]
    assert got["headers"]["host"] == f"api.example.com:{port}"
    assert got["query"] == "a=1&q=%C3%BC"


async def test_certificates_are_those_of_the_name(make: Make, tmp_path: Path, monkeypatch):
    """Over TLS the name is asked for and checked, although an address is connected to."""
    authority = trustme.CA()
    own = authority.issue_cert("api.example.com")
    own.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with serve_tls(tmp_path / "own.pem") as url:
        port = url.rpartition(":")[2]
        adapter = make(FETCH, resolve=at("127.0.0.1"), allow_private=True, retries=0)
        got = await adapter.call("web.fetch", {"url": f"https://api.example.com:{port}/whoami"})
        assert got["headers"]["host"] == f"api.example.com:{port}"
        with pytest.raises(ToolCallError, match=r"failed: .*(?i:certificate)"):
            await adapter.call("web.fetch", {"url": f"https://other.example.com:{port}/whoami"})


async def test_allowed_hosts(make: Make):
    """With a list, other hosts are refused before anything is looked up."""
    resolve = at("127.0.0.1")
    adapter = make(FETCH, resolve=resolve, allow_hosts=["*.example.com", "one.org"])
    for url in (
        "http://example.org/",
        "http://example.com.evil.org/",
        "http://one.org@evil.org/",
        "http://evil.org#.example.com",
    ):
        with pytest.raises((ToolDeniedError, ToolCallError), match=r"not allowed|without a user"):
            await adapter.call("web.fetch", {"url": url})
    assert resolve.asked == []
    with pytest.raises(ToolDeniedError, match="open internet"):
        await adapter.call("web.fetch", {"url": "http://API.Example.com/"})


async def test_credentials_go_to_trusted_hosts_only(make: Make):
    """A host an argument names gets neither headers nor auth unless it is listed."""
    port = running().rpartition(":")[2]
    settings = {"resolve": at("127.0.0.1"), "allow_private": True, "headers": {"X-Key": "k"}}
    bearer = make(FETCH, base_url=running(), auth=Bearer("t0ken"), **settings)
    key = make(FETCH, base_url=running(), auth=APIKey("key", "t0ken", "query"), **settings)
    for adapter in (bearer, key):
        for host, trusted in (("evil.example.com", False), ("127.0.0.1", True)):
            got = await adapter.call("web.fetch", {"url": f"http://{host}:{port}/whoami"})
            assert ("***" in str(got)) == trusted
            assert ("x-key" in got["headers"]) == trusted
    listed = make(FETCH, auth=Bearer("t0ken"), allow_hosts=["api.example.com"], **settings)
    got = await listed.call("web.fetch", {"url": f"http://api.example.com:{port}/whoami"})
    assert got["headers"]["authorization"] == "Bearer ***"


async def test_a_placeholder_in_the_host(make: Make):
    """It is a part of a name and nothing else; its addresses are checked, too."""
    port = running().rpartition(":")[2]
    settings = {"base_url": f"http://{{region}}.example.com:{port}/who", "resolve": at("127.0.0.1")}
    adapter = make(
        Endpoint("ami"), Endpoint("named", path="/{name}"), **settings, allow_private=True
    )
    assert [param.name for param in adapter.tools()[1].params] == ["region", "name"]
    for bad in ("evil.org/", "a@b", "a#", "a:1", "", "-a", "a..b", "a.", "ä", "a\n", "%2f"):
        with pytest.raises(ToolCallError, match="argument 'region'"):
            await adapter.call("web.ami", {"region": bad})
    with pytest.raises(ToolCallError, match="answered 404"):
        await adapter.call("web.ami", {"region": "eu"})
    with pytest.raises(ToolDeniedError, match=r"host 'eu\.example\.com'"):
        await make(Endpoint("ami"), **settings).call("web.ami", {"region": "eu"})


async def test_urls_that_are_none(make: Make):
    """Other schemes and broken urls are refused with a reason."""
    for url in (
        "file:///etc/passwd",
        "ftp://x/",
        "x",
        "",
        "http://",
        "http://[",
        "http://a b/",
        "http://x:99999/",
        "http://u:p@x/",
        "http://\ud800/",
    ):
        with pytest.raises(ToolCallError, match=r"url|looked up|surrogate"):
            await make(FETCH).call("web.fetch", {"url": url})


async def test_a_fixed_base_url_may_be_private(make: Make):
    """What the file says is its owner's word."""
    adapter = make(Endpoint("whoami", path="/whoami"), base_url=running())
    assert (await adapter.call("web.whoami", {}))["method"] == "GET"


async def test_proxies_of_the_environment(make: Make, monkeypatch):
    """A fixed host is reached through them; one that an argument names never is."""
    monkeypatch.setenv("HTTP_PROXY", running())
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    fixed = make(Endpoint("get", path="/x"), base_url="http://api.invalid", retries=0)
    with pytest.raises(ToolCallError, match="answered 404"):  # by the proxy: there is no such host
        await fixed.call("web.get", {})
    with pytest.raises(ToolDeniedError, match="not on the open internet"):
        await make(FETCH, resolve=at("10.0.0.1")).call("web.fetch", {"url": "http://api.invalid/"})


async def test_a_proxy_that_cannot_be_used(make: Make, monkeypatch):
    """What is wrong with the environment is an error of the call, and says so."""
    monkeypatch.setenv("ALL_PROXY", "nonsense://proxy")
    with pytest.raises(ToolCallError, match="the environment's proxies"):
        await make(Endpoint("get"), base_url="http://api.invalid").call("web.get", {})
