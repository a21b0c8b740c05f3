"""Cells become a skill: parameters, what is missing, the tools it needs, an example that passes."""

from __future__ import annotations

import ast
import sys

import pytest

from py_code_mode import SkillError, SkillValidationError, create_skill_library
from py_code_mode.cli import main
from py_code_mode.promote.names import free_names
from py_code_mode.skills.file import FileSkillStore
from tests.transcripts.conftest import SECRET


@pytest.fixture
def run(executor):
    """Run cells, return the numbers of those that worked."""

    async def run(*codes):
        return [(await executor.run(code)).execution_count for code in codes]

    return run


async def passes(executor, name):
    """Whether the skill's one example passes."""
    value = (await executor.run(f"skills.test({name!r})")).unwrap()
    return (value["passed"], value["failed"]) == (1, 0)


async def test_cells_become_a_skill(executor, run):
    """Literals are parameters with types and defaults, the last value is returned and tested."""
    await run(
        "import json",
        '''
            # where it is
            sizes = [1, 2]  # of what
            def shout(text):
                return text.upper()
            note = """first
              second"""
            place = "Oslo" if True else "Bergen"
            print(shout(place), f"{place!r} {'Oslo'}")
            json.dumps({"Oslo": [len(note), *sizes]})
        ''',
    )
    skill = await executor.save_skill_from([2, 1], "report", {"city": "Oslo", "sizes": [1, 2]})
    assert skill.call == "report(city: str = 'Oslo', sizes: list[int] = [1, 2]) -> str"
    assert "# where it is" in skill.source
    assert skill.source.count("city") == 5
    assert "sizes = " not in skill.source.split("def run")[1].split("\n", 1)[1]
    assert await passes(executor, "report")
    result = await executor.run("skills.report(city='Rome', sizes=[3])")
    assert result.value == '{"Rome": [14, 3]}'
    assert result.stdout == "ROME 'Rome' Rome\n"
    assert executor.skill_library.get("report").creator == "default"


async def test_assignments_become_parameters(executor, run):
    """``params=["n"]`` takes the first assignment out; later ones stay."""
    await run("n: int = 3; m = -1.5  # two\nfor _ in range(2):\n    n = n + 1\nn, m")
    skill = await executor.save_skill_from(1, "count", ["n", "m"], "Count on.")
    assert skill.call == "count(n: int = 3, m: float = -1.5) -> tuple"
    assert skill.description == "Count on."
    assert await passes(executor, "count")
    assert (await executor.run("skills.count(n=10, m=0.0)")).value == (12, 0.0)


@pytest.mark.parametrize(
    ("codes", "params", "given", "expected"),
    [
        (["n = 5", "n = 5; n * 5"], {"n": 5}, {"n": 6}, 36),
        (["x = 5; x += 1; x = 5; x"], ["x"], {"x": 9}, 5),
        (["n = 5; n += 1", "n"], {"n": 5}, {"n": 9}, 10),
        (["id = 7; str(id)"], ["id"], {"id": 8}, "8"),
        (["n = 5; [n for n in (1, 2)] + [n]"], ["n"], {"n": 6}, [1, 2, 6]),
        (["def f(): return n + 1", "n = 5", "f()"], ["n"], {"n": 6}, 7),
        (["xs = [1]; xs.append(2); xs"], ["xs"], {}, [1, 2]),
        (["x = [...]; len(x)"], ["x"], {}, 1),
        (["key = 'a'\nmatch {'a': 1}:\n    case {'a': y}: pass\ny, 'a'"], {"k": "a"}, {}, (1, "a")),
    ],
)  # fmt: skip
async def test_a_parameter_means_what_the_variable_meant(
    executor, run, codes, params, given, expected
):
    """Assignments that say no more than the parameter go; calls do not change each other."""
    await run(*codes)
    await executor.save_skill_from([*range(1, len(codes) + 1)], "made", params)
    assert await passes(executor, "made")
    for _ in range(2):
        assert (await executor.run(f"skills.made(**{given!r})")).value == expected


async def test_awaiting_cells_and_tools(executor, run):
    """Cells that await become ``async def run``; the tools they name and called are listed."""
    await run(
        "call = 'weather'\nfirst = await tools.wait.acall(seconds=0.01)",
        "[first, [hasattr(tools, 'x'), tools.call(call, {'city': 'Oslo'})[:4]]]",
    )
    skill = await executor.save_skill_from([1, 2], "waiting", {"city": "Oslo"})
    assert skill.is_async
    assert set(skill.tools) == {"wait", "weather"}
    assert await passes(executor, "waiting")
    assert (await executor.run("skills.waiting(city='Rome')")).value == ["done", [False, "Rome"]]


async def test_a_variable_of_another_cell_can_be_a_parameter(executor, run):
    """A name that the cells only read takes the value that is given for it."""
    await run("n = 4", "n * 2")
    skill = await executor.save_skill_from([-1], "double", {"n": 4})
    assert skill.call == "double(n: int = 4) -> int"
    assert await passes(executor, "double")


