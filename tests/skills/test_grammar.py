"""What parses and would not compile, and sources made to take long; how docstrings are written."""

from __future__ import annotations

import time

import pytest

from py_code_mode.errors import SkillValidationError
from py_code_mode.skills import parse_skill
from py_code_mode.skills.parse import with_description

BAD = {
    "return": ("def run(): pass\nif 1:\n    return 1", 3, "'return' outside function"),
    "yield": ("def run(): pass\nclass A:\n    x = (yield 1)", 3, "'yield' outside function"),
    "yield from": ("async def run():\n    yield from a", 2, "'yield from' inside async"),
    "await": ("def run():\n    return 1 + await x", 2, "'await' outside async function"),
    "async for": ("def run():\n    async for x in y: pass", 2, "'async for' outside async"),
    "async with": ("async with x: pass\ndef run(): pass", 1, "'async with' outside async"),
    "break": ("def run():\n    for x in y: pass\n    else: break", 3, "'break' outside loop"),
    "continue": ("while 1:\n    class A: continue\ndef run(): pass", 2, "not properly in loop"),
    "argument twice": ("def run(a, a): pass", 1, "duplicate argument 'a'"),
    "nonlocal": ("def run(): pass\nnonlocal x", 2, "nonlocal declaration not allowed"),
    "late future": (
        "def run(): pass\nfrom __future__ import annotations",
        2,
        "must occur at the beg",
    ),
}


@pytest.mark.parametrize("more", ["", "\ntry: pass\nfinally: pass\n"], ids=["", "finally"])
@pytest.mark.parametrize("case", BAD)
def test_what_would_not_compile_is_refused(case, more):
    """Code that only the compiler would refuse is refused when it is saved, with its line."""
    source, line, reason = BAD[case]
    source += more
    with pytest.raises(SyntaxError):
        compile(source, "x", "exec")
    with pytest.raises(SkillValidationError, match=f"syntax error: .*{reason}") as caught:
        parse_skill("broken", source)
    assert caught.value.line == line


WELL = """
@decorated(lambda: (yield))
async def run(a=[x for x in y], *b):
    async with a as c, d:
        async for e in c:
            if await e: continue
            else: break
    class Inner:
        async def method(self): return [await f async for f in self]
    def inner():
        for g in a:
            match g:
                case 1: break
                case _:
                    try: yield from g
                    except ValueError: continue
                    finally: return
    yield (await i for i in b)
while 1:
    try: break
    finally: pass
"""


def test_what_compiles_is_taken():
    """Statements in their right places are no errors, however they are mixed."""
    compile(WELL, "x", "exec")
    assert parse_skill("x", WELL).is_async


WIDE = 100_000
HOSTILE = {
    "gap in a line": "Args:\n    a" + " " * WIDE + "x",
    "gap in a field": "Tags:" + " " * WIDE + "x",
    "gap in a sentence": "a" + " " * WIDE + "b",
    "blank lines": "a" + "\n" * WIDE + "b",
    "blank beginning": "\n" + " \n" * WIDE + "b",
    "brackets": "Args:\n    a " + "(a)" * (WIDE // 2) + "x",
    "types": ":param " + "a " * WIDE + "x",
    "names": "Parameters\n-----\n" + "a , " * (WIDE // 2) + "!",
    "rule": "Parameters\n" + "-" * WIDE + "x",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_docstring_takes_long(text):
    """Reading takes time in proportion to the text, whatever an agent has written."""
    started = time.process_time()
    skill = parse_skill("x", f'"""Do.\n\n{text}\n"""\ndef run(): pass')
    with_description(skill)
    assert time.process_time() - started < 2


def test_no_code_takes_long():
    """What the compiler would multiply, nested ``finally``, is read as quickly as anything else."""
    nested = "".join(f"{' ' * n}try: a()\n{' ' * n}finally:\n" for n in range(1, 20))
    started = time.process_time()
    parse_skill("x", f"def run():\n{nested}{' ' * 20}b()\n")
    assert time.process_time() - started < 2


MANNERS = {
    "Google": "Args:\n    a (int): The first\n        one.\n    *b: The others.",
    "NumPy": "Parameters\n----------\na : int\n    The first\n    one.\n*b\n    The others.\n\n"
    "Returns\n-------\na : list",
    "reStructuredText": ":param int a: The first\n   one.\n:param *b: The others.\n:returns: a",
}


@pytest.mark.parametrize("text", MANNERS.values(), ids=MANNERS)
def test_parameters_are_described_in_three_manners(text):
    """Descriptions of parameters are read however the docstring writes them."""
    skill = parse_skill("x", f'"""Do.\n\n{text}\n"""\ndef run(a, *b): pass')
    described = {param.name: param.description for param in skill.params}
    assert described == {"a": "The first one.", "*b": "The others."}
