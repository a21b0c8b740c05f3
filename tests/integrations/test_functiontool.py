"""The tool itself, and its forms for OpenAI and Anthropic, with the packages of both."""

from __future__ import annotations

import base64
from typing import Any

import anthropic
import openai
import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from py_code_mode import CodeExecutor, SessionClosed
from py_code_mode.integrations import as_function_tool
from tests.integrations.conftest import PIXEL, SHOW_PIXEL
from tests.model_server import Call

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK = "How cold is it in Oslo?"
WORK = [
    Call('cold = tools.temperature(city="Oslo")'),
    [Call("cold * 2"), Call("1 / 0")],
    "It is -3.5 degrees.",
]


async def test_the_tool_is_a_name_a_schema_and_a_coroutine(weather):
    """It runs code in one session, and its text is what the model should read."""
    tool = as_function_tool(weather)
    assert tool.name == "run_code"
    assert len(tool.description) <= 1024
    Draft202012Validator.check_schema(tool.parameters)
    assert tool.parameters["required"] == ["code"]
    assert tool.parameters["additionalProperties"] is False
    assert await tool("warm = tools.temperature(city='Rome')") == (
        "(the code ran, and showed nothing)"
    )
    assert await tool("warm") == "14.0"
    assert "ZeroDivisionError: division by zero" in await tool("1 / 0")


async def test_an_answer_carries_pictures_and_the_result(weather):
    """Who calls ``run`` gets text, pictures and the result, and knows whether the code failed."""
    tool = as_function_tool(weather)
    answer = await tool.run(SHOW_PIXEL)
    (picture,) = answer.images
    assert (picture.mime_type, picture.data) == ("image/png", base64.b64decode(PIXEL))
    assert picture.data_url == f"data:image/png;base64,{PIXEL}"
    assert answer.text == "[image/png, 1 x 1 pixels]"
    assert (answer.is_error, answer.result.is_ok) == (False, True)
    failed = await tool.run("nothing_here")
    assert (failed.is_error, failed.result.error.name) == (True, "NameError")


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ('{"code": "1', "Invalid JSON"),
        ({"source": "1"}, "code: Field required; source: Extra inputs"),
        ({"code": 5}, "code: Input should be a valid string"),
        ("[]", "arguments: "),
    ],
)
async def test_a_wrong_call_is_answered_with_what_would_be_right(weather, arguments, wrong):
    """Nothing runs, and the model reads how the tool is called."""
    answer = await as_function_tool(weather).call(arguments)
    assert wrong in answer.text
    assert 'Call it like this: {"code": "print(1 + 1)"}' in answer.text
    assert (answer.is_error, answer.result) == (True, None)


async def test_the_time_limit_is_the_tools_own(weather):
    """A call that takes too long is stopped, and the answer says so."""
    tool = as_function_tool(weather, timeout=0.3)
    assert "ExecutionTimeout" in await tool("while True: pass")


async def test_what_the_program_must_mend_is_raised():
    """A closed executor is no answer to a model."""
    executor = CodeExecutor()
    await executor.aclose()
    with pytest.raises(SessionClosed):
        await as_function_tool(executor)("1")


async def test_openai_chat_completions(weather, model):
    """OpenAI's package sends the tool, and what it got back is a valid conversation."""
    model.turns = WORK
    tool = as_function_tool(weather)
    messages: list[Any] = [{"role": "user", "content": ASK}]
    async with openai.AsyncOpenAI(base_url=f"{model.url}/v1", api_key="k") as client:
        while True:
            done = await client.chat.completions.create(
                model="m", messages=messages, tools=[tool.to_openai()]
            )
            message = done.choices[0].message
            messages.append(message)
            if not message.tool_calls:
                break
            messages += [await tool.answer_openai(call) for call in message.tool_calls]
    assert message.content == "It is -3.5 degrees."
    answers = [m for m in messages if isinstance(m, dict) and m["role"] == "tool"]
    assert [a["content"].splitlines()[-1] for a in answers] == [
        "(the code ran, and showed nothing)",
        "-7.0",
        "ZeroDivisionError: division by zero",
    ]
    shape = TypeAdapter(openai.types.chat.ChatCompletionToolMessageParam)
    assert [shape.validate_python(answer, strict=True) for answer in answers] == answers
    (sent,) = model.asked[0].body["tools"]
    TypeAdapter(openai.types.chat.ChatCompletionToolParam).validate_python(sent, strict=True)


async def test_openai_responses(weather, model):
    """The Responses API gets pictures, too."""
    model.turns = [Call(SHOW_PIXEL), "It is red."]
    tool = as_function_tool(weather)
    items: list[Any] = [{"role": "user", "content": "Which colour?"}]
    async with openai.AsyncOpenAI(base_url=f"{model.url}/v1", api_key="k") as client:
        first = await client.responses.create(
            model="m", input=items, tools=[tool.to_openai_responses()]
        )
        items += first.output
        items += [await tool.answer_openai_responses(call) for call in first.output]
        second = await client.responses.create(model="m", input=items)
    assert second.output_text == "It is red."
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}
    assert model.told(1)["output"] == [picture]
    (sent,) = model.asked[0].body["tools"]
    TypeAdapter(openai.types.responses.FunctionToolParam).validate_python(sent)


async def test_anthropic_messages(weather, model):
    """Anthropic's package sends the tool, streams the call, and takes pictures and errors back."""
    model.turns = [Call(SHOW_PIXEL), Call("1 / 0"), "It is red."]
    tool = as_function_tool(weather)
    messages: list[Any] = [{"role": "user", "content": "Which colour?"}]
    async with anthropic.AsyncAnthropic(base_url=model.url, api_key="k") as client:
        while True:
            async with client.messages.stream(
                model="m", max_tokens=100, messages=messages, tools=[tool.to_anthropic()]
            ) as stream:
                said = await stream.get_final_message()
            messages.append({"role": "assistant", "content": said.content})
            calls = [block for block in said.content if block.type == "tool_use"]
            if not calls:
                break
            answers = [await tool.answer_anthropic(call) for call in calls]
            messages.append({"role": "user", "content": answers})
    assert said.content[0].text == "It is red."
    shown, failed = messages[2]["content"][0], messages[4]["content"][0]
    assert shown["content"][0]["source"]["data"] == PIXEL
    assert (shown["is_error"], failed["is_error"]) == (False, True)
    shape = TypeAdapter(anthropic.types.ToolResultBlockParam)
    for answer in (shown, failed):
        shape.validate_python(answer)
    (sent,) = model.asked[0].body["tools"]
    TypeAdapter(anthropic.types.ToolParam).validate_python(sent, strict=True)
