"""One tool, ``run_code``: its name, its JSON schema, and a coroutine that answers a model.

Place in the house: the part of the integrations that knows no framework. The forms for OpenAI and
Anthropic are JSON and stand here; the others are in a module each, which the methods load.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from py_code_mode.parts import ContentPart, ImagePart, TextPart, convert, text_of
from py_code_mode.results import ExecutionResult
from py_code_mode.runner import Runner

if TYPE_CHECKING:
    import agents
    import pydantic_ai
    import smolagents
    from langchain_core.tools import StructuredTool

__all__ = ["Answer", "FunctionTool", "RunCodeArguments", "as_function_tool"]

NAME = "run_code"

# The longest text that OpenAI takes as a description has 1,024 characters.
DESCRIPTION = """\
Run Python as the next cell of an IPython session and return what it printed, what it displayed \
and the value of its last expression. Variables, imports and functions stay for the next call, and \
`await` works at the top level. Three names are there without an import: `tools` (functions: \
tools.list(), tools.search("what for"), tools.describe("name"), tools.name(key=value)), `skills` \
(recipes: skills.search("what for"), skills.invoke("name", key=value), skills.create(name, code, \
description)) and `artifacts` (data to keep: artifacts.save(name, data), artifacts.load(name)). Do \
in one call what belongs together, and show only what you need to see. An exception comes back as \
its traceback."""


class RunCodeArguments(BaseModel):
    """Arguments of the tool, as a model gives them."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(description="Python to run as one cell of the session.")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the tool answers one call.

    Attributes:
        parts: What the model gets: text and pictures, in order.
        is_error: Whether the code failed, or the tool was called wrongly.
        result: The whole result; None if the tool was called wrongly.
    """

    parts: tuple[ContentPart, ...]
    is_error: bool = False
    result: ExecutionResult | None = None

    @property
    def text(self) -> str:
        """The parts as text alone; pictures are named."""
        return text_of(self.parts)

    @property
    def images(self) -> tuple[ImagePart, ...]:
        """Those of the parts that are pictures."""
        return tuple(part for part in self.parts if isinstance(part, ImagePart))

    def convert(self, text: Callable[[str], Any], image: Callable[[ImagePart], Any]) -> Any:
        """Return the parts in a framework's form; the text itself where there is no picture."""
        return convert(self.parts, text, image) if self.images else self.text


