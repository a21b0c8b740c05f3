"""The app inside of a program: on an executor that is there already."""

from __future__ import annotations

import httpx
import pytest

from py_code_mode import CodeExecutor
from py_code_mode.server import create_app, load_settings


async def test_an_executor_of_one_s_own(executor: CodeExecutor, tmp_path):
    """Its sessions are served beside those of the program, which stay the program's own."""
    await executor.run("secret = 1")
    app = create_app(executor, state=tmp_path)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            code = {"code": "x = 2\n'secret' in globals()"}
            answer = await client.post("/execute", json=code, headers={"X-Session-ID": "default"})
            assert answer.json()["value"] is False
            names = {session.name for session in await executor.sessions()}
            assert {"default", "server:default"} <= names
    assert [session.name for session in await executor.sessions()] == ["default"]
    assert (await executor.run("secret")).value == 1


def test_settings_come_whole_or_one_by_one():
    """All settings or single ones: both at once would leave open which count."""
    with pytest.raises(TypeError, match="not both"):
        create_app(settings=load_settings(), port=1)
