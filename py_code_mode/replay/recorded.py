"""A transcript read from a file, which may come from anywhere: checked, bounded, never run.

Place in the house: inside ``replay``. What is wrong is said with the file and the cell.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kernel_bootstrap.wire.codec import decode
from kernel_bootstrap.wire.messages import METADATA_KEY, Reply, parse
from kernel_bootstrap.wire.parts import shown
from py_code_mode.errors import CodeModeError, ConfigError, ProtocolError
from py_code_mode.jsonform import NUMBER, load_json, pack, read_fields, unpack
from py_code_mode.replay.world import Artifact, read_artifact, read_base64, read_skill, read_tool
from py_code_mode.skills.skill import Skill
from py_code_mode.tools.base import ToolInfo

__all__ = ["RecordedCall", "RecordedCell", "RecordedRun", "key_of", "parse_run", "read_run"]

MAX_BYTES = 1024 * 1024 * 1024
"""A larger file is no transcript: they have 256 MiB of outputs at most."""

FORMAT = 1

_LONGEST = 1e9

_BY_CHANCE = (AssertionError, LookupError, TypeError, AttributeError, ValueError, RecursionError)
"""What nbformat raises where it takes for granted that a file has the right form."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedCall:
    """One call of a tool; equal only to itself, for its arguments may be arrays.

    Attributes:
        tool: Its exact name.
        arguments: As the code gave them.
        outcome: ``ok``, ``error``, ``denied`` or ``cancelled``.
        reply: What it was answered; None: that is not in the recording.
        left_out: Why it is not.
        number: Calls that were asked later have higher ones; 0: not known.
    """

    tool: str
    arguments: dict[str, Any]
    outcome: str
    reply: Reply | None = None
    left_out: str = ""
    number: int = 0

    @property
    def key(self) -> str:
        """What calls of one tool with the same arguments have in common."""
        return key_of(self.tool, self.arguments)


@dataclass(frozen=True, slots=True)
class RecordedCell:
    """One code cell.

    Attributes:
        number: Its place among all cells, from 1.
        source: Its code.
        outputs: Its outputs, as nbformat has them.
        execution_count: Its number when it ran.
        calls: The calls of tools.
        seconds: How long it took; None: nobody says, it is no cell of ours.
        state_lost: Whether the kernel was replaced.
        refused: Shell commands that were refused -> what the code was told.
        more_refused: Whether there were others.
        new_kernel: Whether the session was reset before it.
    """

    number: int
    source: str
    outputs: tuple[Mapping[str, Any], ...]
    execution_count: int | None
    calls: tuple[RecordedCall, ...] = ()
    seconds: float | None = None
    state_lost: bool = False
    refused: Mapping[str, str] = field(default_factory=dict)
    more_refused: bool = False
    new_kernel: bool = False


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A transcript.

    Attributes:
        path: Its file.
        cells: Its code cells.
        tools: The tools there were.
        skills: Skills as the cells found them.
        artifacts: Artifacts as the cells found them.
        notes: What it lacks, a sentence each.
    """

    path: Path
    cells: tuple[RecordedCell, ...]
    tools: tuple[ToolInfo, ...] = ()
    skills: tuple[Skill, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    notes: tuple[str, ...] = ()


def key_of(tool: str, arguments: Mapping[str, Any]) -> str:
    """Return a text that is the same for the same call."""
    return f"{tool} {json.dumps(pack(dict(arguments)), sort_keys=True)}"


def read_run(path: Path) -> RecordedRun:
    """Read a transcript.

    Raises:
        ConfigError: The file cannot be read, or is no transcript.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ConfigError(f"has {size:,} bytes, more than {MAX_BYTES:,}", file=path)
        return parse_run(path, path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=path) from error


def parse_run(path: Path, raw: bytes) -> RecordedRun:
    """Read a transcript out of a file's bytes.

    Args:
        path: What messages call the file.
        raw: Its bytes.

    Raises:
        ConfigError: They are no transcript.
    """
    notebook = _notebook(path, raw)
    about = notebook["metadata"].get(METADATA_KEY)
    if not isinstance(about, dict):
        raise ConfigError(
            f"is no transcript of a session: its metadata lack {METADATA_KEY!r}", file=path
        )
    if about.get("format") != FORMAT:
        raise ConfigError(f"has the format {shown(about.get('format'))}, not {FORMAT}", file=path)
    cells = tuple(_cells(notebook["cells"], path))
    try:
        tools = tuple(map(read_tool, _list(about, "tools")))
        skills = tuple(map(read_skill, _list(about, "skills")))
        artifacts = tuple(map(read_artifact, _list(about, "artifacts")))
        notes = tuple(_notes(about))
    except CodeModeError as error:
        raise ConfigError(f"its metadata: {error}", file=path) from error
    return RecordedRun(path, cells, _with_called(tools, cells), skills, artifacts, notes)


