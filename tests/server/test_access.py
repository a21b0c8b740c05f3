"""Who may ask what: tokens, scopes, hosts and origins."""

from __future__ import annotations

import contextlib

import pytest

from py_code_mode import ConfigError
from py_code_mode.server import create_app, load_settings
from py_code_mode.server.access import Access
from py_code_mode.server.problems import Problem
from tests.server.conftest import error_of

SAFE = {"/health", "/ready", "/openapi.json", "/docs"}


@pytest.mark.parametrize(
    "header",
    [None, "Bearer", "Bearer wrong", "Basic YWxpY2U6", "alice-secret", "Bearer alice-secre"],
)
def test_without_a_right_token_there_is_nothing(server, header):
    """Everything but health and description needs a token that is known."""
    with server.client() as client:
        paths = client.get("/openapi.json").json()["paths"]
        headers = {} if header is None else {"Authorization": header}
        for path, operations in paths.items():
            for method in operations:
                answer = client.request(method, path.replace("{id}", "x"), headers=headers)
                if path in SAFE:
                    assert answer.status_code == 200
                    continue
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"].startswith("Bearer")
                if method != "head":
                    assert answer.json()["error"]["type"] == "unauthorized"


def test_a_token_does_what_its_scopes_say(server, alice):
    """A token for reading artifacts reads artifacts, and neither writes them nor runs code."""
    alice.put("/artifacts/x", content=b"x")
    with server.client("reader-secret") as reader:
        assert reader.get("/artifacts/x").content == b"x"
        assert reader.get("/metrics").status_code == 200
        for method, path, scope in (
            ("PUT", "/artifacts/x", "artifacts.write"),
            ("DELETE", "/artifacts/x", "artifacts.write"),
            ("POST", "/sessions", "run"),
            ("POST", "/execute", "run"),
            ("GET", "/tools", "catalogue"),
        ):
            error = error_of(reader.request(method, path), 403)
            assert (error["type"], error["scope"]) == ("forbidden", scope)


def scope_of(server: str, client: str) -> dict:
    return {"server": (server, 8080), "client": (client, 5000)}


NEAR = scope_of("127.0.0.1", "127.0.0.1")


@pytest.mark.parametrize(
    ("options", "scope", "headers", "served"),
    [
        ({}, NEAR, {"host": "localhost:8080"}, True),
        ({}, NEAR, {"host": "127.0.0.1"}, True),
        ({}, scope_of("::1", "::1"), {"host": "[::1]:8080"}, True),
        ({}, NEAR, {"host": "evil.example:8080"}, False),
        ({}, NEAR, {"host": "localhost.evil.example"}, False),
        ({}, NEAR, {}, False),
        ({}, scope_of("10.0.0.5", "10.0.0.9"), {"host": "localhost"}, False),
        ({}, scope_of("127.0.0.1", "10.0.0.9"), {"host": "localhost"}, False),
        ({}, NEAR, {"host": "localhost:1", "origin": "http://localhost:1"}, True),
        ({}, NEAR, {"host": "localhost:1", "origin": "http://localhost:2"}, False),
        ({}, NEAR, {"host": "localhost:1", "origin": "null"}, False),
        (
            {"allow_anonymous": True},
            scope_of("10.0.0.5", "10.0.0.9"),
            {"host": "localhost:8080"},
            True,
        ),
        (
            {"allow_anonymous": "1"},
            scope_of("10.0.0.5", "10.0.0.9"),
            {"host": "evil.example"},
            False,
        ),
        ({"allowed_hosts": "box.example, b"}, NEAR, {"host": "BOX.example:8080"}, True),
        ({"token": "t"}, scope_of("10.0.0.5", "10.0.0.9"), {"host": "anything"}, True),
        ({"token": "t", "allowed_hosts": "a"}, NEAR, {"host": "b"}, False),
    ],
)
def test_without_a_token_only_this_machine_is_served(options, scope, headers, served, tmp_path):
    """Neither the network, nor a page that rebinds its name, nor one of another origin gets in."""
    access = Access(load_settings(**options))
    refusal = contextlib.nullcontext() if served else pytest.raises(Problem, match=r"host|token")
    with refusal as caught:
        access.check_place(scope, headers)
    assert served or caught.value.status == 403


def test_a_server_without_a_token_says_so(start):
    """It listens on this machine only, says that, and refuses to listen elsewhere."""
    server = start()
    assert server.url.startswith("http://127.0.0.1:")
    assert any("no token is set" in line for line in server.said)
    with server.client() as client:
        assert client.post("/execute", json={"code": "6*7"}).json()["value"] == 42
        foreign = client.post("/execute", json={"code": "1"}, headers={"Host": "rebound.example"})
        assert client.get("/health", headers={"Host": "10.1.2.3"}).status_code == 200  # a probe
        assert error_of(foreign, 403)["type"] == "forbidden"
        form = client.post("/execute", content='{"code": "1"}')  # what a page may send unasked
        assert error_of(form, 415)["type"] == "bad_request"
    assert server.stop() == 0
    for flags, words in (
        (("--host", "0.0.0.0"), "without a token it listens on this machine only"),
        (("--state", "/dev/null/x"), "the setting state says where"),
        (("--port", str(server.port + 70_000)), "--port"),
    ):
        refused = start(*flags)
        assert refused.process.wait(20) == 1
        assert words in refused.said[-1]
        assert not any("Traceback" in line for line in refused.said)


@pytest.mark.parametrize(
    "options",
    [
        {"token": "same", "tokens": [{"name": "a", "token": "same"}]},
        {"tokens": [{"name": "a", "token": "x"}, {"name": "a", "token": "y"}]},
        {"token_file": "/nowhere/token"},
    ],
)
def test_tokens_must_tell_their_owners_apart(options):
    """Two tokens that are one, two owners of one name, or an unreadable file are errors."""
    with pytest.raises(ConfigError):
        create_app(**options)


async def test_tags_need_an_executor_of_the_server_s_own(executor, tmp_path):
    """An executor from elsewhere has one set of tools, so tags of tokens are refused with it."""
    token = {"name": "a", "token": "x", "tags": ["t"]}
    app = create_app(executor, tokens=[token], state=tmp_path)
    with pytest.raises(ConfigError, match="tags"):
        await app.state.service.start()
