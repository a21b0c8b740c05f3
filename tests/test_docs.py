"""The documentation runs: each page's code, the links between pages, the notebooks.

On a page, the Python blocks share one namespace and may await at the top level. A block whose
first line is ``# some/path.yaml`` (or ``.py``) is that file. A ``text`` block right after a
Python block is what it prints, with ``...`` for what differs from run to run. A block right
after ``<!-- no-run -->`` is not run.

``read_blocks``, ``run_block`` and ``close_all`` serve the tests of the README, too.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import inspect
import io
import itertools
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import nbformat
import pytest

import py_code_mode
from py_code_mode import (
    Action,
    Budget,
    CodeExecutor,
    Decision,
    ExecutionResult,
    KernelConfig,
    Limits,
    Output,
    PackagePolicy,
    Rule,
    ToolCall,
    ToolLimit,
)
from py_code_mode.tools.http.files import HTTPFile, OpenAPIFile
from py_code_mode.tools.mcp.schema import MCPFile
from py_code_mode.tools.schema import CLIFile, CLIParam
from tests.conftest import ROOT
from tests.notebooks import NOTEBOOKS, execute, read, render, told
from tests.notebooks import PAGES as NOTEBOOK_PAGES

PAGES = sorted((ROOT / "docs").glob("*.md"))
LINKED = [
    *PAGES,
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted(NOTEBOOK_PAGES.glob("*.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
]

NO_RUN = "<!-- no-run -->"
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FILE = re.compile(r"# (\S+\.(?:yaml|py))\n")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: Where it stands.
        line: The line its code begins in.
        language: What is written after the fence.
        code: Its text.
        section: The heading it stands under.
        before: What stands between the block before it and this one.
    """

    page: Path
    line: int
    language: str
    code: str
    section: str
    before: str

    @property
    def file(self) -> str | None:
        """The path in its first line, if it is a file."""
        match = _FILE.match(self.code)
        return match[1] if match else None

    @property
    def is_run(self) -> bool:
        return self.language == "python" and not self.before.rstrip().endswith(NO_RUN)

    def write(self, folder: Path) -> None:
        assert self.file is not None
        path = folder / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.code)


def read_blocks(page: Path) -> list[Block]:
    """Read the fenced blocks of a page, in order."""
    blocks, section, before = [], "", []
    lines = enumerate(page.read_text().splitlines(), 1)
    for number, line in lines:
        if line.startswith("```"):
            code = [text for _, text in itertools.takewhile(lambda pair: pair[1] != "```", lines)]
            text = "\n".join([*code, ""])
            blocks.append(Block(page, number + 1, line[3:], text, section, "\n".join(before)))
            before = []
            continue
        if line.startswith("#"):
            section = line.lstrip("# ")
        before.append(line)
    return blocks


async def run_block(block: Block, namespace: dict[str, Any]) -> str:
    """Run a Python block in ``namespace``; return what it printed."""
    printed = io.StringIO()
    source = "\n" * (block.line - 1) + block.code  # tracebacks show the page's own lines
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(source, block.page, "exec", flags=flags, dont_inherit=True)
    with contextlib.redirect_stdout(printed):
        result = eval(code, namespace)
        if inspect.isawaitable(result):
            await result
    return printed.getvalue()


async def close_all(values: Iterable[Any]) -> list[CodeExecutor]:
    """Close the executors among ``values``; return those that were open."""
    executors = {id(value): value for value in values if isinstance(value, CodeExecutor)}
    left_open = [executor for executor in executors.values() if not executor._closed]
    for executor in left_open:
        await executor.aclose()
    return left_open


