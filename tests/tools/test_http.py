"""Endpoints as tools, against a real server: requests, answers, retries, redirects, secrets."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from email.utils import format_datetime
from typing import Any

import pytest

from py_code_mode import HTTPAdapter, Media
from py_code_mode.errors import ConfigError, ToolCallError, ToolTimeoutError
from py_code_mode.tools.http import APIKey, Basic, Bearer, Endpoint, Param
from tests.tools import http_app
from tests.tools.http_app import PNG, running, seen

Make = Callable[..., HTTPAdapter]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Make APIs of the server of the tests, closed after the test."""
    made: list[HTTPAdapter] = []

    def one(*endpoints: Endpoint, **settings: Any) -> HTTPAdapter:
        made.append(HTTPAdapter("api", endpoints=endpoints, **{"base_url": running()} | settings))
        return made[-1]

    yield one
    for adapter in made:
        await adapter.aclose()


async def ask(adapter: HTTPAdapter, **arguments: Any) -> Any:
    """Call the first endpoint."""
    return await adapter.call(adapter.tools()[0].name, arguments)


def whoami(*params: Param, method: str = "GET", **settings: Any) -> Endpoint:
    return Endpoint("whoami", method, "/whoami", params=params, **settings)


# --- requests ----------------------------------------------------------------------------------


async def test_a_tool_says_what_it_takes(make: Make):
    """Names, types, defaults and order of parameters are those of the endpoint."""
    params = (
        Param("limit", type="integer", default=10, description="How many"),
        Param("id", "path", "integer"),
    )
    adapter = make(Endpoint("get-item", path="/items/{id}", params=params), tags=["web"])
    (info,) = adapter.tools()
    assert info.name == "api.get-item"
    assert info.tags == {"web"}
    shown = [(p.name, p.annotation, p.required, p.description) for p in info.params]
    assert shown == [("id", "int", True, ""), ("limit", "int", False, "How many")]
    assert info.params[1].default == 10


async def test_each_place(make: Make):
    """Values stand in path, query, header, cookie and body, each quoted as its place wants."""
    endpoint = Endpoint(
        "all",
        "POST",
        "/whoami",
        params=(
            Param("q"),
            Param("ids", type="list"),
            Param("key", "header", key="X-Key"),
            Param("session", "cookie"),
            Param("title", "body"),
            Param("more", "body", "object"),
            Param("missing", "body"),
        ),
    )
    found = await ask(
        make(endpoint),
        q="a&b=c ü#",
        ids=[1, "x y"],
        key="k",
        session="a;b",
        title="ü",
        more={"a": [1]},
    )
    assert found["query"] == "q=a%26b%3Dc%20%C3%BC%23&ids=1&ids=x%20y"
    assert found["headers"]["x-key"] == "k"
    assert found["headers"]["cookie"] == "session=a%3Bb"
    assert found["headers"]["content-type"] == "application/json"
    assert found["body"] == '{"title":"\\u00fc","more":{"a":[1]}}'


async def test_a_value_cannot_change_the_path(make: Make):
    """Slashes are quoted; dots that would go up are refused; nothing ends the path."""
    adapter = make(Endpoint("read", path="/names/{name}"))
    assert await ask(adapter, name="a?b#c%2F") == "a?b#c%2F"
    out = adapter._operations["api.read"].request({"name": "x/secret"})
    assert out.url.endswith("/names/x%2Fsecret")
    for bad in ("..", ".", "../items/3", "a/../b", "a\\..\\b", ""):
        with pytest.raises(ToolCallError, match="argument 'name' must not"):
            await ask(adapter, name=bad)


async def test_headers_cannot_be_split(make: Make):
    """A value with a line break makes no second header."""
    adapter = make(whoami(Param("x", "header", key="X-Key")))
    with pytest.raises(ToolCallError, match="line breaks"):
        await ask(adapter, x="a\r\nX-Other: b")


async def test_bodies_of_each_kind(make: Make):
    """Forms, files and raw bytes arrive as what they are."""
    form = make(Endpoint("form", "POST", "/form", params=(Param("username", "body"),), body="form"))
    assert await ask(form, username="a&b c") == {"username": "a&b c", "age": 3}
    params = (Param("file", "body", "file"), Param("note", "body"))
    upload = make(Endpoint("upload", "POST", "/upload", params=params, body="multipart"))
    got = await ask(upload, file=Media(PNG, "image/png", "dot.png"), note="n")
    assert got == {"name": "dot.png", "type": "image/png", "size": len(PNG), "note": "n"}
    assert (await ask(upload, file=b"123"))["size"] == 3
    raw = make(
        Endpoint("raw", "POST", "/raw", params=(Param("data", "content", "any"),), body="raw")
    )
    got = await ask(raw, data="text")
    assert got == {"type": "text/plain; charset=utf-8", "body": "text"}
    assert (await ask(raw, data=b"bytes"))["type"] == "application/octet-stream"


