"""What a server answers becomes a value or one of our errors, whatever it is."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest

from py_code_mode.container import (
    NotAuthorized,
    RemoteError,
    ServerBusy,
    ServerFailed,
    ServerUnreachable,
    SessionClient,
    SessionLost,
    SessionNotFound,
)
from py_code_mode.errors import (
    ArtifactNotFoundError,
    ConfigError,
    KernelDied,
    KernelError,
    KernelStartError,
    SessionClosed,
    ValueNotEncodableError,
)
from tests.container.scripted import Asked, http, saying, serving


def error(kind: str, message: str = "why", **details: Any) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message, **details}}


async def raised(answer: bytes, expected: type[Exception], **options: Any) -> Any:
    """What a client raises when a server says this to a question about variables."""
    async with serving(saying(answer)) as url, SessionClient(url, session="s", **options) as client:
        with pytest.raises(expected) as caught:
            await client.variables()
        return caught.value


KNOWN = {
    "unauthorized": (401, NotAuthorized),
    "forbidden": (403, NotAuthorized),
    "session_not_found": (404, SessionNotFound),
    "session_lost": (410, SessionLost),
    "too_many": (429, ServerBusy),
    "internal": (500, ServerFailed),
    "shutting_down": (503, ServerBusy),
    "bad_request": (422, RemoteError),
    "kernel_error": (409, KernelError),
    "session_busy": (409, KernelError),
    "kernel_died": (502, KernelDied),
    "kernel_start": (502, KernelStartError),
    "not_encodable": (422, ValueNotEncodableError),
}


@pytest.mark.parametrize("kind", KNOWN)
async def test_errors_have_types(kind):
    """Each error of the contract is an error of the tree, with the server's words in it."""
    status, expected = KNOWN[kind]
    found = await raised(http(status, error(kind, "the reason", limit=5)), expected)
    assert type(found) is expected
    assert "the reason" in str(found)
    if isinstance(found, RemoteError):
        assert (found.status, found.kind, found.limit) == (status, kind, 5)


BARE = {
    401: NotAuthorized,
    403: NotAuthorized,
    404: RemoteError,
    418: RemoteError,
    429: ServerBusy,
    500: ServerFailed,
    502: ServerFailed,
    503: ServerBusy,
    504: ServerFailed,
}


@pytest.mark.parametrize("status", BARE)
async def test_errors_of_those_between(status):
    """A proxy that knows nothing of us is understood by the status."""
    found = await raised(http(status, b"<h1>no</h1>"), BARE[status])
    assert type(found) is BARE[status]
    assert found.status == status


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        *(("7", 7.0), ("-5", 0.0), ("nan", 1.0), ("x", 1.0), ("", 1.0), ("1e9", 3600.0)),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
async def test_when_to_come_back(said, seconds):
    """``retry_after`` is a sane number of seconds, whatever the server says."""
    found = await raised(http(429, error("too_many"), Retry_After=said), ServerBusy)
    assert found.retry_after == seconds


VARIABLE = {"name": "a", "type": "t", "shape": None, "length": None, "size": 1, "preview": ""}
NONSENSE = {
    "no JSON": http(200, b"<html>"),
    "another JSON": http(200, [1, 2]),
    "no list": http(200, {"variables": {}}),
    "no variable": http(200, {"variables": [{"name": 5}]}),
    "a shape of words": http(200, {"variables": [{**VARIABLE, "shape": ["x"]}]}),
    "nan": http(200, b'{"variables": NaN}'),
    "deep": http(200, b"[" * 100_000),
    "elsewhere": http(307, b"", Location="http://127.0.0.1:1/"),
    "compressed": http(200, gzip.compress(b"0" * 1000), Content_Encoding="gzip"),
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "an odd status": b"HTTP/1.1 999999999 X\r\n\r\n",
    "large": http(200, b"0" * 3000),
    "large without an end": b"HTTP/1.1 200 OK\r\n\r\n" + b"0" * 3000,
    "an error that is none": http(500, {"error": "x"}),
    "an error of lists": http(500, {"error": {"type": [], "message": {}}}),
    "a large error": http(500, b"0" * 2_000_000),
}


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE.keys())
async def test_nonsense_is_a_failure_of_the_server(answer):
    """Answers that make no sense, or have no end, are refused without harm."""
    assert type(await raised(answer, ServerFailed, max_bytes=2000)) is ServerFailed


