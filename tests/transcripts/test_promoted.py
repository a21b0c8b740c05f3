"""What means something else in a skill than in a session is refused, or written so that it does not."""

from __future__ import annotations

import pytest

from py_code_mode import SkillError


@pytest.fixture
def run(executor):
    """Run cells, return the numbers of those that worked."""

    async def run(*codes):
        return [(await executor.run(code)).execution_count for code in codes]

    return run


async def refusal(executor, cells, params=()):
    """The message with which a skill is refused; nothing is saved."""
    with pytest.raises(SkillError) as caught:
        await executor.save_skill_from(cells, "made", params)
    assert executor.skill_library.get("made") is None
    return str(caught.value)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("if __name__ == '__main__':\n    x = 2", "line 1: a skill cannot hold `__name__`"),
        ("x = 1\ntry: __file__\nexcept NameError: pass", "line 2: a skill cannot hold `__file__`"),
        ("import __main__", "an import of __main__"),
        ("y = 3\nglobals()['y']", "line 2: a skill cannot hold `globals`: a skill has no variables"),
        ("a = 1\n'{a}'.format(**locals())", "`locals`: a skill has no variables of the session"),
        ("a = 1\n'a' in vars()", "`vars()`"),
        ("'a' in dir()", "`dir()`"),
        ("y = 3\n[eval('y + i') for i in (1, 2)]", "line 2: a skill cannot hold `eval` without"),
        ("exec('z = 1')", "`exec` without a namespace"),
        ("[*map(eval, ['1'])]", "`eval` without a namespace"),
        ("x: int = 3\n__annotations__", "line 2: a skill cannot hold `__annotations__`"),
    ],
)  # fmt: skip
async def test_what_looks_at_the_session_is_refused(executor, run, code, said):
    """A skill has no variables of the session, and is not the main module."""
    await run(code)
    assert said in await refusal(executor, [1])


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("eval('y + 1', {'y': 3})", 4),
        ("class A: x = 1\nvars(A)['x'], 'x' in dir(A)", (1, True)),
        ("dir = '/tmp'; dir", "/tmp"),
        ("def vars(): return 5\nvars()", 5),
    ],
)
async def test_what_looks_elsewhere_is_kept(executor, run, code, value):
    """The same functions with an object or a namespace, and names of the code's own, are fine."""
    await run(code)
    await executor.save_skill_from([1], "made")
    assert (await executor.run("skills.made()")).value == value


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("city = 'Oslo'\nclass C:\n    city = city", "line 3: the class 'C' reads 'city' and makes"),
        ("n = 1\nclass C:\n    m = n\n    n = 2", "line 3: the class 'C' reads 'n'"),
        ("id = 5\nclass C:\n    id = id", "line 3: the class 'C' reads 'id'"),
        (
            "from dataclasses import dataclass\nlimit = 3\n@dataclass\nclass C:\n    limit: int = limit",
            "line 5: the class 'C' reads 'limit'",
        ),
        ("n = 1\ndef f():\n    class C:\n        n = n\n    return C\nf()", "line 4: the class 'C'"),
        ("from datetime import date\nclass C:\n    date: date", "line 3: the class 'C' reads 'date'"),
        ("xs = [1, 2]\nsum = sum(xs)", "line 2: 'sum' is used before the cells make a variable"),
        ("print(max([1, 2]))\nmax = 3", "line 1: 'max' is used before"),
        ("hi = max([1])\nfor max in [1]: pass", "line 1: 'max' is used before"),
        ("len = 3\ndel len\nlen([1])", "line 3: 'len' is used before"),
        ("tools = tools", "line 1: 'tools' is used before"),
        ("def f(): return max(1, 2)\nf()\nmax = 3", "line 2: 'max' is used before"),
    ],
)  # fmt: skip
async def test_a_name_that_would_mean_another_thing_is_refused(executor, run, code, said):
    """What a session finds elsewhere when it is needed, a function looks for in its own variables."""
    await run(code)
    assert said in await refusal(executor, [1])


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("id = 5\nstr(id)", "5"),
        ("class C:\n    id = id(3) and 4\nC.id", 4),
        ("class C:\n    x = 1\n    y = x\nC.y", 1),
        ("from datetime import date\nclass C:\n    date: date = 5\n    day: date\nC.date", 5),
        ("def f(): return k\nall_of = [f, lambda: k]\nk = 2\nall_of[0]()", 2),
        ("display = print\ndisplay is print", True),
        ('x = 1\n\f\ndef f():\n\f    return """a\n\f b""", x\nf()', ("a\n\f b", 1)),
        ('    s = """a\n      \nb"""\n    s', "a\n  \nb"),
        ("async def g(): return 3\ndef h(x=await g()): return x\nh()", 3),
        ("async def g(): return 3\nh = lambda x=await g(): x\nh()", 3),
    ],
)
async def test_what_means_the_same_is_kept(executor, run, code, value):
    """A variable made before it is read, form feeds and awaited defaults are fine in a function."""
    await run(code)
    skill = await executor.save_skill_from([1], "made")
    call = "await skills.made()" if skill.is_async else "skills.made()"
    assert (await executor.run(call)).value == value