def _notebook(path: Path, raw: bytes) -> dict[str, Any]:
    import nbformat

    try:
        notebook = load_json(raw)
    except ProtocolError as error:
        raise ConfigError(f"is no notebook: {error}", file=path) from error
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4:  # noqa: PLR2004 - the format's number
        raise ConfigError("is no notebook of nbformat 4", file=path)
    try:
        nbformat.validate(nbformat.from_dict(notebook))
    except (nbformat.ValidationError, *_BY_CHANCE) as error:
        raise ConfigError(f"is no valid notebook: {error!s:.300}", file=path) from error
    return notebook


def _cells(cells: list[dict[str, Any]], path: Path) -> Iterator[RecordedCell]:
    for number, cell in enumerate(cells, 1):
        if cell["cell_type"] != "code":
            continue
        try:
            yield _cell(number, cell)
        except CodeModeError as error:
            raise ConfigError(f"cell {number}: {error}", file=path) from error


def _cell(number: int, cell: dict[str, Any]) -> RecordedCell:
    about = cell["metadata"].get(METADATA_KEY)
    source, outputs = cell["source"], tuple(cell["outputs"])
    source = source if isinstance(source, str) else "".join(source)
    plain = RecordedCell(number, source, outputs, cell["execution_count"])
    if about is None:
        return plain
    told = read_fields("what it says of itself", about, tool_calls=list, seconds=NUMBER)
    return RecordedCell(
        number,
        source,
        outputs,
        cell["execution_count"],
        tuple(map(_call, told["tool_calls"])),
        float(min(told["seconds"], _LONGEST)),  # an integer may be too large for a float
        about.get("state_lost") is True,
        dict(map(_refusal, _list(about, "refused_commands"))),
        about.get("more_refused") is True,
        about.get("new_kernel") is True,
    )


def _refusal(data: Any) -> tuple[str, str]:
    told = read_fields("a refused command", data, command=str, said=str)
    return told["command"], told["said"]


def _call(data: Any) -> RecordedCall:
    told = read_fields("a tool call", data, tool=str, arguments=dict, outcome=str)
    asked = data.get("asked")
    arguments = decode(told["arguments"]) if asked is None else unpack(asked)
    if type(arguments) is not dict or not all(type(name) is str for name in arguments):
        raise ProtocolError("the arguments of a tool call must have names")
    number = data.get("number", 0)
    number = number if type(number) is int else 0
    reply = _reply(data["answer"]) if "answer" in data else None
    left_out = "" if reply is not None else _text(data.get("not_recorded", ""))[:500]
    return RecordedCall(told["tool"], arguments, told["outcome"], reply, left_out, number)


def _reply(data: Any) -> Reply:
    """Read an answer as a kernel would."""
    told = read_fields("an answer", data, base64=list)
    buffers = [read_base64("a buffer", text) for text in told["base64"]]
    what = "failure" if "failure" in data else "value"
    reply = parse({"kind": "reply", "id": 0, what: data.get(what)}, buffers)
    assert isinstance(reply, Reply)
    return reply


def _list(about: Mapping[str, Any], name: str) -> list[Any]:
    found = about.get(name, [])
    if not isinstance(found, list):
        raise ProtocolError(f"{name!r} must be a list")
    return found


def _notes(about: Mapping[str, Any]) -> Iterator[str]:
    dropped = about.get("cells_dropped")
    if type(dropped) is int and dropped > 0:
        yield f"the first {dropped:,} cells of the session are not in the notebook"
    left_out = about.get("tools_left_out")
    if type(left_out) is int and left_out > 0:
        yield f"{left_out:,} tools are not described in it"
    for each in _list(about, "not_recorded"):
        yield f"not recorded: {_text(each)[:300]}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)


def _with_called(
    tools: tuple[ToolInfo, ...], cells: tuple[RecordedCell, ...]
) -> tuple[ToolInfo, ...]:
    """Add tools that were called and are not described: they may have gone since."""
    known = {tool.name for tool in tools}
    called = {
        call.tool: None
        for cell in cells
        for call in cell.calls
        if call.reply is None
        or call.reply.failure is None
        or call.reply.failure.kind != "ToolNotFoundError"
    }
    return (*tools, *(ToolInfo(name) for name in called if name not in known))
