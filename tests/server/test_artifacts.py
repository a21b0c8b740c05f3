"""Artifacts over HTTP: streamed up and down, in ranges, and never out of their store."""

from __future__ import annotations

import hashlib
import re
import socket

import pytest

from tests.server.conftest import error_of, until, value


def test_up_down_and_gone(alice, session):
    """What is put is what is got, by clients and by code, until it is deleted."""
    data = bytes(range(256)) * 20_000
    put = alice.put(
        "/artifacts/a/b%20%C3%A9.bin", content=data, params={"description": "All bytes"}
    )
    assert put.status_code == 201
    info = put.json()
    assert (info["name"], info["kind"], info["author"]) == ("a/b é.bin", "bytes", "alice")
    assert info["sha256"] == hashlib.sha256(data).hexdigest()
    got = alice.get("/artifacts/a/b é.bin")
    assert got.content == data
    assert got.headers["etag"] == f'"{info["sha256"]}"'
    assert value(alice, session, "len(artifacts.load('a/b é.bin'))") == len(data)
    (listed,) = alice.get("/artifacts", params={"prefix": "a/"}).json()["artifacts"]
    assert listed == info
    assert alice.delete("/artifacts/a/b é.bin").status_code == 204
    assert error_of(alice.delete("/artifacts/a/b é.bin"), 404)["type"] == "not_found"
    assert error_of(alice.get("/artifacts/a/b é.bin"), 404)["type"] == "not_found"


def test_code_s_artifacts_come_down(alice, session):
    """What code saves has its content type and its kind, and no browser runs it."""
    value(alice, session, "artifacts.save('page.html', '<script>1</script>')\n0")
    got = alice.get("/artifacts/page.html")
    assert (got.text, got.headers["content-type"]) == ("<script>1</script>", "text/html")
    assert got.headers["x-artifact-kind"] == "text"
    assert got.headers["content-disposition"] == "attachment"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in got.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("sent", "status", "part"),
    [
        ("bytes=0-3", 206, "0123"),
        ("bytes=6-", 206, "6789"),
        ("bytes=-2", 206, "89"),
        ("bytes=8-999", 206, "89"),
        ("bytes=10-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=3-1", 200, "0123456789"),
        ("bytes=0-1,4-5", 200, "0123456789"),
        ("lines=1-2", 200, "0123456789"),
        ("bytes=" + "9" * 40 + "-", 200, "0123456789"),
    ],
)
def test_ranges(alice, sent, status, part):
    """A range gives its bytes; one that is none is ignored, and one behind the end refused."""
    alice.put("/artifacts/digits.txt", content=b"0123456789")
    got = alice.get("/artifacts/digits.txt", headers={"Range": sent})
    assert got.status_code == status
    if part is not None:
        assert got.text == part
    if status == 206:
        start = "0123456789".index(part)
        assert got.headers["content-range"] == f"bytes {start}-{start + len(part) - 1}/10"
    if status == 416:
        assert got.headers["content-range"] == "bytes */10"


def test_versions(alice):
    """A client that has the version is told so, and a range of another version is not mixed in."""
    etag = {}
    for text in ("one", "two"):
        alice.put("/artifacts/v.txt", content=text.encode())
        head = alice.head("/artifacts/v.txt")
        etag[text] = head.headers["etag"]
        assert (head.headers["content-length"], head.content) == ("3", b"")
    for header in (etag["two"], f'"x", W/{etag["two"]}', "*"):
        same = alice.get("/artifacts/v.txt", headers={"If-None-Match": header})
        assert (same.status_code, same.content) == (304, b"")
    assert alice.get("/artifacts/v.txt", headers={"If-None-Match": etag["one"]}).text == "two"
    for text, got in (("one", "two"), ("two", "wo")):
        headers = {"Range": "bytes=1-", "If-Range": etag[text]}
        assert alice.get("/artifacts/v.txt", headers=headers).text == got


@pytest.mark.parametrize(
    ("name", "content", "more", "loads"),
    [
        ("d.json", b'{"a": [1]}', {}, "{'a': [1]}"),
        ("broken.json", b'{"a": ', {}, "b'{\"a\": '"),
        ("t.txt", "é".encode(), {}, "'é'"),
        ("t.txt", b"\xff", {}, "b'\\xff'"),
        ("plain", b"text", {"headers": {"Content-Type": "text/plain"}}, "'text'"),
        ("t.csv", b"1", {"params": {"kind": "bytes"}}, "b'1'"),
        ("empty", b"", {}, "b''"),
    ],
)
def test_what_is_put_loads_as_what_it_is(alice, session, name, content, more, loads):
    """JSON and text load as such if they are, all else as bytes, or as the client says."""
    assert alice.put(f"/artifacts/{name}", content=content, **more).status_code == 201
    assert value(alice, session, f"repr(artifacts.load({name!r}))") == loads


@pytest.mark.parametrize(
    "path",
    [
        *("..%2f..%2fetc%2fpasswd", "%2e%2e/x", "a/../../x", "a%2f..%2f..%2fx", "%2fetc%2fpasswd"),
        *("a%5c..%5cx", "C:%5cx", ".pcm/x", "x%00y", "a%0ab", "%c3%28", "a//b", ".", "con", "x/"),
        *("x" * 600, "%F0%9F", "a/./b"),
    ],
)
def test_a_name_leads_nowhere_else(server, alice, path):
    """Tricks in names are refused when written, and name nothing when read."""
    target = f"/artifacts/{path}".encode()
    for method, allowed in (("PUT", {400, 404, 405, 422}), ("GET", {400, 404, 405, 422})):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(
                method.encode() + b" " + target + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
                b"Authorization: Bearer alice-secret\r\nConnection: close\r\n\r\nx"
            )
            answer = b"".join(iter(lambda c=connection: c.recv(65536), b""))
        assert int(re.match(rb"HTTP/1.1 (\d+)", answer)[1]) in allowed, answer
        assert b'{"error":{"type":' in answer


def test_half_an_upload_is_none(server, alice):
    """A client that breaks off leaves the artifact as it was."""
    alice.put("/artifacts/kept.txt", content=b"before")
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(
            b"PUT /artifacts/kept.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n"
            b"Authorization: Bearer alice-secret\r\n\r\n" + b"y" * 3_000_000
        )
        connection.shutdown(socket.SHUT_WR)
    assert alice.get("/artifacts/kept.txt").text == "before"
    until(lambda: alice.get("/health").status_code == 200)
    large = alice.put("/artifacts/kept.txt", content=b"z" * 50_000_001)
    assert error_of(large, 413) == {
        "type": "too_large",
        "message": "the body may have 50,000,000 bytes",
        "limit": 50_000_000,
    }
    in_pieces = alice.put("/artifacts/kept.txt", content=(b"z" * 1_000_000 for _ in range(51)))
    assert error_of(in_pieces, 413)["type"] == "too_large"
    assert alice.get("/artifacts/kept.txt").text == "before"
