"""A real API for the tests: FastAPI served by uvicorn in a thread, with every kind of endpoint."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import enum
import functools
import gzip
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import (
    Body,
    Cookie,
    FastAPI,
    File,
    Form,
    Header,
    HTTPException,
    Query,
    Request,
    UploadFile,
)
from fastapi.responses import (
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from pydantic import BaseModel

from tests.conftest import ROOT

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


class Color(enum.StrEnum):
    red = "red"
    blue = "blue"


class Owner(BaseModel):
    name: str
    age: int | None = None


class Item(BaseModel):
    title: str
    price: float
    tags: list[str] = []
    color: Color = Color.red
    owner: Owner | None = None
    children: list[Item] = []


app = FastAPI(title="Everything")
seen: Counter[str] = Counter()
"""How often each flaky key was asked for."""

watchers: list[Callable[[dict[str, Any]], None]] = []
"""See what ``/whoami`` was asked, as it arrived."""


@app.get("/items/{item_id}", tags=["items"])
async def read_item(item_id: int, q: str | None = None, limit: int = 10) -> dict[str, Any]:
    """Read an item."""
    return {"item_id": item_id, "q": q, "limit": limit}


@app.get("/names/{name}")
async def read_name(name: str) -> str:
    return name


@app.get("/names/{name}/secret")
async def read_secret(name: str) -> str:
    return f"the secret of {name}"


@app.post("/items", tags=["items"], status_code=201)
async def create_item(item: Item) -> Item:
    return item


@app.put("/items/{item_id}", tags=["items"])
async def replace_item(item_id: int, item: Item, note: Annotated[str, Body()] = "") -> dict:
    return {"item_id": item_id, "item": item, "note": note}


@app.delete("/items/{item_id}", tags=["items"], status_code=204)
async def delete_item(item_id: int) -> None:
    pass


@app.get("/search")
async def search(
    color: Color,
    words: Annotated[list[str], Query()] = [],  # noqa: B006 - as FastAPI has it
    flag: bool = False,
    ratio: Annotated[float, Query(ge=0, le=1)] = 0.5,
) -> dict[str, Any]:
    return {"color": color, "words": words, "flag": flag, "ratio": ratio}


@app.get("/headers")
async def headers(
    request: Request,
    x_request_id: Annotated[str, Header()],
    session: Annotated[str | None, Cookie()] = None,
) -> dict[str, Any]:
    sent = {name: request.headers.get(name) for name in ("authorization", "x-key", "host")}
    return {"x_request_id": x_request_id, "session": session, **sent}


@app.post("/form")
async def form(username: Annotated[str, Form()], age: Annotated[int, Form()] = 3) -> dict:
    return {"username": username, "age": age}


@app.post("/upload")
async def upload(file: UploadFile, note: Annotated[str, Form()] = "") -> dict[str, Any]:
    data = await file.read()
    return {"name": file.filename, "type": file.content_type, "size": len(data), "note": note}


@app.post("/uploads")
async def uploads(files: Annotated[list[bytes], File()]) -> list[int]:
    return [len(each) for each in files]


@app.post("/raw")
async def raw(request: Request) -> dict[str, Any]:
    return {"type": request.headers.get("content-type"), "body": (await request.body()).decode()}


@app.get("/status/{code}")
async def status(code: int) -> Response:
    raise HTTPException(code, f"it is {code}, gone wrong")


@app.get("/slow")
async def slow(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "at last"


@app.get("/redirect")
async def redirect(to: str, code: int = 307) -> Response:
    return RedirectResponse(to, code)


@app.get("/circle")
async def circle() -> Response:
    return RedirectResponse("/circle", 302)


@app.post("/moved")
async def moved(code: int = 303) -> Response:
    return RedirectResponse("/whoami", code)


@app.api_route("/whoami", methods=["GET", "POST", "PUT"], include_in_schema=False)
async def whoami(request: Request) -> dict[str, Any]:
    body = (await request.body()).decode()
    found = {
        "method": request.method,
        "path": request.scope["raw_path"].decode(),
        "query": request.url.query,
        "body": body,
        "headers": dict(request.headers),
    }
    for watch in watchers:
        watch(found)
    return found


@app.get("/huge")
async def huge(size: int, request: Request) -> Response:
    async def parts() -> Any:
        for _ in range(0, size, 65536):
            if await request.is_disconnected():
                return
            seen["huge"] += 65536
            yield b"x" * 65536
            await asyncio.sleep(0.001)

    return StreamingResponse(parts(), media_type="text/plain")


@app.get("/bomb")
async def bomb(size: int) -> Response:
    data = gzip.compress(b"\0" * size)
    return Response(data, headers={"content-encoding": "gzip"}, media_type="text/plain")


@app.get("/binary")
async def binary() -> Response:
    return Response(bytes(range(256)), media_type="application/octet-stream")


@app.get("/image")
async def image() -> Response:
    headers = {"content-disposition": 'attachment; filename="../dot.png"'}
    return Response(PNG, media_type="image/png", headers=headers)


@app.get("/text")
async def text(charset: str = "utf-8") -> Response:
    return Response(
        "grün".encode(charset), headers={"content-type": f"text/plain; charset={charset}"}
    )


@app.get("/bad-json")
async def bad_json() -> Response:
    return Response(b"{not json", media_type="application/json")


@app.post("/flaky", include_in_schema=False)
@app.get("/flaky", operation_id="flaky")
async def flaky(key: str, fails: int = 2, code: int = 503, after: str = "") -> Response:
    seen[key] += 1
    if seen[key] <= fails:
        headers = {"retry-after": after} if after else {}
        return JSONResponse({"detail": "busy"}, code, headers)
    return JSONResponse({"tries": seen[key]})


@app.get("/cookie")
async def cookie(request: Request) -> Response:
    response = JSONResponse(dict(request.cookies))
    response.set_cookie("left", "behind")
    return response


@app.head("/head")
async def head() -> Response:
    return Response(headers={"x-total": "7"})


@app.get("/echo")
async def echo(x: str) -> Response:
    return PlainTextResponse(f"{x}\n")


@app.get("/pause")
async def pause() -> None:
    await asyncio.sleep(0.5)


@app.get("/hang")
async def hang(x: str, request: Request) -> None:
    seen["hanging"] += 1
    try:
        for _ in range(6000):
            if await request.is_disconnected():
                return
            Path(x).write_text("on")
            await asyncio.sleep(0.01)
    finally:
        seen["hanging"] -= 1


@contextlib.contextmanager
def serve(application: Any) -> Iterator[str]:
    """Serve an application on a free port of loopback; give its url."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        config = uvicorn.Config(application, log_level="critical", lifespan="off", ws="none")
        config.timeout_graceful_shutdown = 1
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
            assert thread.is_alive()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


@contextlib.contextmanager
def serve_tls(certificate: Path) -> Iterator[str]:
    """Serve the API over TLS, in a process: asyncio leaves refused connections unclosed there."""
    command = [sys.executable, "-m", "uvicorn", "--port", "0", "--ssl-certfile", str(certificate)]
    with subprocess.Popen(
        [*command, "tests.tools.http_app:app"], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            found = None
            while found is None:
                line = process.stderr.readline()
                assert line, "the server ended"
                found = re.search(r"https://[\d.]+:\d+", line)
            yield found[0]
        finally:
            process.kill()
            process.communicate()


@functools.cache
def running() -> str:
    """The url of the API, which is served until the tests end."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(serve(app))


def document() -> dict[str, Any]:
    """The document FastAPI makes of it."""
    return json.loads(json.dumps(app.openapi()))