async def test_a_server_cannot_write_on_the_terminal():
    """Its words are shown without control characters, and not without end; odd details are not."""
    said = error(
        "internal", "\x1b[31mred\x07" + "x" * 100_000, message2=1, **{"__class__": 2, "a b": 3}
    )
    found = await raised(http(500, {**said, "status": 7}), ServerFailed)
    assert "\x1b" not in str(found)
    assert "\x07" not in str(found)
    assert len(str(found)) < 10_000
    assert found.details == {"message2": 1}


async def test_nobody_is_there():
    """Where nothing listens, runs and questions say so at once."""
    async with serving(saying(b"")) as url:
        pass
    async with SessionClient(url) as client:
        for work in (client.run("1"), client.variables(), client.artifacts.load("a")):
            with pytest.raises(ServerUnreachable, match="cannot connect"):
                await work


async def test_a_server_that_says_nothing():
    """A question is given up after the client's patience, a lost connection at once."""

    async def silent(_: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with serving(silent) as url, SessionClient(url, session="s", patience=0.2) as client:
        with pytest.raises(ServerUnreachable, match="did not answer"):
            await client.sessions()
    assert "broke" in str(await raised(b"", ServerUnreachable))
    assert "broke" in str(await raised(http(200, b"{", Content_Length="9"), ServerUnreachable))


async def test_what_is_sent():
    """Each request carries the token and asks for nothing compressed; JSON says that it is JSON."""
    seen: list[Asked] = []

    async def note(asked: Asked, writer: asyncio.StreamWriter) -> None:
        seen.append(asked)
        writer.write(http(204))

    async with serving(note) as url, SessionClient(f"{url}/base/", "secret", "s") as client:
        await client.set_variable("ü", {1: b"x"})
    (asked,) = seen
    assert (asked.method, asked.target) == ("PUT", "/base/sessions/s/variables/%C3%BC")
    assert asked.headers["authorization"] == "Bearer secret"
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["content-type"] == "application/json"
    assert asked.json["value"].keys() == {"tree", "base64"}


@pytest.mark.parametrize(
    "url", ["", "localhost:8080", "ftp://a", "http://", "http://a:x", "http://u:p@a", "http://a?b"]
)
def test_urls_that_are_none(url):
    """A url that cannot be a server's is refused before anything is sent."""
    with pytest.raises(ConfigError, match="no url of a server"):
        SessionClient(url)


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "ü"])
def test_tokens_that_are_none(token):
    """A token that a header cannot carry is refused."""
    with pytest.raises(ConfigError, match="token"):
        SessionClient("http://localhost", token)


@pytest.mark.parametrize("odd", ["", ".", "..", "../x", "a/b", "a?b", "a#b", "a%2fb", "ü", "a\n"])
def test_ids_that_lead_elsewhere(odd):
    """An id that would make another path of the request is no id."""
    with pytest.raises(SessionNotFound, match="cannot be the id"):
        SessionClient("http://localhost", session=odd)


async def test_names_that_lead_elsewhere():
    """Names of variables and artifacts cannot make another path either."""
    async with SessionClient("http://localhost:1", session="s") as client:
        for name in ("a/b", "..", "a b", ""):
            with pytest.raises(KernelError, match="identifier"):
                await client.get_variable(name)
        for name in ("../x", "/etc/passwd", "a/../b", "", "."):
            with pytest.raises(ArtifactNotFoundError):
                await client.artifacts.load(name)
            assert not await client.artifacts.exists(name)
            assert not await client.artifacts.delete(name)


@pytest.mark.parametrize("odd", ["../x", "", "a/b", 5, None])
async def test_a_server_cannot_choose_an_odd_id(odd):
    """An id the server gives is checked as well."""
    answer = saying(http(201, {"id": odd, "name": "n"}))
    async with serving(answer) as url, SessionClient(url, keep=True) as client:
        with pytest.raises(ServerFailed):
            await client.session()


async def test_a_closed_client():
    """After the end every verb says so, and the end may come twice."""
    client = SessionClient("http://localhost:1", session="s")
    await client.aclose()
    await client.close()
    for work in (client.run("1"), client.variables(), client.sessions(), client.artifacts.list()):
        with pytest.raises(SessionClosed):
            await work


async def test_a_client_that_was_forgotten():
    """A client that nobody closed says so."""
    with pytest.warns(ResourceWarning, match="was not closed"):
        SessionClient("http://localhost:1").__del__()
