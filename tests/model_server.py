"""A model that says what a script says, behind the real HTTP APIs: OpenAI's two and Anthropic's.

The same script serves ``/v1/chat/completions``, ``/v1/responses`` and ``/v1/messages``, streamed
where the request says ``stream``. As the real APIs do, it refuses a conversation in which a call
was not answered.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MADE = 1_700_000_000


@dataclass(frozen=True)
class Call:
    """The model calls ``run_code``, or another tool.

    Attributes:
        code: What it gives as ``code``.
        name: The tool.
        arguments: The whole arguments as JSON text, if they are not just ``code``.
    """

    code: str = ""
    name: str = "run_code"
    arguments: str | None = None

    @property
    def json(self) -> str:
        return json.dumps({"code": self.code}) if self.arguments is None else self.arguments


Turn = str | int | Call | list[Call]
"""What the model says, or calls; an int is an HTTP status to fail with."""


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class ModelServer:
    """The scripted model.

    Attributes:
        url: Its address without ``/v1``.
        turns: What it says, one a request; the last one again when they have run out.
        asked: The requests it got.
    """

    url: str = ""
    turns: list[Turn] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    def told(self, request: int) -> Any:
        """The newest message (or item) of one request: what the model was told."""
        body = self.asked[request].body
        return (body.get("messages") or body.get("input"))[-1]

    def answer(self, asked: Asked) -> tuple[int, list[tuple[str, Any]]]:
        """Return a status and what to send: one body, or named events of a stream."""
        self.asked.append(asked)
        count = len(self.asked)
        turn = self.turns[min(count, len(self.turns)) - 1]
        if isinstance(turn, int):
            return turn, [("", refusal("no such model"))]
        if missing := _unanswered(asked):
            return 400, [("", refusal(f"calls without an answer: {sorted(missing)}"))]
        text = turn if isinstance(turn, str) else ""
        calls = [] if isinstance(turn, str) else turn if isinstance(turn, list) else [turn]
        ids = [f"call_{count}_{number}" for number, _ in enumerate(calls)]
        said = Said(count, asked.body["model"], text, list(zip(ids, calls, strict=True)))
        render = {
            "/v1/chat/completions": (said.completion, said.completion_chunks),
            "/v1/responses": (said.response, None),
            "/v1/messages": (said.message, said.message_events),
        }[asked.path.partition("?")[0]]
        if not asked.body.get("stream"):
            return 200, [("", render[0]())]
        assert render[1] is not None, "streaming responses are not scripted"
        return 200, render[1]()


@dataclass
class Said:
    """One turn, in the form of each API."""

    count: int
    model: str
    text: str
    calls: list[tuple[str, Call]]

    # --- chat completions --------------------------------------------------------------------

    def _tool_calls(self) -> list[dict[str, Any]]:
        return [
            {"id": key, "type": "function", "function": {"name": call.name, "arguments": call.json}}
            for key, call in self.calls
        ]

    def completion(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.text or None}
        message |= {"tool_calls": self._tool_calls()} if self.calls else {}
        reason = "tool_calls" if self.calls else "stop"
        return {
            **self._head("chat.completion"),
            "choices": [{"index": 0, "message": message, "finish_reason": reason}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }

    def completion_chunks(self) -> list[tuple[str, Any]]:
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": piece} for piece in _pieces(self.text)]
        for index, call in enumerate(self._tool_calls()):
            whole = call["function"].pop("arguments")
            call["function"]["arguments"] = ""
            deltas.append({"tool_calls": [{"index": index, **call}]})
            deltas += [
                {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
                for piece in _pieces(whole)
            ]
        head = self._head("chat.completion.chunk")
        chunks = [
            {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
            for delta in deltas
        ]
        reason = "tool_calls" if self.calls else "stop"
        chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        chunks.append({**head, "choices": [], "usage": usage})
        return [*(("", chunk) for chunk in chunks), ("", None)]

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{self.count}",
            "object": kind,
            "created": MADE,
            "model": self.model,
        }

    # --- responses ---------------------------------------------------------------------------

    def response(self) -> dict[str, Any]:
        output: list[dict[str, Any]] = [
            {
                "type": "function_call",
                "id": f"fc_{key}",
                "call_id": key,
                "name": call.name,
                "arguments": call.json,
                "status": "completed",
            }
            for key, call in self.calls
        ]
        if self.text:
            content = [{"type": "output_text", "text": self.text, "annotations": []}]
            output.append(
                {
                    "type": "message",
                    "id": f"msg_{self.count}",
                    "role": "assistant",
                    "status": "completed",
                    "content": content,
                }
            )
        return {
            "id": f"resp_{self.count}",
            "object": "response",
            "created_at": MADE,
            "status": "completed",
            "model": self.model,
            "output": output,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": {
                "input_tokens": 1,
                "output_tokens": 1,
                "total_tokens": 2,
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "output_tokens_details": {"reasoning_tokens": 0},
            },
        }

    # --- messages ----------------------------------------------------------------------------

    def message(self) -> dict[str, Any]:
        blocks: list[dict[str, Any]] = [{"type": "text", "text": self.text}] if self.text else []
        blocks += [
            {"type": "tool_use", "id": key, "name": call.name, "input": json.loads(call.json)}
            for key, call in self.calls
        ]
        return {
            "id": f"msg_{self.count}",
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": blocks,
            "stop_reason": "tool_use" if self.calls else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }

    def message_events(self) -> list[tuple[str, Any]]:
        whole = self.message()
        start = {**whole, "content": [], "stop_reason": None}
        events: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
        for index, block in enumerate(whole["content"]):
            if block["type"] == "text":
                empty, pieces = {**block, "text": ""}, _pieces(block["text"])
                deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
            else:
                empty, pieces = {**block, "input": {}}, _pieces(json.dumps(block["input"]))
                deltas = [{"type": "input_json_delta", "partial_json": each} for each in pieces]
            events.append({"type": "content_block_start", "index": index, "content_block": empty})
            events += [
                {"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas
            ]
            events.append({"type": "content_block_stop", "index": index})
        delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        events.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 1}})
        events.append({"type": "message_stop"})
        return [(event["type"], event) for event in events]


def _pieces(text: str) -> list[str]:
    """Cut a text as a stream would."""
    return [text[start : start + 7] for start in range(0, len(text), 7)]


def refusal(message: str) -> dict[str, Any]:
    error = {"message": message, "type": "invalid_request_error"}
    return {"type": "error", "error": error}


def _unanswered(asked: Asked) -> set[str]:
    """Ids of calls in a conversation that have no answer in it."""
    called, answered = set(), set()
    for message in asked.body.get("messages") or asked.body.get("input") or []:
        if not isinstance(message, dict):
            continue
        called |= {call["id"] for call in message.get("tool_calls") or []}
        answered |= {message["tool_call_id"]} if message.get("role") == "tool" else set()
        called |= {message["call_id"]} if message.get("type") == "function_call" else set()
        if message.get("type") == "function_call_output":
            answered.add(message["call_id"])
        blocks = message.get("content")
        for block in blocks if isinstance(blocks, list) else []:
            called |= {block["id"]} if block.get("type") == "tool_use" else set()
            answered |= {block["tool_use_id"]} if block.get("type") == "tool_result" else set()
    return called - answered


@contextmanager
def running_model() -> Iterator[ModelServer]:
    """Run a scripted model on a loopback port."""
    script = ModelServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, parts = script.answer(Asked(self.path, dict(self.headers), body))
            is_stream = status == 200 and bool(body.get("stream"))
            data = "".join(map(_event, parts)) if is_stream else json.dumps(parts[0][1])
            self.send_response(status)
            kind = "text/event-stream" if is_stream else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data.encode())))
            self.end_headers()
            self.wfile.write(data.encode())

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _event(part: tuple[str, Any]) -> str:
    name, data = part
    text = "[DONE]" if data is None else json.dumps(data)
    return f"event: {name}\ndata: {text}\n\n" if name else f"data: {text}\n\n"
