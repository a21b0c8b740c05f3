"""The tool in the real agents of other people, which ask a scripted model over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import agents
import httpx
import openai
import pytest
import smolagents
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from py_code_mode import ConfigError
from py_code_mode.integrations import as_function_tool
from tests.integrations.conftest import PIXEL, SHOW_PIXEL
from tests.model_server import Call, ModelServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK = "How cold is it in Oslo?"
WORK = [
    Call('cold = tools.temperature(city="Oslo")'),
    Call("print('degrees:', cold)"),
    Call(arguments='{"kode": "1"}'),
    "It is -3.5 degrees.",
]
SAID = "It is -3.5 degrees."


@pytest.fixture
async def client(model: ModelServer) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{model.url}/v1", api_key="k") as client:
        yield client


def check(model: ModelServer) -> None:
    """The model was told what its calls showed, and what was wrong with the third."""
    told = [str(model.told(request)) for request in (1, 2, 3)]
    assert "(the code ran, and showed nothing)" in told[0]
    assert "degrees: -3.5" in told[1]
    assert "Call it like this" in told[2]
    assert len(model.asked) == 4


async def test_langchain(weather, model):
    """LangChain's agent runs code, and its messages carry the results."""
    model.turns = WORK
    tool = as_function_tool(weather).to_langchain()
    async with httpx.AsyncClient() as http:
        chat = ChatOpenAI(
            model="m", base_url=f"{model.url}/v1", api_key="k", http_async_client=http
        )
        agent = create_agent(chat, [tool])
        ended = await agent.ainvoke({"messages": [("user", ASK)]})
    assert ended["messages"][-1].text == SAID
    check(model)
    results = [message.artifact for message in ended["messages"] if message.type == "tool"]
    assert results[1].stdout == "degrees: -3.5\n"
    shown = await tool.ainvoke(
        {"type": "tool_call", "id": "1", "name": "run_code", "args": {"code": SHOW_PIXEL}}
    )
    assert shown.content[0]["image_url"]["url"].endswith(PIXEL)


async def test_openai_agents(weather, model, client):
    """The Agents SDK runs code, and sends pictures back."""
    model.turns = [*WORK[:3], Call(SHOW_PIXEL), SAID]
    agent = agents.Agent(
        name="weather",
        tools=[as_function_tool(weather).to_openai_agents()],
        model=agents.OpenAIResponsesModel("m", client),
    )
    ended = await agents.Runner.run(agent, ASK, run_config=agents.RunConfig(tracing_disabled=True))
    assert ended.final_output == SAID
    assert model.told(4)["output"][0]["image_url"].endswith(PIXEL)
    del model.asked[4]
    check(model)


async def test_pydantic_ai(weather, model, client):
    """Pydantic AI's agent runs code, and its tool returns carry the results."""
    model.turns = WORK
    chat = OpenAIChatModel("m", provider=OpenAIProvider(openai_client=client))
    agent = Agent(chat, tools=[as_function_tool(weather).to_pydantic_ai()])
    ended = await agent.run(ASK)
    assert ended.output == SAID
    check(model)
    returns = [
        part
        for message in ended.all_messages()
        for part in message.parts
        if part.part_kind == "tool-return"
    ]
    assert returns[1].metadata.stdout == "degrees: -3.5\n"


async def test_pydantic_ai_takes_pictures_and_streams(weather, model, client):
    """A picture goes to the model, also where its answer is streamed."""
    model.turns = [Call(SHOW_PIXEL), "It is red."]
    chat = OpenAIChatModel("m", provider=OpenAIProvider(openai_client=client))
    agent = Agent(chat, tools=[as_function_tool(weather).to_pydantic_ai()])
    async with agent.run_stream("Which colour?") as run:
        assert await run.get_output() == "It is red."
    assert PIXEL in str(model.asked[1].body["messages"])
    assert model.asked[1].body["stream"] is True


async def test_smolagents(weather, model):
    """An agent of smolagents runs code from its thread."""
    model.turns = [*WORK[:2], Call(name="final_answer", arguments='{"answer": "-3.5 degrees"}')]
    chat = smolagents.OpenAIModel("m", api_base=f"{model.url}/v1", api_key="k")
    with chat.client:
        agent = smolagents.ToolCallingAgent(
            tools=[as_function_tool(weather).to_smolagents()],
            model=chat,
            verbosity_level=0,
        )
        assert await asyncio.to_thread(agent.run, ASK) == "-3.5 degrees"
    assert "degrees: -3.5" in str(model.told(2))


async def test_smolagents_on_the_event_loop_is_refused(weather):
    """A call that would wait for itself says how the agent is run."""
    tool = as_function_tool(weather).to_smolagents()
    with pytest.raises(ConfigError, match=r"asyncio\.to_thread"):
        tool(code="1")
    with pytest.raises(ConfigError, match="async def"):
        await asyncio.to_thread(as_function_tool(weather).to_smolagents)
