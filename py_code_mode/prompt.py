"""What a model reads before it writes its first cell: a system prompt, and stubs of tools.

Place in the house: above ``tools``, below the executor, whose methods these are. The texts depend
on the tools alone: the same tools give the same bytes, today and tomorrow, so prompt caches keep
them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from py_code_mode.tools.base import NO_DEFAULT, ToolInfo, ToolParam
from py_code_mode.tools.names import clean_name, not_found
from py_code_mode.tools.registry import ToolRegistry
from py_code_mode.tools.stubs import stub_of
from py_code_mode.tools.typeddicts import one_line

__all__ = ["stubs", "system_prompt", "tool_line"]

_LIST_CHARS = 8_000
"""A longer list of tools is left out, and how to search is said instead."""

_LINE, _SUMMARY = 240, 100
_GROUPS = 20

_HEAD = """\
You work by writing Python. Each piece of code you send runs as a cell of one IPython session: \
variables, imports and functions stay for the next cell, and `await` works at the top level. Back \
come what the cell prints and displays and the value of its last expression; output that is too \
long is cut. An exception comes back as a traceback: read it, mend the code, go on.

Do in one cell what belongs together: call, loop, filter, keep results in variables, and show only \
what you need to see. Three names are always there:

- `tools`: functions that run outside the session. Call them by keyword, `tools.name(key=value)`; \
the result is a Python value. `tools.describe("name")` explains one tool, \
`tools.map("name", [{"key": 1}, {"key": 2}])` makes many calls at once (order kept, errors in \
place), `await tools.name.acall(key=value)` one that overlaps with others. What fails raises \
`tools.ToolError`; its message says what would be right.
- `skills`: recipes in Python that outlive the session. Look before you write: \
`skills.search("words")`, then `print(skills.get("name").source)` to read one or \
`skills.invoke("name", key=value)` to run it. Save what worked and will be needed again: \
`skills.create("name", code, "what it does")`, where `code` defines `def run(...)`; make it better \
with `skills.update("name", code)`.
- `artifacts`: data that outlives the session: `artifacts.save("name", data, "what it is")`, \
`artifacts.load("name")`, `artifacts.search("words")`, `artifacts.list()`.
"""

_SEARCH = """\
Find the right ones by what they do:

```python
for tool in tools.search("what you need", limit=5):
    print(tools.describe(tool["name"], "signature"))
```
"""


def system_prompt(registry: ToolRegistry, *, max_tools: int = 40) -> str:
    """Return a prompt that explains code mode, with the tools if they are few.

    Args:
        registry: The tools in scope.
        max_tools: How many tools are listed, a line each; of more only the groups are named.
    """
    infos = sorted(registry.list_tools(), key=lambda info: clean_name(info.name))
    if not infos:
        return f"{_HEAD}\nThere are no tools in this session.\n"
    lines = "\n".join(map(tool_line, infos))
    if len(infos) <= max_tools and len(lines) <= _LIST_CHARS:
        return f"{_HEAD}\nThe tools:\n\n```python\n{lines}\n```\n"
    return f"{_HEAD}\nThere are {len(infos):,} tools{_groups(infos)}. {_SEARCH}"


def _groups(infos: list[ToolInfo]) -> str:
    paths = [clean_name(info.name) for info in infos]
    found = sorted(Counter(path.partition(".")[0] for path in paths if "." in path).items())
    if not found:
        return ""
    named = [f"`tools.{name}` ({count})" for name, count in found[:_GROUPS]]
    rest = [f"{len(found) - _GROUPS} more groups"] if len(found) > _GROUPS else []
    return f", among them {', '.join([*named, *rest])}"


def tool_line(info: ToolInfo) -> str:
    """Return a call of a tool and what it does, in one line."""
    params = ", ".join(map(_param, info.params))
    call = f"tools.{clean_name(info.name)}({params}){f' -> {info.returns}' if info.returns else ''}"
    summary = one_line(info.description.strip().partition("\n")[0], _SUMMARY)
    return one_line(call, _LINE) + (f"  # {summary}" if summary else "")


def _param(param: ToolParam) -> str:
    default = ""
    if param.default is not NO_DEFAULT:
        default = f" = {one_line(repr(param.default), 40)}"
    elif not param.required:
        default = " = ..."
    return f"{param.name}: {param.annotation}{default}"


def stubs(registry: ToolRegistry, wanted: str | Iterable[str] | None, *, limit: int = 20) -> str:
    """Return tools as a Python stub.

    Args:
        registry: The tools in scope.
        wanted: Names of tools or groups; or one name; or what to search for; None: all tools.
        limit: How many tools a search gives.

    Raises:
        ToolNotFoundError: One of several names is none.
    """
    infos = registry.list_tools()
    if wanted is None:
        return stub_of(infos)
    if isinstance(wanted, str):
        return stub_of(_named(infos, wanted) or registry.search(wanted, limit))
    chosen: dict[str, ToolInfo] = {}
    for name in wanted:
        found = _named(infos, name)
        if not found:
            raise not_found(name, [info.name for info in infos])
        chosen |= {info.name: info for info in found}
    return stub_of(chosen.values())


def _named(infos: list[ToolInfo], name: str) -> list[ToolInfo]:
    """Return the tool of that exact or clean name, or those of that group."""
    path = clean_name(name) if name else ""
    return [
        info
        for info in infos
        if name == info.name or f"{clean_name(info.name)}.".startswith(f"{path}.")
    ]
