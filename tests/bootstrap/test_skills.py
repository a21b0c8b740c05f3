"""Skills in a kernel: compiled once, run with the three names and nothing else of the session."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import inspect
import sys
import traceback
import types

import pytest

from kernel_bootstrap.skills import MAX_DEPTH, Skills
from kernel_bootstrap.wire.errors import SkillError, SkillNotFoundError
from tests.bootstrap.fakes import eventually, methods

in_the_session = "no skill sees this"
caller = contextvars.ContextVar("caller", default="nobody")


@pytest.fixture
def host(skill_host):
    """The host."""
    return skill_host


# --- running -----------------------------------------------------------------------------------


def test_a_skill_runs_by_either_name(skills, library):
    """Attribute and ``invoke`` run the same skill, keywords and all."""
    library.add("add", "def run(a, b=10): return a + b")
    assert skills.add(a=1) == skills.invoke("add", a=1) == 11
    assert skills.add(a=1, b=2) == 3


def test_parameters_may_have_our_names(skills, library):
    """A parameter may be called ``name`` or ``self``: ours are positional-only."""
    library.add("same", "def run(name, self=0): return [name, self]")
    assert skills.invoke("same", name="x", self=1) == ["x", 1]
    assert skills.same(name="x", self=1) == ["x", 1]


def test_a_source_is_compiled_once_per_digest(skills, library):
    """Running a skill again compiles nothing; a changed one is compiled anew."""
    library.add("f", "def run(): return 1")
    assert skills.f() == skills.f() == 1
    assert len(skills._code) == 1
    library.add("f", "def run(): return 2")
    assert skills.f() == 2
    assert len(skills._code) == 2


def test_each_run_has_fresh_globals(skills, library):
    """What a skill leaves in its globals is gone at its next run."""
    library.add(
        "count",
        "n = 0\nseen = []\ndef run():\n    global n\n    n += 1\n    seen.append(n)\n    return seen",
    )
    assert [skills.count() for _ in range(3)] == [[1], [1], [1]]


def test_a_skill_sees_the_three_names_and_no_more(skills, library):
    """Its globals hold ``tools``, ``skills`` and ``artifacts``; the session's names are unknown."""
    library.add(
        "look",
        "def run(): return sorted(n for n in globals() if n[0] != '_'), __name__, tools.double(n=21)",
    )
    assert skills.look() == (["artifacts", "run", "skills", "tools"], "skill_look", 42)
    library.add("reach", "def run(): return in_the_session")
    with pytest.raises(NameError, match="in_the_session"):
        skills.reach()
    library.add("spoil", "def run():\n    global tools\n    tools = None")
    skills.spoil()
    assert skills.look()[2] == 42


MODULES = {
    "dataclass": "@dataclass\nclass P:\n    n: int\n    of: ClassVar[int] = 3\n"
    "def run(): return P(1).n",
    "hints": "class A:\n    n: B\nclass B: pass\ndef run(): return len(get_type_hints(A))",
    "pickle": "class P(NamedTuple):\n    n: int\n"
    "def run(): return pickle.loads(pickle.dumps(P(1))).n",
    "source": "class P: pass\ndef run(): return inspect.getsource(P).count('class P: pass')",
}


@pytest.mark.parametrize("source", MODULES.values(), ids=MODULES)
def test_a_skill_is_a_module(skills, library, source):
    """What looks for the module of a class or function finds the skill's, of this run."""
    head = (
        "from __future__ import annotations\nimport inspect, pickle\n"
        "from dataclasses import dataclass\nfrom typing import *\n"
    )
    library.add("mod", head + source)
    assert [skills.mod(), skills.mod()] == [1, 1]


def test_a_skill_hides_no_other_module(skills, library, monkeypatch):
    """A module that is called as a skill's would be stays where it is."""
    other = types.ModuleType("skill_mod")
    monkeypatch.setitem(sys.modules, "skill_mod", other)
    library.add("mod", "def run(): return __name__")
    assert skills.mod() == "skill_mod"
    assert sys.modules["skill_mod"] is other


def test_skills_use_skills(skills, library):
    """A skill may run others, by either name, however they are defined."""
    library.add("inner", "async def run(n): return await tools.double.acall(n=n)")
    library.add("middle", "def run(n): return skills.inner(n=n) + 1")
    library.add("outer", "async def run(n): return await skills.ainvoke('middle', n=n) + 1")
    assert skills.outer(n=5) == 12


# --- async -------------------------------------------------------------------------------------


def test_an_async_skill_runs_to_its_end_in_sync_code(skills, library):
    """Sync code gets the value of an ``async def run``, not a coroutine."""
    library.add(
        "later", "import asyncio\nasync def run(n):\n    await asyncio.sleep(0)\n    return n"
    )
    assert skills.later(n=3) == 3
    assert skills.invoke("later", n=4) == 4


