"""What a kernel does around a skill's run: awaiting, counting, looking whether its tools are there."""

from __future__ import annotations

import asyncio
import inspect
import linecache
import traceback

import pytest

from kernel_bootstrap.link import Link
from kernel_bootstrap.uses import Uses
from kernel_bootstrap.wire.errors import CodeModeError, SkillError, SkillNotFoundError
from tests.bootstrap.fakes import eventually, methods
from tests.bootstrap.skill_library import counts

LOOP = "import asyncio\nasync def run(n=0): return n, id(asyncio.get_running_loop())"


# --- awaiting ----------------------------------------------------------------------------------


async def test_a_call_that_is_awaited_runs_in_place(skills, library):
    """``await skills.name(...)`` and ``await skills.invoke(...)`` run in the caller's loop."""
    library.add("loop", LOOP)
    mine = id(asyncio.get_running_loop())
    arguments = {"n": 4}
    assert await skills.loop() == (0, mine)
    assert await skills.loop(1) == (1, mine)
    assert await skills.loop(n=2) == (2, mine)
    assert await skills.invoke("loop", n=3) == (3, mine)
    assert await skills.loop(**arguments) == (4, mine)
    assert await skills.loop.acall(5) == (5, mine)
    assert (await skills.loop(n=skills.loop(n=6)[0]))[0] == 6


async def test_a_sync_skill_may_be_awaited(skills, library):
    """Code need not know whether a skill is async to await it."""
    library.add("plain", "def run(n): return n")
    assert await skills.plain(1) == 1
    assert await skills.plain.acall(2) == 2
    assert await skills.invoke("plain", n=3) == 3


async def test_a_call_that_is_not_awaited_gives_the_value(skills, library):
    """In async code a plain call runs an async skill to its end, wherever the value goes."""
    library.add("loop", LOOP)
    values = [skills.loop(n)[0] for n in range(3)]
    assert values == [0, 1, 2]
    value = skills.loop(3)
    assert value[0] == 3
    assert next(map(skills.loop, [4]))[0] == 4
    assert await asyncio.to_thread(skills.loop, 5) != await asyncio.to_thread(skills.loop, 6)


async def test_skills_side_by_side(skills, library):
    """``acall`` gives coroutines that run at the same time."""
    library.add(
        "meet",
        "import asyncio\nasync def run(me, other):\n    me.set()\n    await other.wait()\n    return 1",
    )
    one, two = asyncio.Event(), asyncio.Event()
    both = asyncio.gather(skills.meet.acall(one, two), skills.meet.acall(two, one))
    assert await both == [1, 1]


GO_ON = {
    "taken": "return await asyncio.gather(skills.f(1), *[skills.f(n) for n in (2, 3)])",
    "generated": "return await asyncio.gather(*(skills.f(n) for n in (1, 2, 3)))",
    "mapped": "return await asyncio.gather(*map(skills.f, (1, 2, 3)))",
    "a variable": "all = [skills.f(n) for n in (1, 2, 3)]\n    return await asyncio.gather(*all)",
    "appended": "all = []\n    for n in (1, 2, 3): all.append(skills.f(n))\n"
    "    return await asyncio.gather(*all)",
    "awaited later": "one = skills.f(1)\n    return [await one, await skills.f(2), skills.f(3)]",
    "by keyword": "return [1, await asyncio.wait_for(fut=skills.f(2), timeout=9), 3]",
    "either": "return [await (skills.f(1) if n else skills.f(2)) for n in (1,)] + [2, 3]",
    "tasks": "async with asyncio.TaskGroup() as group:\n"
    "        all = [group.create_task(skills.f(n)) for n in (1, 2, 3)]\n"
    "    return [each.result() for each in all]",
    "values": "try:\n        one = [skills.f(n) for n in (1, 2)]\n"
    "    finally:\n        last = skills.f(3)\n    return [*one, (lambda: last)()]",
    "a value for what is awaited": "return [await skills.f(skills.f(1)), 2, 3]",
}


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("body", GO_ON.values(), ids=GO_ON)
async def test_what_must_be_awaitable_is(skills, library, body, kind):
    """A call's result can be awaited where the code around it awaits it, and is a value elsewhere."""
    library.add("f", f"{kind} run(n): return n")
    library.add("g", f"import asyncio\nasync def run():\n    {body}")
    assert await skills.g() == [1, 2, 3]


async def test_what_is_awaited_raises_where_it_is_awaited(skills, library):
    """Errors of an awaited skill, and wrong arguments, come out of the await."""
    library.add("bad", "async def run(n): return 1 / n")
    with pytest.raises(ZeroDivisionError):
        await skills.bad(0)
    with pytest.raises(TypeError):
        await skills.bad()
    with pytest.raises(SkillNotFoundError):
        await skills.ainvoke("nope")


def test_both_ways_explain_themselves(skills, library):
    """The awaitable form has the name, words and signature of the plain one."""
    library.add("f", '"""Do."""\ndef run(a, b=1): pass')
    function = skills.f
    assert function.acall.__doc__ == function.__doc__ == "Do."
    assert inspect.signature(function.acall) == inspect.signature(function)
    assert function.acall.__qualname__ == "skills.f.acall"
    assert inspect.iscoroutinefunction(function.acall)


# --- tools that are missing --------------------------------------------------------------------