async def test_arguments_are_checked_and_converted(make: Make):
    """Wrong values never reach the server; safe conversions are made; names are told."""
    params = (
        Param("n", type="integer"),
        Param("on", type="boolean"),
        Param("kind", schema={"enum": ["a", "b"]}),
    )
    adapter = make(whoami(*params))
    assert (await ask(adapter, n="5", on="true", kind="a"))["query"] == "n=5&on=true&kind=a"
    assert (await ask(adapter, n=None))["query"] == ""
    for wrong, said in (
        ({"n": "many"}, "argument 'n' 'many' is not of type 'integer'"),
        ({"n": True}, "is not of type 'integer'"),
        ({"kind": "c"}, "is not one of"),
        ({"n": object()}, "cannot be object"),
        ({"n": float("nan")}, "nan"),
        ({"m": 1}, "no argument 'm'.*it takes 'n', 'on', 'kind'"),
    ):
        with pytest.raises(ToolCallError, match=said):
            await ask(adapter, **wrong)


# --- answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/items/3", {"item_id": 3, "q": None, "limit": 10}),
        ("/text?charset=latin-1", "grün"),
        ("/text", "grün"),
        ("/binary", bytes(range(256))),
        ("/image", Media(PNG, "image/png", "dot.png")),
        ("/head", {"x-total": "7"}),
        ("/pause", None),
    ],
)
async def test_answers(make: Make, path: str, value: Any):
    """JSON, text in its charset, bytes, pictures and headers come as what they are."""
    path, _, charset = path.partition("?charset=")
    params = (Param("charset", default=charset),) if charset else ()
    method = "HEAD" if path == "/head" else "GET"
    got = await ask(make(Endpoint("get", method, path, params=params)))
    assert (got.items() >= value.items()) if method == "HEAD" else got == value


async def test_errors_carry_status_and_body(make: Make):
    """An error has its status, its body parsed, and says what was asked."""
    with pytest.raises(ToolCallError, match="GET /status/404 answered 404 Not Found") as caught:
        await ask(make(Endpoint("get", path="/status/404")))
    assert caught.value.status == 404
    assert caught.value.body == {"detail": "it is 404, gone wrong"}
    with pytest.raises(ToolCallError, match="JSON that cannot be read") as caught:
        await ask(make(Endpoint("get", path="/bad-json")))
    assert caught.value.body == "{not json"


async def test_reading_stops_at_the_bound(make: Make):
    """Of an answer without end little is read; a bomb of compression is never blown up."""
    adapter = make(
        Endpoint("huge", path="/huge", params=(Param("size", type="integer"),)),
        Endpoint("bomb", path="/bomb", params=(Param("size", type="integer"),)),
        max_response=100_000,
    )
    seen["huge"] = 0
    for name, size in (("huge", 10**9), ("bomb", 10**8)):
        with pytest.raises(ToolCallError, match=r"more than 100,000 bytes \(max_response\)"):
            await adapter.call(f"api.{name}", {"size": size})
    assert seen["huge"] < 10**8
    assert await adapter.call("api.bomb", {"size": 90_000}) == "\0" * 90_000


@pytest.mark.alone
async def test_a_slow_answer_is_a_timeout(make: Make):
    """A call takes no longer than its limit."""
    adapter = make(Endpoint("slow", path="/slow", params=(Param("seconds"),)), timeout=0.2)
    start = time.monotonic()
    with pytest.raises(ToolTimeoutError, match=r"its limit of 0\.2 s") as caught:
        await ask(adapter, seconds=30)
    assert time.monotonic() - start < 2
    assert caught.value.timeout == 0.2


# --- retries -----------------------------------------------------------------------------------


def flaky(method: str = "GET", **defaults: Any) -> Endpoint:
    params = tuple(Param(name, default=value) for name, value in defaults.items())
    return Endpoint("flaky", method, "/flaky", params=(Param("key"), *params))


@pytest.mark.parametrize("code", [429, 503])
async def test_idempotent_requests_are_sent_again(make: Make, code: int):
    """429 and 503 are tried again, as often as was set; other errors are not."""
    key = uuid.uuid4().hex
    assert await ask(make(flaky(code=code)), key=key) == {"tries": 3}
    with pytest.raises(ToolCallError, match=f"answered {code}"):
        await ask(make(flaky(code=code), retries=1), key=uuid.uuid4().hex)
    key = uuid.uuid4().hex
    with pytest.raises(ToolCallError, match="answered 500"):
        await ask(make(flaky(code=500)), key=key)
    assert seen[key] == 1