def anchors(page: Path) -> set[str]:
    """The anchors a page's headings have where it is shown."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
async def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch, request):
    """Every block of a page runs, prints what the page says, and the page closes what it opens."""
    monkeypatch.chdir(tmp_path)
    # What a page starts as `python` is this one, with all that the project needs.
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    namespace: dict[str, Any] = {}
    blocks = read_blocks(page)
    if page.name == "redis.md":
        server = request.getfixturevalue("redis_servers")("redis-server")
        server.clear()
        port = f":{server.port}"
        blocks = [replace(each, code=each.code.replace(":6379", port)) for each in blocks]
    try:
        for block, after in itertools.pairwise([*blocks, None]):
            if block.file is not None:
                block.write(tmp_path)
            elif block.is_run:
                printed = await run_block(block, namespace)
                if after is not None and after.language == "text" and not after.before.strip():
                    where = f"{page.name}, line {after.line}, got:\n{printed}"
                    same = doctest.OutputChecker().check_output(
                        after.code, printed, doctest.ELLIPSIS
                    )
                    assert same, where
    finally:
        left_open = await close_all(namespace.values())
    assert left_open == []


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """Every relative link of a page leads to a file that is there, and to a heading in it."""
    assert page.is_file()
    for link in _LINK.findall(page.read_text()):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors(target), link


def test_every_page_is_linked_from_the_index():
    """A page that the index does not name would not be found."""
    linked = set(_LINK.findall((ROOT / "docs" / "index.md").read_text()))
    assert {page.name for page in PAGES} - {"index.md"} <= linked


def test_the_tree_of_errors_is_complete():
    """The page draws every exception that can be imported from py_code_mode, and no other."""
    (tree,) = [b for b in read_blocks(ROOT / "docs" / "errors.md") if b.section == "The tree"]
    drawn = re.findall(r"^\W*(\w+)", tree.code, flags=re.MULTILINE)
    public = {name: getattr(py_code_mode, name) for name in py_code_mode.__all__}
    raised = [k for k, v in public.items() if isinstance(v, type) and issubclass(v, BaseException)]
    assert sorted(drawn) == sorted(raised)


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("running-code.md", [field.name for field in fields(KernelConfig)]),
        ("running-code.md", [field.name for field in fields(ExecutionResult)]),
        ("packages.md", [field.name for field in fields(PackagePolicy)]),
        ("outputs.md", [field.name for field in fields(Limits)]),
        (
            "outputs.md",
            [name for name in dir(Output) if not name.startswith(("_", "to_", "from_"))],
        ),
        ("commands.md", CLIFile.model_fields),
        ("commands.md", CLIParam.model_fields),
        ("mcp.md", MCPFile.model_fields),
        ("http.md", {**HTTPFile.model_fields, **OpenAPIFile.model_fields}),
        *(
            ("governance.md", [field.name for field in fields(each)])
            for each in (Action, Budget, Decision, Rule, ToolCall, ToolLimit)
        ),
    ],
    ids=[
        *(
            "KernelConfig",
            "ExecutionResult",
            "PackagePolicy",
            "Limits",
            "Output",
            "command",
            "parameter",
            "server",
            "API",
        ),
        *("Action", "Budget", "Decision", "Rule", "ToolCall", "ToolLimit"),
    ],
)
def test_every_field_is_explained(page, names):
    """Each field of what users set or read is in a table of its page."""
    text = (ROOT / "docs" / page).read_text()
    cells = "".join(re.findall(r"^\|([^|]*)\|", text, flags=re.MULTILINE))
    assert [name for name in names if f"`{name}`" not in cells] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_valid_and_its_page_is_of_it(path):
    """Each notebook is nbformat 4.5, small, and its page in the docs is what it would be made of it."""
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert path.stat().st_size < 100_000
    page, pictures = render(notebook, path.stem)
    assert (NOTEBOOK_PAGES / f"{path.stem}.md").read_text() == page, "run `make notebooks`"
    assert {str(file.relative_to(NOTEBOOK_PAGES)) for file in files_of(path.stem)} == set(pictures)
    for name, data in pictures.items():
        assert (NOTEBOOK_PAGES / name).read_bytes() == data


def files_of(name: str) -> list[Path]:
    return [*(NOTEBOOK_PAGES / f"{name}_files").glob("*")]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
async def test_a_notebook_runs_and_shows_what_was_kept(path, tmp_path):
    """Run from top to bottom, each cell shows what it showed when the notebook was committed."""
    assert told(await execute(path, tmp_path)) == told(read(path))


def test_every_notebook_is_linked():
    """The page about the notebooks names each, and the page made of it."""
    linked = set(_LINK.findall((ROOT / "docs" / "notebooks.md").read_text()))
    for path in NOTEBOOKS:
        assert {f"notebooks/{path.stem}.md", f"../notebooks/{path.name}"} <= linked
