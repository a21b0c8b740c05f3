"""What a server keeps in memory, and how much of it."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter

import httpx
import pytest

from py_code_mode import CodeExecutor
from py_code_mode.server import create_app
from tests.server.conftest import close, launch

CELLS = (
    "for n in range(100): print(n)\nn",
    "1 / 0",
    "import asyncio\nawait asyncio.sleep(0)\n'x' * 100_000",
    "from IPython.display import HTML\nHTML('<b>bold</b>')",
)


async def live(client: httpx.AsyncClient) -> None:
    """A session from its start to its end."""
    path = f"/sessions/{(await client.post('/sessions')).json()['id']}"
    for code in CELLS:
        for way in ("execute", "stream"):
            answer = await client.post(f"{path}/{way}", json={"code": code})
            assert answer.status_code == 200, answer.text
    assert (await client.get(f"{path}/notebook")).status_code == 200
    assert (await client.post(f"{path}/reset")).status_code in (200, 204)
    assert (await client.delete(path)).status_code in (200, 204)


OURS = {
    "py_code_mode",
    "kernel_bootstrap",
    "jupyter_client",
    "zmq",
    "starlette",
    "asyncio",
    "_asyncio",
}


def kept() -> dict[str, int]:
    """Count the objects of those who have to do with sessions, by type."""
    gc.collect()
    # asyncio itself puts cancelled timers away when there are many.
    objects = [
        each
        for each in gc.get_objects()
        if not (isinstance(each, asyncio.TimerHandle) and each.cancelled())
    ]
    types = map(type, objects)
    return Counter(
        each.__name__
        for each in types
        if str(getattr(each, "__module__", "")).partition(".")[0] in OURS
    )


async def test_nothing_of_an_ended_session_stays(executor: CodeExecutor, tmp_path):
    """Sessions that ran, failed, streamed and went leave no object of ours or of asyncio behind."""
    app = create_app(executor, state=tmp_path, resume_seconds=0)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        for _ in range(3):  # what comes once comes before
            await live(client)
        before = kept()
        for _ in range(15):
            await live(client)
        after = kept()
    assert {name: count for name, count in after.items() if count > before[name] + 5} == {}


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """A server whose runs may show and return 20,000 bytes."""
    server = launch(tmp_path_factory.mktemp("narrow"), "--max-output-bytes=20000")
    yield server
    close(server)


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("print('x' * 1_000_000)", "stdout"),
        ("import sys\nprint('x' * 1_000_000, file=sys.stderr)", "stderr"),
        ("'x' * 1_000_000", "text/plain"),
        ("raise ValueError('x' * 1_000_000)", "error"),
        (
            "from IPython.display import HTML\nfor n in range(100): display(HTML('x' * 9_000))",
            "outputs",
        ),
        ("for n in range(100_000): print(n)\nbytes(1_000_000)", "stdout"),
    ],
)
def test_an_answer_is_bounded_whatever_code_shows(narrow, code, what):
    """The answer says what was cut and where all of it is, and is as small as it was set to be."""
    with narrow.client() as client:
        path = f"/sessions/{client.post('/sessions').json()['id']}"
        # Text, streams, error and value, each cut; a stream tells all of it in its result again.
        for way, most in (("execute", 120_000), ("stream", 240_000)):
            answer = client.post(f"{path}/{way}", json={"code": code})
            assert answer.status_code == 200
            assert len(answer.content) < most
            if way == "execute":
                cut = {each["what"]: each for each in answer.json()["truncated"]}
                assert client.get(f"/artifacts/{cut[what]['artifact']}").status_code == 200
                assert cut[what]["kept"] < cut[what]["total"]
        client.delete(path)