@dataclass(frozen=True, slots=True)
class FunctionTool:
    """A tool with which a model runs code in one session. Made by ``as_function_tool``.

    Code that fails is an answer the model reads. What the program has to mend is raised: a kernel
    that does not start, a closed executor, a server that cannot be reached.

    Attributes:
        executor: What runs the code.
        name: What the model calls it.
        description: What the model reads about it.
        timeout: Seconds a call may take; None takes the executor's default.
        max_tokens: For an answer: see ``ExecutionResult.for_model``.
        max_image_px: The longest side of a picture in it; 0 leaves pictures out.
    """

    executor: Runner
    name: str = NAME
    description: str = DESCRIPTION
    timeout: float | None = None
    max_tokens: int = 10_000
    max_image_px: int = 1_024

    @property
    def parameters(self) -> dict[str, Any]:
        """The JSON schema of the arguments: ``code``, and nothing else."""
        schema = RunCodeArguments.model_json_schema()
        del schema["description"], schema["title"], schema["properties"]["code"]["title"]
        return schema

    async def __call__(self, code: str) -> str:
        """Run code and return what a model should read."""
        return (await self.run(code)).text

    async def run(self, code: str) -> Answer:
        """Run code and return the answer, pictures included.

        Raises:
            CodeModeError: It could not be run: see ``Session.run``.
        """
        result = await self.executor.run(code, timeout=self.timeout)
        budget = {"max_tokens": self.max_tokens, "max_image_px": self.max_image_px}
        # In a thread, because large pictures take their time.
        parts = await asyncio.to_thread(result.for_model, **budget)
        return Answer(tuple(parts), not result.is_ok, result)

    async def call(self, arguments: str | Mapping[str, Any]) -> Answer:
        """Run what a model's call says; a wrong call is an answer that says what would be right.

        Args:
            arguments: The arguments, as JSON text or parsed.

        Raises:
            CodeModeError: The code could not be run: see ``Session.run``.
        """
        try:
            if isinstance(arguments, str):
                parsed = RunCodeArguments.model_validate_json(arguments)
            else:
                parsed = RunCodeArguments.model_validate(arguments)
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, each['loc'])) or 'arguments'}: {each['msg']}"
                for each in error.errors(include_url=False, include_context=False)
            )
            right = '{"code": "print(1 + 1)"}'
            said = f"{self.name} was not run: {wrong}. Call it like this: {right}"
            return Answer((TextPart(said),), is_error=True)
        return await self.run(parsed.code)

    # --- OpenAI ------------------------------------------------------------------------------

    def to_openai(self) -> dict[str, Any]:
        """Return the tool for ``tools`` of OpenAI's chat completions."""
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
            "strict": True,
        }
        return {"type": "function", "function": function}

    async def answer_openai(self, call: Any) -> dict[str, Any]:
        """Answer one of a chat completion's ``tool_calls`` with the message to send back.

        Pictures are left out: a message of a tool takes text alone there.

        Args:
            call: The call, as OpenAI's package gives it or as parsed JSON.
        """
        function = _read(call, "function")
        answer = await self.call(_read(function, "arguments"))
        return {"role": "tool", "tool_call_id": _read(call, "id"), "content": answer.text}

    def to_openai_responses(self) -> dict[str, Any]:
        """Return the tool for ``tools`` of OpenAI's Responses API."""
        return {"type": "function", **self.to_openai()["function"]}

    async def answer_openai_responses(self, call: Any) -> dict[str, Any]:
        """Answer a response's ``function_call`` with the item to send back.

        Args:
            call: The call, as OpenAI's package gives it or as parsed JSON.
        """
        answer = await self.call(_read(call, "arguments"))
        output = answer.convert(
            lambda text: {"type": "input_text", "text": text},
            lambda image: {"type": "input_image", "image_url": image.data_url},
        )
        return {
            "type": "function_call_output",
            "call_id": _read(call, "call_id"),
            "output": output,
        }

    # --- Anthropic ---------------------------------------------------------------------------

    def to_anthropic(self) -> dict[str, Any]:
        """Return the tool for ``tools`` of Anthropic's messages."""
        return {
            "name": self.name,
            "description": self.description,
            "input_schema": self.parameters,
        }

    async def answer_anthropic(self, call: Any) -> dict[str, Any]:
        """Answer a ``tool_use`` block with the ``tool_result`` block to send back.

        Args:
            call: The block, as Anthropic's package gives it or as parsed JSON.
        """
        answer = await self.call(_read(call, "input"))
        content = convert(
            answer.parts,
            lambda text: {"type": "text", "text": text},
            lambda image: {"type": "image", "source": _source(image)},
        )
        return {
            "type": "tool_result",
            "tool_use_id": _read(call, "id"),
            "content": content,
            "is_error": answer.is_error,
        }

    # --- frameworks --------------------------------------------------------------------------

    def to_langchain(self) -> StructuredTool:
        """Return a tool of LangChain's; its messages carry the whole result as ``artifact``."""
        from py_code_mode.integrations.langchain import build

        return build(self)

    def to_openai_agents(self) -> agents.FunctionTool:
        """Return a tool of the OpenAI Agents SDK."""
        from py_code_mode.integrations.openai_agents import build

        return build(self)

    def to_pydantic_ai(self) -> pydantic_ai.Tool[Any]:
        """Return a tool of Pydantic AI's; its returns carry the whole result as ``metadata``."""
        from py_code_mode.integrations.pydantic_ai import build

        return build(self)

    def to_smolagents(self) -> smolagents.Tool:
        """Return a tool of smolagents'. Run its agent in a thread: ``asyncio.to_thread``.

        Raises:
            ConfigError: No event loop runs here, so there is none to run the code on.
        """
        from py_code_mode.integrations.smolagents import build

        return build(self)


def as_function_tool(
    executor: Runner,
    *,
    name: str = NAME,
    description: str = DESCRIPTION,
    timeout: float | None = None,
    max_tokens: int = 10_000,
    max_image_px: int = 1_024,
) -> FunctionTool:
    """Make a tool with which a model runs code.

    Args:
        executor: A ``CodeExecutor``, a ``Session`` or a ``SessionClient``.
        name: What the model calls it.
        description: What the model reads about it.
        timeout: Seconds a call may take; None takes the executor's default.
        max_tokens: For an answer: see ``ExecutionResult.for_model``.
        max_image_px: The longest side of a picture in it; 0 leaves pictures out.
    """
    return FunctionTool(executor, name, description, timeout, max_tokens, max_image_px)


def _source(image: ImagePart) -> dict[str, str]:
    return {"type": "base64", "media_type": image.mime_type, "data": image.base64}


def _read(value: Any, name: str) -> Any:
    """Read a field of a package's object or of parsed JSON."""
    return value[name] if isinstance(value, Mapping) else getattr(value, name)
