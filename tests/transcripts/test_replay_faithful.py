"""Replay is faithful: what is the same is reported so, and what differs is told."""

from __future__ import annotations

import asyncio
import re

import pytest

from py_code_mode import ConfigError, ToolRegistry
from py_code_mode.replay import replay
from tests.transcripts.test_replay import changed


@pytest.fixture
async def session(make_executor):
    """An executor with tools of all kinds of answers."""
    registry = ToolRegistry()
    counts = {"n": 0}

    @registry.tool
    def person(n: int) -> dict:
        """Give a dict."""
        return {"name": "Ann", "age": n, "more": [{"z": 1, "a": {1: 2}}]}

    @registry.tool
    def odd(v: object) -> str:
        """Take anything."""
        return type(v).__name__

    @registry.tool
    def tick(n: int = 0) -> int:
        """Count."""
        counts["n"] += 1
        return counts["n"]

    @registry.tool
    async def slow(seconds: float, n: int) -> int:
        """Take long."""
        await asyncio.sleep(seconds)
        return n

    return await make_executor(registry=registry)


async def told(session, tmp_path, *codes):
    """Run cells and replay them; return what differs."""
    for code in codes:
        timeout = 0.5 if "while True" in code else None
        await session.run(code, timeout=timeout)
    report = await replay(session.export_notebook(tmp_path / "run.ipynb"))
    return [(cell.number, each) for cell in report.cells for each in cell.differences]


AS_COMPLETED = """
from concurrent.futures import ThreadPoolExecutor, as_completed
with ThreadPoolExecutor(3) as pool:
    asked = [pool.submit(tools.slow, seconds=s, n=n) for n, s in enumerate([0.4, 0.05, 0.2])]
    for each in as_completed(asked): print(each.result())
"""
TASKS = """
import asyncio
async def one(n, seconds):
    print('done', await tools.slow.acall(seconds=seconds, n=n))
await asyncio.gather(*(one(n, s) for n, s in enumerate([0.4, 0.05, 0.2])))
"""
SVG = """
import matplotlib.pyplot as plt, matplotlib_inline.backend_inline as inline
inline.set_matplotlib_formats('svg')
plt.plot([1, 2], [3, 4], 'o'); plt.show()
"""


@pytest.mark.parametrize(
    "codes",
    [
        ["person = tools.person(n=5)\nprint(person, list(person))\nperson"],
        [
            "import numpy as np; a = tools.tick(); tools.odd(v=np.arange(2)); tools.odd(v=[np.eye(2)])"
        ],
        ["import pandas as pd; tools.odd(v=pd.DataFrame({'a': [1]})), tools.tick()"],
        ["", "x = 1", "   ", "", "x"],
        ["x = '''q\n   \n w'''\nx", "    s = '''a\nb'''\n    s", "  x\n y"],
        ["[tools.tick(n=1) for _ in range(3)]", "get_ipython().execution_count = 1", "5"],
        ["import asyncio\nawait asyncio.gather(*(tools.tick.acall() for _ in range(4)))"],
        ["n = 0\nwhile True:\n    tools.tick(n=n); n += 1", "'after'"],
        [AS_COMPLETED],
        [TASKS],
        ["skills.create('one', 'def run(): return 1', 'x')", "skills.get('one')"],
        [SVG],
        ["import threading; threading.Thread(target=print)", "(lambda: 0), object()"],
    ],
)
async def test_what_is_the_same_is_no_difference(session, tmp_path, codes):
    """Order of keys, arrays, empty cells, texts, concurrent calls and stopped loops come again."""
    assert await told(session, tmp_path, *codes) == []


async def test_a_reset_is_replayed_where_it_was(session, tmp_path):
    """A session that was reset before its first cell's number came again is reset there."""
    await session.run("x = 1")
    await session.run("y = 2")
    await session.reset()
    assert await told(session, tmp_path, "'x' in globals()", "z = 3", "z") == []


@pytest.mark.parametrize(
    ("code", "other", "what"),
    [
        ("import hashlib; hashlib.md5(b'one').hexdigest()", "hashlib.md5(b'two').hexdigest()", "value"),
        ("hex(0x1000000)", "hex(0x2000000)", "value"),
        ("print('0x1000000')", "print('0x2000000')", "stdout"),
        (
            "from IPython.display import HTML\ndisplay(HTML('a')); print('b')",
            "from IPython.display import HTML\nprint('b'); display(HTML('a'))",
            "order",
        ),
    ],
)  # fmt: skip
async def test_what_only_looks_drawn_is_compared(session, tmp_path, code, other, what):
    """Digests, numbers in base 16, and what was shown before what, are told."""
    await session.run("import hashlib")
    await session.run(code)

    def change(notebook):
        notebook.cells[1].source = other

    path = changed(session.export_notebook(tmp_path / "run.ipynb"), change)
    report = await replay(path)
    assert [each.what for each in report.cells[1].differences] == [what]


async def test_odd_numbers_in_a_file_are_refused_or_bounded(session, tmp_path):
    """Numbers that no float holds, and formats that are none, end in our own error or in nothing."""
    await session.run("1")
    path = session.export_notebook(tmp_path / "run.ipynb")
    text = path.read_text()
    path.write_text(text.replace('"nbformat_minor": 5', '"nbformat_minor": "x"'))
    with pytest.raises(ConfigError, match="no valid notebook"):
        await replay(path)
    path.write_text(re.sub(r'"seconds": [\d.e-]+', f'"seconds": 1{"0" * 400}', text))
    assert (await replay(path)).same
