"""An MCP server that does what servers should not, over stdio, without the SDK.

``odd_server.py [MOOD [COUNT]]``; moods: ``fine``, ``junk`` (prints all sorts of things), ``hang``
(never answers), ``exit`` (ends at once), ``stubborn`` (hears no signal and no end of its input),
``names`` (its tools have odd names). It has COUNT tools more, in pages of 100.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

MOOD = sys.argv[1] if len(sys.argv) > 1 else "fine"
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 0
ANY = {"type": "object", "additionalProperties": True}
NOTHING = {"type": "object", "properties": {}}
NAMES = ["a-b", "a_b", "class", "3d", "list", "ünïcode", "dot.ted", "dot", " blank ", "tab\there"]
TOOLS = {
    "answer": ANY,  # gives ``result`` as its result, whatever that is
    "child": NOTHING,  # starts a process that stays; gives its number
    "cancelled": NOTHING,  # which requests were cancelled
    "die": NOTHING,  # ends the server in the middle of the call
    "arguments": ANY,  # gives its arguments back
    "big": {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]},
    "log": NOTHING,  # logs a line
    "more": NOTHING,  # has one tool more from now on, and says so
    "pid": NOTHING,
    "refuse": NOTHING,  # answers with an error of the protocol
    "silent": NOTHING,  # never answers
}
if MOOD == "names":
    TOOLS = dict.fromkeys(NAMES, NOTHING)
names = [*TOOLS, *(f"tool_{number}" for number in range(COUNT))]
cancelled: list[int] = []


def send(**message) -> None:
    data = json.dumps({"jsonrpc": "2.0", **message})
    if MOOD == "junk":
        sys.stdout.buffer.write(b'\xff\xfe junk\n\n{"no": "message"}\n[1, 2]\nloading... ')
    sys.stdout.buffer.write(data.encode() + b"\n")
    sys.stdout.buffer.flush()


def text(value) -> dict:
    said = value if isinstance(value, str) else json.dumps(value)
    return {"content": [{"type": "text", "text": said}]}


def die() -> None:
    sys.stderr.write("the end is near\n")
    sys.stderr.flush()
    os._exit(3)


def log() -> dict:
    data = {"what": "a line", "key": os.environ.get("KEY")}
    send(method="notifications/message", params={"level": "error", "data": data})
    return text("logged")


def more() -> dict:
    names.append("extra")
    send(method="notifications/tools/list_changed")
    return text("more")


ANSWERS = {
    "answer": lambda result: result,
    "arguments": lambda **given: {"content": [], "structuredContent": given},
    "big": lambda size: text("x" * size),
    "cancelled": lambda: text(cancelled),
    "child": lambda: text(str(subprocess.Popen(["sleep", "1000"]).pid)),
    "die": die,
    "log": log,
    "more": more,
    "pid": lambda: text(str(os.getpid())),
}


def call(name: str, arguments: dict, number: int) -> None:
    if name == "refuse":
        send(id=number, error={"code": -32602, "message": "not like this"})
    elif name in ANSWERS:
        send(id=number, result=ANSWERS[name](**arguments))
    elif name != "silent":
        send(id=number, result=text(name))


def page(cursor: str | None) -> dict:
    first = int(cursor or 0)
    listed = [{"name": n, "inputSchema": TOOLS.get(n, NOTHING)} for n in names[first : first + 100]]
    more = {"nextCursor": str(first + 100)} if first + 100 < len(names) else {}
    return {"tools": listed, **more}


def answer(message: dict) -> None:
    method, number, params = message["method"], message.get("id"), message.get("params") or {}
    if method == "initialize":
        capabilities = {"tools": {"listChanged": True}, "logging": {}}
        send(
            id=number,
            result={
                "protocolVersion": "2025-06-18",
                "capabilities": capabilities,
                "serverInfo": {"name": "odd", "version": "1"},
            },
        )
    elif method == "tools/list":
        send(id=number, result=page(params.get("cursor")))
    elif method == "tools/call":
        call(params["name"], params.get("arguments") or {}, number)
    elif method == "notifications/cancelled":
        cancelled.append(params["requestId"])
    elif method == "logging/setLevel":
        send(id=number, result={})
    elif number is not None:
        send(id=number, error={"code": -32601, "message": f"no {method}"})


if __name__ == "__main__":
    sys.stderr.write(f"server starts, key {os.environ.get('KEY')}\n")
    sys.stderr.flush()
    if MOOD == "exit":
        sys.exit(f"no way, {os.environ.get('KEY')}")
    if MOOD == "hang":
        threading.Event().wait()
    for line in sys.stdin:
        if line.strip():
            answer(json.loads(line))
    if MOOD == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(1)