@pytest.mark.parametrize(
    ("codes", "cells", "params", "said"),
    [
        (["x = 1", "y = x", "x = 2", "x + y"], [4], (), "'x', which cells 1, 3 make"),
        (["x = 1", "y = x", "x + y"], [3], (), "'y', which cell 2 makes"),
        (["n = 1", "n = n + 1\nn"], [2], (), "'n', which cell 1 makes"),
        (["import re", "def f(): return re.compile('a')\nf().pattern"], [2], (), "'re', which cell 1"),
        (["5", "_ + 1"], [2], (), "'_', which no cell"),
        (["1 / 0"], [1], (), "cell 1 failed (ZeroDivisionError"),
        (["1"], [7], (), "there is no cell 7 in the transcript; there are: 1"),
        (["1"], [], (), "no cells were named"),
        (["1"], ["1"], (), "'1' is no cell: cells are numbered, as in cells=[1, 2]"),
        (["1"], "1", (), "'1' is no cell"),
        (["1"], [None], (), "None is no cell"),
        (["1"], [True], (), "True is no cell"),
        (["1"], [1.0], (), "1.0 is no cell"),
        (["x = 1\n%time y = 2"], [1], (), "cell 1, line 2: `%time y = 2` is a magic"),
        (["x = 1\n\nx = !echo hi"], [1], (), "line 3: `x = !echo hi` is a shell command"),
        (["!echo hi"], [1], (), "is a shell command"),
        (["len?"], [1], (), "is a question for help"),
        (["from math import *"], [1], (), "`from math import *`"),
        (["x = 1\ndef f():\n    global x\n    x = 2\nf()"], [1], (), "line 3: a skill cannot hold `global x`"),
        (["get_ipython()"], [1], (), "get_ipython"),
        (["1"], [1], {"a b": 1}, "no Python identifier"),
        (["1"], [1], {"tools": 1}, "the skill has tools anyway"),
        (["1"], [1], {"x": object()}, "params['x'] is a object"),
        (["1"], [1], {"x": 2}, "hold no literal 2 and read no variable"),
        (["1"], [1], {"x": True}, "hold no literal True"),
        (["x = 2"], [1], {"x": 1}, "nothing for the parameter 'x'"),
        (["x = 2; x"], [1], {"x": 1}, "the code makes 'x' itself"),
        (["max(1, 5)"], [1], {"max": 5}, "'max' would hide another meaning: the code uses Python's"),
        (["display('Oslo')"], [1], {"display": "Oslo"}, "hide another meaning: the code uses the skill's"),
        (["y = 1\nx = 1e999"], [1], ["x"], "line 2: 'x' is inf, which cannot be a default"),
        (["x = {'a': [1, -1e999]}"], [1], ["x"], "line 1: 'x' is {'a': [1, -inf]}, which cannot"),
        (["x = 1e999"], [1], {"x": float("inf")}, "params['x'] is a float: only what Python can write"),
        (["print(7)"], [1], {"print": 7}, "'print' would hide another meaning"),
        (["def f(n): return n * 5\nf(2)"], [1], {"n": 5}, "'n' would hide another meaning: a function"),
        (["(lambda n: n * 5)(2)"], [1], {"n": 5}, "'n' would hide another meaning: a function"),
        (["[n * 5 for n in (1, 2)]"], [1], {"n": 5}, "'n' would hide another meaning"),
        (["url = str(1)\nlen('x'), url"], [1], {"url": "x"}, "line 1: the code makes 'url' itself"),
        (["x = 5; x += 1; x = 5; x"], [1], {"x": 5}, "and 5 stands elsewhere, too"),
        (["x = 5\nfor _ in (1, 2):\n    x = 5\nx"], [1], {"x": 5}, "line 3: the code makes 'x' itself"),
        (["xs = [1]; xs.append(2); xs = [1]; xs"], [1], {"xs": [1]}, "say params=['xs']"),
        (["x = 5; y = x; del x; z = 5"], [1], {"x": 5}, "the code makes 'x' itself"),
        (["x = 1", "y = x; x = 5; x"], [2], ["x"], "'x' had another value before"),
        (["if 1:\n    x = 1\nx = 5\nx"], [1], {"x": 5}, "line 3: 'x' had another value before"),
        (["y = max(1, 2); max = 5; max"], [1], ["max"], "'max' had another value before"),
        (["match {'a': 1}:\n    case {'a': y}: y"], [1], {"k": 5}, "hold no literal 5"),
        (["match 5:\n    case 5: pass"], [1], {"k": 4}, "hold no literal 4"),
        (["match {}:\n    case {'a': y}: y"], [1], {"k": "a"}, "line 2: 'a' is only part of a pattern"),
        (["x = [5, 6]; x"], [1], {"a": 5, "b": [5, 6]}, "two parameters would stand for 5"),
        (["5"], [1], {"a": 5, "b": 5}, "line 1: two parameters would stand for 5"),
        (["1"], [1], ["x"], "assign no literal to 'x' at top level"),
        (["1"], [1], "x", "must be a list of names"),
        (["x = [" + "1, " * 2_000 + "]"], [1], {"n": 1}, "in more than 1000 places"),
        ([f"x = {'a' * 300_000!r}"], [1], (), "more than the 262,144 characters"),
        (["'http://10.0.0.1/'"], [1], {"host": "10.0.0.1"}, "is only part of a text"),
        ([f"'{SECRET}'"], [1], (), "show a secret"),
    ],
)  # fmt: skip
async def test_what_cannot_be_a_skill_is_explained(executor, run, codes, cells, params, said):
    """Each refusal says which cell and line, and what would help; nothing is saved."""
    await run(*codes)
    with pytest.raises(SkillError) as caught:
        await executor.save_skill_from(cells, "made", params)
    assert said in str(caught.value)
    assert executor.skill_library.get("made") is None


