"""The example of a skill made of cells passes from the beginning, and says what it can."""

from __future__ import annotations

import pytest


async def recorded(executor, *codes):
    """Make a skill of cells, test it; return what its example expects."""
    numbers = [(await executor.run(code)).execution_count for code in codes]
    skill = await executor.save_skill_from(numbers, "made", replace=True)
    value = (await executor.run("skills.test('made')")).unwrap()
    assert (value["passed"], value["failed"]) == (1, 0), value["results"]
    return skill.examples[0].expected


P = "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int = 1\n"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("print('a', end='')\n5", "a5"),
        ("print('10%\\r20%\\r')\n5", ""),
        ("import os\nprint('a', flush=True)\nos.system('echo b')", ""),
        ("from IPython.display import clear_output\nprint('a')\nclear_output()\nprint('b')", ""),
        ("int", ""),
        ("[1, int]", ""),
        ("def f(): pass\nf", ""),
        ("[].append", ""),
        ("[abs]", ""),
        ("print('a')\nint", "a\n..."),
        ("import re\nre.compile('a')", ""),
        ("from collections import defaultdict\n1, defaultdict(int, a=1)", ""),
        ("from collections import Counter, deque\nCounter('aab'), deque([1])", "(Counter({'a': 2, 'b': 1}), deque([1]))"),
        ("import json\ntry: json.loads('')\nexcept ValueError as error: e = error\ne", ""),
        ("ValueError('x')", "ValueError('x')"),
        (P + "P()", ""),
        (P + "[P()]", "[...P(x=1)]"),
        (P + "print(1, P())", "1 ...P(x=1)"),
        ("class A:\n    def f(self): pass\nA().f", "<bound method ...A.f of <...A object... at ...>>"),
        ("class A: pass\nprint(A)", "<class '...A'>"),
        ("(i for i in 'a')", "<generator object ...<genexpr>... at ...>"),
        ("class A: pass\nA.__module__, A.__qualname__", ""),
        ("class A:\n    def _repr_pretty_(self, p, cycle): p.text('A(1)')\nA()", ""),
        ("{'b', 'a', 'c'}", "{'a', 'b', 'c'}"),
        ("print('a')\n{'b', 'a', 'c'}", "a\n..."),
        ("frozenset('abc')", ""),
        ("import datetime, pathlib\n[datetime.date(2020, 1, 1), float('inf')]", "[datetime.date(2020, 1, 1), inf]"),
        ("import numpy as np\nnp.array(['a', None], dtype=object)", "array(['a', None], dtype=object)"),
        ("from enum import Enum\nclass E(Enum):\n    A = 1\n[E.A]", "[<...E.A: 1>]"),
    ],
)  # fmt: skip
async def test_what_is_expected_is_what_comes(executor, code, expected):
    """What IPython or a terminal shows in a way of its own is left open, the rest is compared."""
    assert await recorded(executor, code) == expected


@pytest.mark.parametrize(
    "code", ["import pandas as pd\npd.DataFrame({'a': range(3)})", "import pandas as pd\npd.Series([1, 2])"]
)  # fmt: skip
async def test_tables_are_compared(executor, code):
    """Frames and series show as their repr, and are in the example."""
    assert "1" in await recorded(executor, code)


async def test_prints_of_several_cells_are_one_text(executor):
    """What one cell printed without an end goes on in the next."""
    assert await recorded(executor, "print('a', end='')", "print('b')", "3") == "ab\n3"