async def test_async_skills_in_async_code(skills, library):
    """In a running loop both work: the plain call, and awaiting ``ainvoke`` in that same loop."""
    library.add("loop", "import asyncio\nasync def run(): return id(asyncio.get_running_loop())")
    mine = id(asyncio.get_running_loop())
    assert skills.loop() != mine
    assert await skills.ainvoke("loop") == mine
    library.add("plain", "def run(n): return n")
    assert await skills.ainvoke("plain", n=5) == 5


def test_an_async_skill_keeps_the_callers_context(skills, library):
    """Context variables of the caller, such as its cell, are seen by an async skill."""
    library.add("who", "async def run(var): return var.get()")
    token = caller.set("me")
    try:
        assert skills.who(var=caller) == "me"
    finally:
        caller.reset(token)


def test_what_an_async_skill_raises_passes(skills, library):
    """Errors of an async skill, ``SystemExit`` among them, reach the caller as they are."""
    library.add("bad", "async def run(n): return 1 / n")
    with pytest.raises(ZeroDivisionError):
        skills.bad(n=0)
    library.add("leave", "async def run(): raise SystemExit(3)")
    with pytest.raises(SystemExit):
        skills.leave()


def test_an_interrupt_stops_an_async_skill(skills, library, host, interrupting):
    """SIGINT ends the wait for an async skill, and cancels the tool it waited for."""
    library.add("wait", "async def run(): return await tools.hold.acall()")
    with interrupting(lambda: library.held):
        skills.wait()
    eventually(lambda: len(host.cancelled) == 1)


# --- recursion ---------------------------------------------------------------------------------

RECURSIVE = {
    "sync": "def run(): return skills.loop()",
    "invoked": "def run(): return skills.invoke('loop')",
    "async from sync": "async def run(): return skills.loop()",
    "awaited": "async def run(): return await skills.ainvoke('loop')",
    "async after a wait": (
        "import asyncio\nasync def run():\n    await asyncio.sleep(0)\n    return skills.loop()"
    ),
}


@pytest.mark.parametrize("source", RECURSIVE.values(), ids=RECURSIVE.keys())
def test_runaway_recursion_is_an_error(skills, library, source):
    """Skills that call each other without end get a clear error, however they are defined."""
    library.answers = 2 * MAX_DEPTH  # the host has enough then: no runaway may fill the machine
    library.add("loop", source)
    with pytest.raises(SkillError, match=f"more than {MAX_DEPTH} levels deep"):
        skills.loop()


def test_calls_side_by_side_are_not_recursion(skills, library):
    """Many skills one after another, or awaited together, are no recursion."""
    library.add("one", "async def run(): return 1")
    library.add(
        "many",
        "import asyncio\nasync def run():\n"
        "    each = [skills.ainvoke('one') for _ in range(60)]\n"
        "    return sum(await asyncio.gather(*each))",
    )
    assert skills.many() == 60
    assert sum(skills.one() for _ in range(60)) == 60


# --- tracebacks --------------------------------------------------------------------------------


def frames(error: BaseException) -> list[tuple[str, int | None, str | None]]:
    """File, line number and source of a traceback's frames inside skills."""
    found = traceback.extract_tb(error.__traceback__)
    return [(f.filename, f.lineno, f.line) for f in found if f.filename.startswith("<skill")]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_tracebacks_show_the_skills_own_source(skills, library, kind):
    """A traceback names the skill and shows the line that failed."""
    library.add("bad", f"# a comment\n\n{kind} run(n):\n    m = n\n    return 1 / m\n")
    with pytest.raises(ZeroDivisionError) as caught:
        skills.bad(n=0)
    ((file, line, source),) = frames(caught.value)
    assert file.startswith("<skill bad.py ")
    assert (line, source) == (5, "return 1 / m")


@pytest.mark.parametrize("odd", ["\f", "\x0b", "\x1c", "\u2028", "\x85"], ids=ascii)
def test_lines_are_counted_as_python_counts_them(skills, library, odd):
    """Characters that only ``str.splitlines`` takes for line ends do not shift the shown line."""
    library.add("bad", f"TEXT = 'a{odd}b'\ndef run():\n    return 1 / 0\n")
    with pytest.raises(ZeroDivisionError) as caught:
        skills.bad()
    assert frames(caught.value)[0][1:] == (3, "return 1 / 0")


def test_equal_sources_have_names_of_their_own(skills, library):
    """Two skills with the same source show under their own names in tracebacks."""
    for name in ("first", "second"):
        library.add(name, "def run(): return 1 / 0")
        with pytest.raises(ZeroDivisionError) as caught:
            skills.invoke(name)
        assert frames(caught.value)[0][0].startswith(f"<skill {name}.py ")


# --- arguments ---------------------------------------------------------------------------------


def test_positional_arguments(skills, library):
    """Positional arguments go to the parameters in order, mixed with named ones."""
    library.add("add", "def run(a, b=10, *, c=100): return a, b, c")
    assert skills.add(1) == (1, 10, 100)
    assert skills.add(1, 2, c=3) == (1, 2, 3)
    assert skills.add(1, c=3) == (1, 10, 3)