@pytest.mark.parametrize(
    ("codes", "cells", "said"),
    [
        (["def run(x): return x * 2", "def f(x): return run(x)", "f(3)"], [2, 3], "'run', which cell 1"),
        (["k = 1", "def f(): return k", "r = f()", "k = 2", "r"], [2, 3, 4, 5], "'k', which cell 1"),
        (["k = 1", "def f(): return k", "def g(): return f()", "g()", "k = 2"], [2, 3, 4, 5], "'k', which"),
        (["k = 1", "f = lambda: k\nr = f()\nk = 2"], [2], "'k', which cell 1"),
        (["k = 1", "r = [*map(lambda i: i * k, [1])]\nk = 2"], [2], "'k', which cell 1"),
        (["k = 1", "class A:\n    def go(self): return k\nA().go()\nk = 2"], [2], "'k', which cell 1"),
    ],
)  # fmt: skip
async def test_what_functions_need_is_missing(executor, run, codes, cells, said):
    """What a function reads must be there when it is used, not only in the end."""
    await run(*codes)
    assert said in await refusal(executor, cells)


async def test_what_functions_need_may_come_later(executor, run):
    """Functions may be written before what they need, and be called run."""
    await run("def f(): return run() + k\nh = lambda: k\ndef run(): return k", "k = 2", "f() + h()")
    await executor.save_skill_from([1, 2, 3], "made")
    assert (await executor.run("skills.made()")).value == 6


@pytest.mark.parametrize(
    ("code", "value", "shown"),
    [
        ("out = []\nfor i in range(2):\n    row = [0]\n    row.append(i)\n    out.append(row)\nout", [0], "row = [*p]"),
        ("def f():\n    acc = []\n    acc.append(1)\n    return acc\nf(); f()", [], "acc = [*p]"),
        ("d = {}\nfor k in 'ab':\n    d[k] = {}\n    d[k][k] = 1\nd", {}, "d[k] = {**p}"),
        ("d = {}\nfor k in 'aab': d.setdefault(k, []).append(k)\nd", [], "setdefault(k, [*p])"),
        ("a = [1]; b = [1]\na.append(2)\na, b", [1], "b = [*p]"),
        ("xs = [{1, 2} for _ in 'ab']\nxs[0].add(3)\nxs", {1, 2}, "[{*p} for"),
        ("f = lambda: [1]\nf().append(2)\nf()", [1], "lambda: [*p]"),
        ("d = {'a': 1, 'b': 2}\n[d[k] for k in ['a', 'b']], 'a' in ['a', 'b']", ["a", "b"], "k in p], 'a' in p"),
        ("a = [[1]]\na[0].append(2)\na", [[1]], "a = p"),
        ("def f(x=[1]):\n    x.append(2)\n    return x\nf(); f()", [1], "x=p"),
        ("def f():\n    return (1, 2)\nf()", (1, 2), "return p"),
    ],
)  # fmt: skip
async def test_what_was_made_anew_is_made_anew(executor, run, code, value, shown):
    """A list that code makes again and again, or in several places, is another one each time."""
    await run(code)
    skill = await executor.save_skill_from([1], "made", {"p": value})
    assert shown in skill.source
    tested = (await executor.run("skills.test('made')")).unwrap()
    assert (tested["passed"], tested["failed"]) == (1, 0)


@pytest.mark.parametrize(
    ("code", "params", "said"),
    [
        ("for _ in 'ab':\n    x = [[]]", {"p": [[]]}, "line 2: [[]] is made anew there each time"),
        ("xs = [1]; ys = [1]; xs.append(2)", {"xs": [1]}, "line 1: [1] is another object than 'xs'"),
        ("def f():\n    'Oslo'\n    return f.__doc__\nf()", {"p": "Oslo"}, "line 2: 'Oslo' is only part of"),
        ("class A:\n    'Oslo'\nA.__doc__", {"p": "Oslo"}, "of a pattern, docstring or f-string"),
        ("f\"{'Oslo'=}\"", {"p": "Oslo"}, "line 1: 'Oslo' is only part of a"),
        ('d = [1]\nf"{ (d[0] ) = :>5}"', {"p": 0}, "line 2: 0 is only part of a"),
    ],
)  # fmt: skip
async def test_literals_that_no_parameter_can_stand_for(executor, run, code, params, said):
    """What one object, or a value, cannot do is refused."""
    await run(code)
    assert said in await refusal(executor, [1], params)


async def test_docstrings_and_shown_code_stay(executor, run):
    """A text that is also a docstring, or shown as code, is lifted elsewhere alone."""
    await run(
        "def f():\n    'Oslo'\n    return f.__doc__, 'Oslo', f\"{ ('Oslo') = } {'Oslo'!r}\"\nf()"
    )
    await executor.save_skill_from([1], "made", {"city": "Oslo"})
    result = await executor.run("skills.made(city='Rome')")
    assert result.value == ("Oslo", "Rome", " ('Oslo') = 'Oslo' 'Rome'")
