"""A host made of a function: it answers a link from a thread of its own, as a kernel's does.

Messages travel as JSON text and buffers, so nothing crosses that could not cross a socket.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from kernel_bootstrap.link import Link
from kernel_bootstrap.wire.codec import Buffer
from kernel_bootstrap.wire.messages import Cancel, Failure, Reply, Request, parse

HOLD = object()
"""Answer of a host that has not made up its mind: ``FakeHost.reply`` gives the real one."""

Answer = Callable[[Request], Any]


class FakeHost:
    """Takes what a link sends and delivers answers to it.

    Args:
        answer: Called with each request, in the host's thread. What it returns is the value;
            what it raises is the failure; ``HOLD`` leaves the request open.

    Attributes:
        link: The link that is served.
        requests: The requests so far, in order.
        cancelled: Ids of the cancelled requests, in order.
    """

    def __init__(self, answer: Answer) -> None:
        self.link = Link(self.send)
        self.requests: list[Request] = []
        self.cancelled: list[int] = []
        self._answer = answer
        self._inbox: queue.SimpleQueue[tuple[str, list[bytes]] | Reply | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="fake host", daemon=True)
        self._thread.start()

    def send(self, data: dict[str, Any], buffers: list[Buffer]) -> None:
        """Put one message of the link on its way."""
        self._inbox.put((json.dumps(data, allow_nan=False), [bytes(part) for part in buffers]))

    def reply(self, id_: int, value: Any) -> None:
        """Answer a request that was held."""
        self._inbox.put(Reply(id_, value))

    def close(self) -> None:
        """End the thread."""
        self._inbox.put(None)
        self._thread.join(5)

    def _serve(self) -> None:
        while (item := self._inbox.get()) is not None:
            if isinstance(item, Reply):
                self._deliver(item)
                continue
            message = parse(json.loads(item[0]), item[1])
            if isinstance(message, Request):
                self.requests.append(message)
                self._respond(message)
            elif isinstance(message, Cancel):
                self.cancelled.append(message.id)

    def _respond(self, request: Request) -> None:
        try:
            value = self._answer(request)
        except Exception as error:  # noqa: BLE001 - every failure is an answer
            self._deliver(Reply(request.id, failure=Failure.from_exception(error)))
            return
        if value is not HOLD:
            self._deliver(Reply(request.id, value))

    def _deliver(self, reply: Reply) -> None:
        data, buffers = reply.to_wire()
        back = parse(json.loads(json.dumps(data)), [bytes(part) for part in buffers])
        assert isinstance(back, Reply)
        self.link.deliver(back)


def tool(name: str, *params: dict[str, Any], path: str | None = None, **more: Any) -> dict:
    """A tool as the host describes it to a kernel."""
    info = {"name": name, "path": path or name, "description": "", "params": [*params], "tags": []}
    return {**info, "returns": "", **more}


def param(name: str, annotation: str = "Any", **more: Any) -> dict[str, Any]:
    """A required parameter of a tool; one with a ``default`` is optional."""
    required = "default" not in more
    return {"name": name, "annotation": annotation, "required": required, "description": "", **more}


def eventually(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until a condition holds, and fail when it does not within a few seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.002)


def methods(requests: Sequence[Request]) -> list[str]:
    """The names of what was asked for."""
    return [request.method for request in requests]
