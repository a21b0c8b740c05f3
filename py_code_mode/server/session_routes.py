"""Sessions over HTTP: made, listed, run in, branched, ended.

Place in the house: inside ``server``; a table of operations.
"""

from __future__ import annotations

from starlette.responses import Response

from py_code_mode.jsonform import dump_json
from py_code_mode.results import value_from_dict, value_to_dict
from py_code_mode.server.answers import (
    PeekAnswer,
    SessionAnswer,
    SessionList,
    ValueAnswer,
    VariableList,
)
from py_code_mode.server.forms import InterruptRequest, Maker, ValueRequest
from py_code_mode.server.operations import Answer, Call, Operation, as_json
from py_code_mode.server.problems import Problem
from py_code_mode.server.runs import while_connected
from py_code_mode.server.served import Served

__all__ = ["OPERATIONS", "served_of"]

_NOTEBOOK = "application/x-ipynb+json"


def served_of(call: Call) -> Served:
    """Return the session a call is about.

    Raises:
        Problem: There is none of that id, or it was lost.
    """
    return call.service.sessions.find(call.owner, call.path["id"])


async def _make(call: Call) -> Response:
    name = call.body.name
    known = None if name is None else call.service.sessions.named(call.owner, name)
    if known is not None:
        return as_json(known.to_dict())
    making = call.service.sessions.make(call.owner, name)
    # Nobody would know of a session whose maker has gone.
    served = await while_connected(call.request.receive, making)
    return as_json(served.to_dict(), 201, {"Location": f"/sessions/{served.id}"})


async def _list(call: Call) -> Response:
    sessions = call.service.sessions.of(call.owner)
    return as_json({"sessions": [served.to_dict() for served in sessions]})


async def _show(call: Call) -> Response:
    return as_json(served_of(call).to_dict())


async def _delete(call: Call) -> Response:
    await call.service.sessions.delete(call.owner, call.path["id"])
    return Response(status_code=204)


async def _start(call: Call) -> Response:
    served = served_of(call)
    with served.busy():
        await served.session.start()
    served.up = True
    return Response(status_code=204)


async def _interrupt(call: Call) -> Response:
    served = served_of(call)
    name = call.body.run
    if name is None:
        with served.busy():
            await served.session.interrupt()
    elif name in served.streams:
        served.streams[name].give_up()
    return Response(status_code=204)


async def _peek(call: Call) -> Response:
    served = served_of(call)
    with served.busy():
        seen = await served.session.peek()
    return as_json(seen.to_dict())


async def _reset(call: Call) -> Response:
    served = served_of(call)
    with served.busy():
        await served.session.reset()
    served.execution_count = 0
    return Response(status_code=204)


async def _fork(call: Call) -> Response:
    served = await call.service.sessions.fork(served_of(call), call.body.name)
    return as_json(served.to_dict(), 201, {"Location": f"/sessions/{served.id}"})


async def _variables(call: Call) -> Response:
    served = served_of(call)
    with served.busy():
        variables = await served.session.variables()
    return as_json(
        {
            "variables": [
                {name: getattr(each, name) for name in each.__dataclass_fields__}
                for each in variables
            ]
        }
    )


async def _get_variable(call: Call) -> Response:
    served = served_of(call)
    with served.busy():
        value = await served.session.get_variable(call.path["name"])
    return as_json({"value": value_to_dict(value)})


async def _set_variable(call: Call) -> Response:
    served, name = served_of(call), call.path["name"]
    if not name.isidentifier():
        raise Problem(422, "bad_request", f"{name[:100]!r} is no Python identifier")
    value = value_from_dict(call.body.value.model_dump())
    with served.busy():
        await served.session.set_variable(name, value)
    return Response(status_code=204)


async def _notebook(call: Call) -> Response:
    served = served_of(call)
    return Response(dump_json(served.session.transcript), media_type=_NOTEBOOK)


_BODY = (400, 408, 413, 415, 422)
_HERE = (404, 410, 422)
_DONE = {204: Answer("Done.")}
_MADE = Answer("The session.", SessionAnswer, headers={"Location": "its path"})

OPERATIONS = (
    Operation(
        "POST",
        "/sessions",
        _make,
        "Make a session",
        {
            201: _MADE,
            200: Answer("The token's session of that name, which was there.", SessionAnswer),
        },
        "run",
        "Answers when its kernel is up.",
        body=Maker,
        optional=True,
        errors=(*_BODY, 429, 502),
    ),
    Operation(
        "GET",
        "/sessions",
        _list,
        "List the token's sessions",
        {200: Answer("The sessions, oldest first.", SessionList)},
        "run",
        errors=(422,),
    ),
    Operation(
        "GET",
        "/sessions/{id}",
        _show,
        "Show a session",
        {200: Answer("The session.", SessionAnswer)},
        "run",
        errors=_HERE,
    ),
    Operation(
        "DELETE",
        "/sessions/{id}",
        _delete,
        "End a session",
        _DONE,
        "run",
        "For a session that was lost: take note that the client knows. Its id can then be used "
        "anew.",
        errors=(404, 422),
    ),
    Operation(
        "POST",
        "/sessions/{id}/start",
        _start,
        "Start a session's kernel, if it is not up",
        _DONE,
        "run",
        errors=(*_HERE, 502),
    ),
    Operation(
        "POST",
        "/sessions/{id}/interrupt",
        _interrupt,
        "Break the running cell",
        _DONE,
        "run",
        "Nothing happens if none runs. With the name of a streamed run: stop that one, whether it "
        "runs or waits.",
        body=InterruptRequest,
        optional=True,
        errors=(*_BODY, 404, 410),
    ),
    Operation(
        "GET",
        "/sessions/{id}/peek",
        _peek,
        "Look at the running cell",
        {200: Answer("What it does; `running` is false if none runs.", PeekAnswer)},
        "run",
        "Its stack, variables, tool calls and last output; the cell goes on.",
        errors=_HERE,
    ),
    Operation(
        "POST",
        "/sessions/{id}/reset",
        _reset,
        "Replace the kernel",
        _DONE,
        "run",
        "All variables are gone; a running cell ends with an error.",
        errors=(*_HERE, 502),
    ),
    Operation(
        "POST",
        "/sessions/{id}/fork",
        _fork,
        "Branch a session",
        {201: _MADE},
        "run",
        "The branch has a copy of all variables.",
        body=Maker,
        optional=True,
        errors=(*_BODY, 404, 409, 410, 429, 502),
    ),
    Operation(
        "GET",
        "/sessions/{id}/variables",
        _variables,
        "List the variables the code has made",
        {200: Answer("The variables.", VariableList)},
        "run",
        "Waits for the running cell.",
        errors=(*_HERE, 502),
    ),
    Operation(
        "GET",
        "/sessions/{id}/variables/{name}",
        _get_variable,
        "Get a variable's value",
        {200: Answer("The value.", ValueAnswer)},
        "run",
        "Waits for the running cell.",
        errors=(*_HERE, 409, 502),
    ),
    Operation(
        "PUT",
        "/sessions/{id}/variables/{name}",
        _set_variable,
        "Give a variable a value",
        _DONE,
        "run",
        "Waits for the running cell.",
        body=ValueRequest,
        errors=(*_BODY, 404, 409, 410, 502),
    ),
    Operation(
        "GET",
        "/sessions/{id}/notebook",
        _notebook,
        "Get the cells so far as a notebook",
        {200: Answer("The notebook, nbformat 4.5.", media=_NOTEBOOK)},
        "run",
        errors=_HERE,
    ),
)