async def test_others_are_sent_once(make: Make):
    """A POST may have worked: it is never sent twice."""
    key = uuid.uuid4().hex
    with pytest.raises(ToolCallError, match="answered 503"):
        await ask(make(flaky("POST")), key=key)
    assert seen[key] == 1


@pytest.mark.alone
async def test_retry_after_is_honoured(make: Make):
    """Seconds and dates are waited for; what takes too long is an error at once."""
    import datetime as dt

    start = time.monotonic()
    assert await ask(make(flaky(fails=1, after="1")), key=uuid.uuid4().hex) == {"tries": 2}
    assert 1 <= time.monotonic() - start < 3
    date = format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2), usegmt=True)
    start = time.monotonic()
    assert await ask(make(flaky(fails=1, after=date)), key=uuid.uuid4().hex) == {"tries": 2}
    assert 0.8 <= time.monotonic() - start < 4
    for after in ("3600", "5"):
        start = time.monotonic()
        with pytest.raises(ToolCallError, match="answered 503") as caught:
            await ask(make(flaky(after=after), timeout=4), key=uuid.uuid4().hex)
        assert time.monotonic() - start < 1
        assert caught.value.retry_after == after


async def test_no_connection(make: Make):
    """A server that is not there is tried again, then an error that names no secret."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    adapter = make(whoami(), base_url=f"http://127.0.0.1:{port}")
    with pytest.raises(ToolCallError, match=r"GET /whoami failed: .*connect"):
        await ask(adapter)


# --- redirects ---------------------------------------------------------------------------------


async def test_redirects_within_the_host_are_followed(make: Make):
    """A few of them, with credentials; a POST becomes a GET where HTTP says so."""
    to = Param("to")
    adapter = make(Endpoint("redirect", path="/redirect", params=(to,)), auth=Bearer("s3cret"))
    got = await ask(adapter, to="/whoami?x=1")
    assert (got["method"], got["query"]) == ("GET", "x=1")
    assert got["headers"]["authorization"] == "Bearer ***"
    params = (Param("code", type="integer"), Param("a", "body"))
    moved = make(Endpoint("moved", "POST", "/moved", params=params))
    assert (await ask(moved, code=303, a="b"))["method"] == "GET"
    got = await ask(moved, code=307, a="b")
    assert (got["method"], got["body"]) == ("POST", '{"a":"b"}')
    with pytest.raises(ToolCallError, match="redirected more than 5 times"):
        await ask(make(Endpoint("circle", path="/circle")))


async def test_redirects_elsewhere_are_not_followed(make: Make):
    """Another host, another port, another scheme: an error that says where it would lead."""
    adapter = make(Endpoint("redirect", path="/redirect", params=(Param("to"),)))
    port = running().rpartition(":")[2]
    for to in (
        "http://localhost:" + port,
        "http://127.0.0.1:1/",
        "//example.com/x",
        f"https://127.0.0.1:{port}/",
        f"http://user@127.0.0.1:{port}/whoami",
        "file:///etc/passwd",
    ):
        with pytest.raises(ToolCallError, match="another host and is not followed") as caught:
            await ask(adapter, to=to)
        assert caught.value.status == 307


# --- credentials -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "where", "sent"),
    [
        (Bearer("${KEY}"), "authorization", "Bearer s3cret-key"),
        (Basic("me", "${KEY}"), "authorization", "Basic bWU6czNjcmV0LWtleQ=="),
        (APIKey("X-Key", "${KEY}"), "x-key", "s3cret-key"),
        (APIKey("api key", "${KEY}", "query"), "query", "api%20key=s3cret-key"),
    ],
)
async def test_credentials_are_sent_and_never_seen(make: Make, auth, where, sent, caplog):
    """The server gets them; results, errors, logs and reprs do not show them."""
    caplog.set_level(logging.DEBUG)
    got_raw: list[dict[str, Any]] = []
    http_app.watchers.append(got_raw.append)
    adapter = make(
        whoami(Param("key", "header", key="X-Other")), auth=auth, secrets={"KEY": "s3cret-key"}
    )
    got = await ask(adapter, key="mine")
    http_app.watchers.clear()
    assert (got_raw[0]["query"] if where == "query" else got_raw[0]["headers"][where]) == sent
    shown = f"{got} {caplog.text} {auth!r}"
    assert "s3cret-key" not in shown
    assert "bWU6czNjcmV0LWtleQ" not in shown
    assert "***" in str(got)


async def test_a_written_secret_is_hidden_too(make: Make):
    """A token that stands in the program itself does not come back either."""
    got = await ask(make(whoami(), auth=Bearer("tok tok")))
    assert got["headers"]["authorization"] == "Bearer ***"


async def test_cookies_of_one_call_are_not_in_another(make: Make):
    """What a server sets in one call, which may be another agent's, is forgotten."""
    adapter = make(Endpoint("cookie", path="/cookie"))
    assert await ask(adapter) == {}
    assert await ask(adapter) == {}