def test_missing_tools_are_named(skills, library):
    """A skill whose tools the session has not is refused, naming them; nothing of it has run."""
    library.add("scan", '"""Scan.\n\nTools: nmap, double\n"""\n1 / 0\ndef run(): pass')
    with pytest.raises(SkillError, match="skill 'scan' needs the tool 'nmap', which this session"):
        skills.scan()
    library.add("more", '"""Scan.\n\nTools: nmap, dig\n"""\ndef run(): pass')
    with pytest.raises(SkillError, match="needs tools 'nmap', 'dig'") as caught:
        skills.invoke("more")
    assert caught.value.missing == ["nmap", "dig"]


def test_tools_that_are_there_are_enough(skills, library):
    """Tools by name, in a group, and a whole group count as there."""
    library.add("fine", '"""Do.\n\nTools: double, weather.now, weather\n"""\ndef run(): return 1')
    assert skills.fine() == 1


# --- counting ----------------------------------------------------------------------------------


async def test_runs_are_counted(skills, library):
    """Every way to run a skill counts once, nested runs too, and what raises is a failure."""
    library.add("f", "def run(n): return 1 / n")
    library.add("g", "async def run(n): return await skills.f(n)")
    skills.f(1)
    skills.invoke("f", n=1)
    await skills.ainvoke("f", n=1)
    await skills.g(1)
    with pytest.raises(ZeroDivisionError):
        skills.g(0)
    assert counts(skills, "f") == (5, 1)
    assert counts(skills, "g") == (2, 1)
    view = skills.get("f")
    assert view.success_rate == 0.8
    assert view.seconds > 0
    assert view.last_used > 0
    assert {row["name"]: row["uses"] for row in skills.list()} == {"f": 5, "g": 2}


async def test_what_was_broken_off_is_not_counted(skills, library):
    """A run that was cancelled or interrupted has neither worked nor failed."""
    library.add("wait", "import asyncio\nasync def run(): await asyncio.sleep(60)")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await skills.wait()
    library.add("stop", "def run(): raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        skills.stop()
    assert counts(skills, "wait") == counts(skills, "stop") == (0, 0)


async def test_a_call_that_does_not_fit_is_not_counted(skills, library):
    """Wrong arguments, and what the session lacks, say nothing about how good a skill is."""
    wrapped = "import functools\n@functools.lru_cache\ndef run(n): return 1 + n"
    library.add("f", wrapped)
    library.add("g", "async def run(n): return skills.f(m=n)")
    library.add("needy", '"""Do.\n\nTools: nmap\n"""\ndef run(): pass')
    library.add("packed", '"""Do.\n\nPackages: no-such-thing\n"""\ndef run(): pass')
    for wrong in (skills.f, skills.g, skills.g.acall):
        with pytest.raises(TypeError):
            await wrong()
    with pytest.raises(SkillError):
        skills.needy()
    with pytest.raises(SkillError):
        skills.packed()
    assert {name: counts(skills, name) for name in ("f", "g", "needy", "packed")} == {
        "f": (0, 0),
        "g": (0, 0),
        "needy": (0, 0),
        "packed": (0, 0),
    }
    with pytest.raises(TypeError):
        skills.f("a text")
    with pytest.raises(TypeError):
        skills.g(1)
    assert counts(skills, "f") == counts(skills, "g") == (1, 1)


def test_counts_leave_together_and_nobody_waits(skills, library, skill_host):
    """A cell's runs make one message, sent without waiting for the answer."""
    library.add("f", "def run(): return 1")
    function = skills.f
    for _ in range(100):
        function()
    assert "skills.used" not in methods(skill_host.requests)
    skills._uses.send()
    skills._uses.send()
    eventually(lambda: library.library.usage().get("f"))
    assert methods(skill_host.requests).count("skills.used") == 1
    assert library.library.usage()["f"].uses == 100


def test_a_host_that_is_gone_is_no_error():
    """Counts that cannot be sent are lost, and nothing fails for it."""

    def gone(*_):
        raise CodeModeError("no host is connected to this kernel")

    uses = Uses(Link(gone))
    for wait in (False, True):
        uses.add("f", failed=False, seconds=0.1)
        uses.send(wait=wait)
    assert not uses._counts


# --- versions ----------------------------------------------------------------------------------


def test_a_skill_gets_better_and_goes_back(skills):
    """``update`` keeps the former version, which can be read, and made the present one again."""
    skills.create("f", "def run(): return 1", "First")
    made = skills.update("f", "def run(): return 2")
    assert (made.description, made.number, made.creator) == ("First", 2, "a session")
    assert skills.f() == 2
    assert skills.update("f", description="Second").source == made.source
    assert [row["number"] for row in skills.versions("f")] == [3, 2, 1]
    former = skills.get("f", version=1)
    assert (former.number, former.source) == (1, "def run(): return 1")
    skills.update("f", former.source)
    assert skills.f() == 1
    assert skills.get("f", version=99) is None
    assert skills.versions("nope") == []
    with pytest.raises(SkillNotFoundError):
        skills.update("nope", "def run(): pass")


def test_an_error_of_a_former_version_shows_its_own_lines(skills):
    """A traceback made before a change shows the line that failed, not the new source."""
    skills.create("f", "def run():\n    return 1 / 0  # old")
    with pytest.raises(ZeroDivisionError) as caught:
        skills.f()
    skills.update("f", "def run():\n    return 2  # new")
    skills.f()
    linecache.checkcache()
    frame = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (frame.filename[:12], frame.lineno) == ("<skill f.py ", 2)
    assert frame.line == "return 1 / 0  # old"
