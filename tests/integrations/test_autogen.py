"""AutoGen's own agents use the tool and the code executor; the model's side is replayed."""

from __future__ import annotations

import asyncio

import pytest
from autogen_agentchat.agents import (
    ApprovalRequest,
    ApprovalResponse,
    AssistantAgent,
    CodeExecutorAgent,
)
from autogen_agentchat.messages import TextMessage
from autogen_core import CancellationToken, FunctionCall
from autogen_core.code_executor import CodeBlock
from autogen_core.models import CreateResult, ModelFamily, RequestUsage
from autogen_ext.models.openai import OpenAIChatCompletionClient
from autogen_ext.models.replay import ReplayChatCompletionClient

from py_code_mode import ConfigError
from py_code_mode.integrations.autogen import SessionCodeExecutor, create_run_code_tool
from tests.model_server import Call

pytestmark = pytest.mark.asyncio(loop_scope="module")

INFO = {
    "vision": False,
    "function_calling": True,
    "json_output": False,
    "structured_output": False,
    "family": ModelFamily.UNKNOWN,
}


def calls(*codes: str) -> CreateResult:
    """A model's turn that calls ``run_code``."""
    made = [
        FunctionCall(id=f"{number}", name="run_code", arguments=Call(code).json)
        for number, code in enumerate(codes)
    ]
    usage = RequestUsage(prompt_tokens=1, completion_tokens=1)
    return CreateResult(finish_reason="function_calls", content=made, usage=usage, cached=False)


def approve(request: ApprovalRequest) -> ApprovalResponse:
    return ApprovalResponse(approved=True, reason="it is a test")


def replay(*turns: str | CreateResult) -> ReplayChatCompletionClient:
    return ReplayChatCompletionClient(list(turns), model_info=INFO)


def answers(messages) -> list[tuple[str, bool]]:
    """The last line of what each call was answered with, and whether as an error."""
    return [
        (result.content.splitlines()[-1], result.is_error)
        for message in messages
        if message.type == "ToolCallExecutionEvent"
        for result in message.content
    ]


async def test_an_agent_uses_the_tool(weather):
    """Its calls run in one session, at once asked ones too, and errors come back as text."""
    tool = create_run_code_tool(weather)
    model = replay(
        calls('cold = tools.temperature(city="Oslo")'), calls("cold * 2", "1 / 0"), "It is cold."
    )
    agent = AssistantAgent("analyst", model, tools=[tool], max_tool_iterations=5)
    ended = await agent.run(task="How cold is it in Oslo?")
    assert ended.messages[-1].content == "It is cold."
    assert answers(ended.messages) == [
        ("(the code ran, and showed nothing)", False),
        ("-7.0", False),
        ("ZeroDivisionError: division by zero", False),
    ]


async def test_an_agent_asks_a_model_over_http(weather, model):
    """OpenAI's API gets the tool in strict form, whether the answer is streamed or not."""
    model.turns = [Call("6 * 7"), "42", Call("7 * 7"), "49"]
    tool = create_run_code_tool(weather)
    client = OpenAIChatCompletionClient(
        model="m", base_url=f"{model.url}/v1", api_key="k", model_info=INFO
    )
    for is_streamed, said in ((False, "42"), (True, "49")):
        agent = AssistantAgent(
            "analyst", client, tools=[tool], max_tool_iterations=3, model_client_stream=is_streamed
        )
        ended = await agent.run(task="Multiply.")
        assert ended.messages[-1].content == said
        assert model.told(-1)["content"] == said
        assert bool(model.asked[-1].body.get("stream")) is is_streamed
    await client.close()
    (sent,) = model.asked[0].body["tools"]
    assert (sent["function"]["name"], sent["function"]["strict"]) == ("run_code", True)
    assert sent["function"]["parameters"]["required"] == ["code"]


async def test_an_agent_that_calls_wrongly_is_told(weather):
    """Arguments that do not fit come back as an error, and nothing runs."""
    wrong = calls("1")
    wrong.content[0].arguments = '{"kode": "1"}'
    agent = AssistantAgent("analyst", replay(wrong, "sorry"), tools=[create_run_code_tool(weather)])
    ended = await agent.run(task="Try.")
    (result,) = ended.messages[-2].content
    assert result.is_error
    assert "code" in result.content