async def test_headers_of_the_file(make: Make):
    """They are sent with every request; a missing secret is told with its key."""
    got = await ask(make(whoami(), headers={"X-Key": "${A:-one}"}))
    assert got["headers"]["x-key"] == "one"
    with pytest.raises(ConfigError, match="NOT_SET_ANYWHERE") as caught:
        make(whoami(), headers={"X-Key": "${NOT_SET_ANYWHERE}"})
    assert caught.value.key == "headers.X-Key"


# --- the life of it ----------------------------------------------------------------------------


async def test_a_cancelled_call_closes_its_connection(make: Make, tmp_path, eventually):
    """The server sees that nobody waits any more; the pool goes on working."""
    adapter = make(Endpoint("hang", path="/hang", params=(Param("x"),)))
    task = asyncio.create_task(ask(adapter, x=str(tmp_path / "file")))
    await eventually(lambda: seen["hanging"])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: not seen["hanging"])


async def test_closing_ends_calls_that_run(make: Make, tmp_path, eventually):
    """They end with an error that says so, not with a hang."""
    adapter = make(Endpoint("hang", path="/hang", params=(Param("x"),)))
    task = asyncio.create_task(ask(adapter, x=str(tmp_path / "file")))
    await eventually(lambda: seen["hanging"])
    await adapter.aclose()
    with pytest.raises(ToolCallError, match="was closed"):
        await asyncio.wait_for(task, 5)
    await eventually(lambda: not seen["hanging"])


def test_another_loop(make: Make):
    """An API works in a loop that comes after another."""
    adapter = HTTPAdapter("api", base_url=running(), endpoints=[whoami()])

    async def once() -> Any:
        try:
            return (await ask(adapter))["method"]
        finally:
            await adapter._sender.aclose()

    assert [asyncio.run(once()) for _ in range(2)] == ["GET", "GET"]


async def test_without_httpx(make: Make, monkeypatch):
    """A call where httpx is not installed says what to install."""
    monkeypatch.setitem(sys.modules, "httpx", None)
    monkeypatch.delitem(sys.modules, "py_code_mode.tools.http.transport", raising=False)
    with pytest.raises(ToolCallError, match=r"need httpx: pip install 'py-code-mode\[http\]'"):
        await ask(make(whoami()))


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"base_url": "ftp://x"}, "base_url"),
        ({"base_url": "http://user:pw@x"}, "base_url"),
        ({"base_url": "http://x/?q=1"}, "base_url"),
        ({"base_url": "http://x:port"}, "base_url"),
        ({"base_url": "", "endpoints": [whoami()]}, "base_url"),
        ({"timeout": 0}, "timeout"),
        ({"retries": -1}, "retries"),
        ({"max_response": 0}, "max_response"),
        ({"headers": {"a b": "c"}}, "headers"),
        ({"headers": {"a": "b\nc"}}, "headers.a"),
        ({"endpoints": [Endpoint("a.b")]}, "endpoints.0.name"),
        ({"endpoints": [Endpoint("a", "FETCH")]}, "endpoints.0.method"),
        ({"endpoints": [Endpoint("a", path="b")]}, "endpoints.0.path"),
        ({"endpoints": [Endpoint("a", path="/b?c")]}, "endpoints.0.path"),
        ({"endpoints": [whoami(Param("a", "path"))]}, "endpoints.0.params.0.name"),
        ({"endpoints": [whoami(Param("a"), Param("a"))]}, "endpoints.0.params.1.name"),
        ({"endpoints": [whoami(Param("Host", "header"))]}, "endpoints.0.params.0.name"),
        ({"endpoints": [whoami(), whoami()]}, "endpoints.1.name"),
        (
            {"base_url": "http://{host}/", "endpoints": [whoami()], "auth": Bearer("x")},
            "allow_hosts",
        ),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], key: str):
    """What cannot work is refused when it is set up; the error names the key."""
    with pytest.raises(ConfigError) as caught:
        HTTPAdapter("api", **{"base_url": "http://x"} | settings)
    assert caught.value.key == key