async def test_what_code_does_with_names_is_understood(executor, run):
    """Comprehensions, classes, patterns, imports, walrus, handlers and closures need no help."""
    code = """
import os.path, itertools as it
from dataclasses import dataclass
@dataclass
class Point:
    x: int = 1
    def later(self):
        return helper(self.x)
def helper(n, *, base=2):
    return base ** n + extra
extra = 10
if (found := [i for i in range(3) if (last := i)]):
    total = 0
    for index, each in enumerate(found):
        total += index * each
try:
    raise ValueError("no")
except ValueError as error:
    said = str(error)
match {"a": [1, 2], "b": 3}:
    case {"a": [first, *rest], **others}:
        pass
with open(os.devnull) as file:
    read = file.read()
numbers = {key: value for key, value in zip("ab", it.count())}
(lambda q: q + total + last + len(said + read) + first + len(rest) + len(others) + len(numbers))(Point().later())
"""
    await run(code)
    await executor.save_skill_from([1], "names")
    assert await passes(executor, "names")


async def test_examples_of_any_value_pass(executor, run):
    """Addresses, long, blank and odd lines in what is expected do no harm."""
    codes = [
        "object()",
        "print('a\\n\\n  b\\n>>> c'); 5",
        "'\\n'.join(map(str, range(3_000)))",
        "print('... x')",
        '\'"""\\\\\'',
        "{'b': {3, 1, 2}, 'a': (None, 1.5, b'\\x00')}",
        "import numpy as np; np.eye(2)",
        "class A: pass\nA()",
        "x = 5;",
        "x = 1\nx;",
        "None",
        "list(range(300))",
    ]
    for number in await run(*codes):
        await executor.save_skill_from([number], f"s{number}")
        assert await passes(executor, f"s{number}"), codes[number - 1]


async def test_the_command_line_tests_it(make_executor, registry, tmp_path, capsys):
    """What was saved into a folder passes ``py-code-mode skills test``, and a taken name is one."""
    store = FileSkillStore(tmp_path / "skills")
    executor = await make_executor(skill_library=create_skill_library(store))
    await executor.run("sum(range(10))")
    await executor.save_skill_from([1], "add", {"n": 10})
    with pytest.raises(SkillValidationError, match="replace=True"):
        await executor.save_skill_from([1], "add")
    await executor.save_skill_from([1], "add", {"most": 10}, replace=True)
    import asyncio

    code = await asyncio.to_thread(main, ["skills", "test", "--skills", str(tmp_path / "skills")])
    assert (code, capsys.readouterr().out) == (0, "add: .\n1 tested, 0 failed\n")


@pytest.mark.parametrize(
    ("code", "missing"),
    [
        ("x += 1", ["x"]),
        ("x: int\ny = x", ["x"]),
        ("for i in range(2): pass\ni", []),
        ("[a for b in c for a in b]\nb", ["c", "b"]),
        ("def f(n=d): return g(n)\ndef g(n): return h", ["d", "h"]),
        ("lambda n=d: e", ["d", "e"]),
        ("class A(B):\n    c = 1\n    d = c\nc", ["B", "c"]),
        ("import a.b\na.c", []),
        ("try: pass\nexcept E as e: e", ["E"]),
        ("with a as (b, *c): b, c", ["a"]),
        ("match m:\n    case K(x) | [x]: x", ["m", "K"]),
        ("async def f():\n    await g()\n    async for i in h: i", ["g", "h"]),
        ("print(tools, skills, artifacts, display, len, __name__)", []),
        *(
            [
                ("def f[T](x: T) -> list[T]: return x", []),
                ("class A[T](B[T]): x: T", ["B"]),
                ("type X[T] = dict[T, Y]\nX", ["Y"]),
            ]
            if sys.version_info >= (3, 12)
            else []
        ),
    ],
)
def test_names_that_are_missing_are_found(code, missing):
    """Names are looked up as Python would, in the order in which code runs."""
    tree = ast.parse(code)
    body = "".join(f"    {line}\n" for line in code.split("\n"))
    assert free_names([tree], [], f"async def run():\n{body}") == missing