async def test_the_tool_may_have_a_session_and_a_time_limit_of_its_own(weather):
    """Two tools of one executor do not see each other's variables; a slow call is stopped."""
    mine = create_run_code_tool(weather, session_id="mine", timeout=0.3)
    other = create_run_code_tool(weather, session_id="other")
    token = CancellationToken()
    await mine.run_json({"code": "secret = 1"}, token)
    assert "NameError" in await other.run_json({"code": "secret"}, token)
    assert "ExecutionTimeout" in await mine.run_json({"code": "while True: pass"}, token)
    assert await mine.run_json({"code": "secret"}, token) == "1"


async def test_cancelling_the_token_interrupts_the_code(weather, tmp_path):
    """The call ends at once, the session goes on, and keeps its variables."""
    tool = create_run_code_tool(weather, session_id="cancelled", timeout=60)
    token, began = CancellationToken(), tmp_path / "began"
    code = f"x = 1; open({str(began)!r}, 'w').close()\nwhile True: pass"
    call = asyncio.create_task(tool.run_json({"code": code}, token))
    while not began.exists():
        await asyncio.sleep(0.01)
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(call, 10)
    assert await tool.run_json({"code": "x"}, CancellationToken()) == "1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "exactly one; got neither"),
        ({"executor": ..., "session_url": "http://localhost:1"}, "exactly one; got both"),
        ({"executor": ..., "token": "t"}, "token= goes with session_url="),
        ({"executor": "session", "session_id": "a"}, "Session is one session already"),
    ],
)
async def test_what_does_not_go_together_is_refused(weather, arguments, message):
    """The error says which arguments go together."""
    if "executor" in arguments:
        executor = weather if arguments["executor"] is ... else weather.default
        arguments = {**arguments, "executor": executor}
    for make in (create_run_code_tool, SessionCodeExecutor):
        with pytest.raises(ConfigError, match=message):
            make(**arguments)


async def test_the_code_executor_agent_uses_a_session(weather):
    """Blocks a model writes run in one session; after an error it may try again."""
    async with SessionCodeExecutor(weather, session_id="blocks") as code_executor:
        retry = ReplayChatCompletionClient(
            [
                "```python\nx = tools.temperature(city='Rome')\nx / 0\n```",
                '{"retry": true, "reason": "I divided by zero."}',
                "```python\nprint('degrees', x)\n```",
                "It has 14 degrees.",
            ],
            model_info={**INFO, "structured_output": True},
        )
        agent = CodeExecutorAgent(
            "coder",
            code_executor,
            model_client=retry,
            max_retries_on_error=1,
            approval_func=approve,
        )
        stream = agent.run_stream(task="How warm is it in Rome?")
        events = [event async for event in stream]
    shown = [e.result for e in events if getattr(e, "type", "") == "CodeExecutionEvent"]
    assert [result.exit_code for result in shown] == [1, 0]
    assert "ZeroDivisionError" in shown[0].output
    assert "degrees 14.0" in shown[1].output
    assert events[-1].messages[-1].content == "It has 14 degrees."


async def test_the_code_executor_runs_block_after_block(weather):
    """State stays from block to block; the first failure ends it; restart begins anew."""
    code_executor = SessionCodeExecutor(weather, session_id="one by one", timeout=0.5)
    await code_executor.start()

    async def run(*blocks: tuple[str, str]):
        made = [CodeBlock(code=code, language=language) for language, code in blocks]
        return await code_executor.execute_code_blocks(made, CancellationToken())

    both = await run(("python", "x = 20\nx"), ("", "print(x + 1)"))
    assert (both.exit_code, both.output) == (0, "20\n21")
    failed = await run(("py", "1 / 0"), ("py", "x = 0"))
    assert failed.exit_code == 1
    assert (await run(("Python", "x"))).output == "20"
    assert (await run(("python", "while True: pass"))).exit_code == 124
    shell = await run(("sh", "echo hello"))
    assert shell.exit_code == 1
    assert "only Python is" in shell.output
    await code_executor.restart()
    assert "NameError" in (await run(("python", "x"))).output
    await code_executor.stop()
    assert (await weather.run("1")).value == 1  # what was handed in stays open


async def test_a_code_executor_agent_without_a_model_runs_what_others_write(weather):
    """The blocks of a message run, and the answer is what they showed."""
    code_executor = SessionCodeExecutor(weather, session_id="others")
    agent = CodeExecutorAgent("runner", code_executor, approval_func=approve)
    said = TextMessage(content="```python\n21 * 2\n```", source="user")
    response = await agent.on_messages([said], CancellationToken())
    assert response.chat_message.content == "42"