def test_any_keyword_goes_to_a_skill_that_takes_them(skills, library):
    """A ``**`` parameter gets the keywords themselves, with and without positional arguments."""
    library.add("options", "def run(a, **options): return a, options")
    assert skills.options(a=1, x=2) == (1, {"x": 2})
    assert skills.options(1, x=2) == (1, {"x": 2})
    assert skills.invoke("options", a=1, more=2) == (1, {"more": 2})


def test_any_number_of_positional_arguments(skills, library):
    """A ``*`` parameter gets all positional arguments that are left."""
    library.add("total", "def run(first, *rest): return first, rest")
    assert skills.total(1) == (1, ())
    assert skills.total(1, 2, 3) == (1, (2, 3))


def test_positional_only_parameters(skills, library):
    """A positional-only parameter can be given by position."""
    library.add("only", "def run(a, /): return a")
    assert skills.only(1) == 1


@pytest.mark.parametrize("arguments", [((), {}), ((1, 2), {}), ((), {"a": 1, "z": 2})], ids=repr)
def test_arguments_that_do_not_fit_are_type_errors(skills, library, arguments):
    """Missing, surplus and unknown arguments raise ``TypeError``, which shows the signature."""
    library.add("one", "def run(a: int, /, b=1, *c, d=None, **e) -> int: return a")
    library.add("two", "def run(a: int) -> str: return a")
    with pytest.raises(TypeError, match=r"^skills\.two\(\).*signature is two\(a: int\) -> str$"):
        skills.two(*arguments[0], **arguments[1])
    shown = "(a: int, /, b=1, *c, d=None, **e) -> int"
    assert str(inspect.signature(skills.one)) == shown


def test_a_skill_explains_itself(skills, library):
    """Signature with defaults as source, documentation and name are those of the skill."""
    library.add(
        "plot",
        '"""Plot data.\n\nLonger words.\n"""\n'
        "import math\n"
        "def run(data: list[float], size=(3, math.tau), *, title: str = 'x', **style): pass",
    )
    signature = str(inspect.signature(skills.plot))
    assert signature.startswith("(data: list[float], size")
    assert "(3, math.tau)" in signature
    assert "title: str = 'x'" in signature
    parameter = inspect.signature(skills.plot).parameters["data"]
    assert parameter.default is inspect.Parameter.empty
    assert skills.plot.__doc__ == "Plot data.\n\nLonger words."
    assert skills.plot.__name__ == "plot"
    assert skills.plot.__qualname__ == "skills.plot"


# --- the library -------------------------------------------------------------------------------


def test_finding_and_keeping(skills, library):
    """``create``, ``get``, ``list``, ``search`` and ``delete`` reach the host's library."""
    made = skills.create("twice", "def run(n: int): return 2 * n", "Double a number")
    assert (made.name, made.description, made.is_async) == ("twice", "Double a number", False)
    assert skills.twice(n=2) == 4
    assert skills.get("twice") == made
    assert "def run" in made.source
    assert "def run" not in repr(made)
    assert skills.get("nope") is None
    assert [row["name"] for row in skills.list()] == ["twice"]
    assert [row["name"] for row in skills.search("double", limit=1)] == ["twice"]
    with pytest.raises(skills.SkillValidationError):
        skills.create("twice", "def run(): pass")
    skills.create("twice", "def run(n): return 3 * n", replace=True)
    assert skills.twice(n=2) == 6
    assert (skills.delete("twice"), skills.delete("twice")) == (True, False)


def test_an_unknown_skill_is_missing(skills):
    """Running or naming a skill that is not there says where to look, or what may be meant."""
    with pytest.raises(SkillNotFoundError, match=r"no skill named 'nope'; skills\.list"):
        skills.invoke("nope")
    skills.create("scan_ports", "def run(): pass")
    with pytest.raises(SkillNotFoundError, match="did you mean scan_ports"):
        skills.scan_prots()
    assert not hasattr(skills, "nope")


def test_probing_is_harmless(skills, library, host):
    """Underscore names, ``repr`` and ``copy`` ask the host nothing; ``dir`` lists the skills."""
    library.add("twice", "def run(n): return 2 * n")
    for name in ("_x", "__wrapped__", "_repr_html_"):
        with pytest.raises(AttributeError):
            getattr(skills, name)
    assert repr(copy.copy(skills)) == (
        "<skills: list, search, get, create, update, delete, versions, test, invoke>"
    )
    with pytest.raises(AttributeError):
        _ = Skills.__new__(Skills).twice  # not yet initialised, as while unpickling
    with pytest.raises(AttributeError):
        skills.twice = 1
    assert not host.requests
    assert {"twice", "list", "create", "invoke", "ainvoke"} <= {*dir(skills)}
    assert methods(host.requests) == ["skills.list"]
