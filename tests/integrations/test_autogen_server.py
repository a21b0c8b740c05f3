"""AutoGen's agents work on a session server: a real one, in a process of its own."""

from __future__ import annotations

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_core import CancellationToken
from autogen_core.code_executor import CodeBlock

from py_code_mode.container import NotAuthorized, SessionClient, SessionLost
from py_code_mode.integrations import as_function_tool
from py_code_mode.integrations.autogen import SessionCodeExecutor, create_run_code_tool
from tests.integrations.test_autogen import answers, calls, replay
from tests.serving import serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def sessions(url: str) -> list[str | None]:
    """The sessions the server has."""
    async with SessionClient(url, "secret") as client:
        return [session.id for session in await client.sessions()]


async def test_an_agent_works_on_a_server(session_server):
    """Its calls run in one session there, which ends with the tool."""
    async with create_run_code_tool(session_url=session_server, token="secret") as tool:
        model = replay(
            calls("names = [tool['name'] for tool in tools.list()]"), calls("names"), "One."
        )
        agent = AssistantAgent("analyst", model, tools=[tool], max_tool_iterations=5)
        ended = await agent.run(task="Which tools are there?")
        assert ended.messages[-1].content == "One."
        assert answers(ended.messages)[1] == ("['wc']", False)
        assert len(await sessions(session_server)) == 1
    assert await sessions(session_server) == []


async def test_a_session_of_somebody_else_stays(session_server):
    """With ``session_id`` the tool works in that session, and leaves it as it is."""
    async with SessionClient(session_server, "secret") as client:
        await client.run("shared = 41")
        tool = create_run_code_tool(
            session_url=session_server, token="secret", session_id=client.default.id
        )
        async with tool:
            assert await tool.run_json({"code": "shared + 1"}, CancellationToken()) == "42"
        assert await client.get_variable("shared") == 41


async def test_a_client_can_be_handed_in(session_server):
    """The tool takes a client as it takes an executor, and leaves it open."""
    async with SessionClient(session_server, "secret") as client:
        async with create_run_code_tool(client, session_id="agent") as tool:
            assert await tool.run_json({"code": "6 * 7"}, CancellationToken()) == "42"
        assert await as_function_tool(client)("7 * 7") == "49"


async def test_a_wrong_token_is_raised_and_told(session_server):
    """A program that calls the tool gets the typed error; an agent reads it."""
    async with create_run_code_tool(session_url=session_server, token="wrong") as tool:
        with pytest.raises(NotAuthorized):
            await tool.run_json({"code": "1"}, CancellationToken())
        agent = AssistantAgent("analyst", replay(calls("1"), "sorry"), tools=[tool])
        ended = await agent.run(task="Try.")
        ((_, is_error),) = answers(ended.messages)
        assert is_error


async def test_the_code_executor_works_on_a_server(session_server):
    """It begins with ``start``, ends its session with ``stop``, and restarts in between."""
    token = CancellationToken()
    async with SessionCodeExecutor(session_url=session_server, token="secret") as code_executor:
        assert len(await sessions(session_server)) == 1
        done = await code_executor.execute_code_blocks([CodeBlock("x = 5\nx", "python")], token)
        assert (done.exit_code, done.output) == (0, "5")
        await code_executor.restart()
        done = await code_executor.execute_code_blocks([CodeBlock("x", "python")], token)
        assert (done.exit_code, "NameError" in done.output) == (1, True)
    assert await sessions(session_server) == []


async def test_after_a_restart_of_the_server_the_agent_is_told_and_goes_on():
    """No blank session in silence: the first call is an error that says what is gone."""
    token = CancellationToken()
    with serving() as url:
        tool = create_run_code_tool(session_url=url)
        await tool.run_json({"code": "x = 1"}, token)
    with serving("--port", url.rpartition(":")[2]):
        with pytest.raises(SessionLost, match="all variables are gone"):
            await tool.run_json({"code": "x + 1"}, token)
        assert "NameError" in await tool.run_json({"code": "x"}, token)
        await tool.aclose()
