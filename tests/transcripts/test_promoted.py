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
