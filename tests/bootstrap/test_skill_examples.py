"""Examples of skills: what counts as the expected result, and how the report shows itself."""

from __future__ import annotations

import asyncio

import pytest

from kernel_bootstrap.examples import SkillTest, run_examples
from kernel_bootstrap.wire.errors import SkillError, SkillNotFoundError
from tests.bootstrap.skill_library import counts


def outcome(code: str, expected: str, **names) -> str:
    report = run_examples("x", [{"code": code, "expected": expected, "line": 1}], names)
    return report.results[0].outcome


GOOD = {
    "a value": ("1 + 1", "2"),
    "nothing expected": ("1 + 1", ""),
    "nothing given": ("x = 1", ""),
    "printed": ("print('a'); print('b')", "a\nb"),
    "printed and a value": ("print('a') or 5", "a\n5"),
    "white space": ("print('a   b')", "a b"),
    "dots": ("list(range(20))", "[0, 1, ..., 19]"),
    "order of a dict": ("{'b': 1, 'a': 2}", "{'a': 2, 'b': 1}"),
    "order of a set": ("{3, 1, 2}", "{3, 2, 1}"),
    "other quotes": ("'a'", '"a"'),
    "last digits": ("0.1 + 0.2", "0.3"),
    "last digits inside": ("{'x': [0.1 + 0.2, None]}", "{'x': [0.3, None]}"),
    "an int for a float": ("3", "3.0"),
    "several lines": ("{'a': 1, 'b': 2}", "{'a': 1,\n 'b': 2}"),
    "blank line": ("print('a\\n\\nb')", "a\n<BLANKLINE>\nb"),
    "an error": (
        "1 / 0",
        "Traceback (most recent call last):\n    ...\nZeroDivisionError: division by zero",
    ),
    "an error of a module": (
        "import json; json.loads('{')",
        "Traceback (most recent call last):\nJSONDecodeError: Expecting...",
    ),
    "await": ("import asyncio\nawait asyncio.sleep(0, 5)", "5"),
    "a coroutine": ("import asyncio\nasyncio.sleep(0, 5)", "5"),
    "skipped": ("1 / 0  # doctest: +SKIP", "5"),
}


@pytest.mark.parametrize("name", GOOD)
def test_results_that_mean_what_was_expected_pass(name):
    """Text is compared as doctest does, and values by what they are."""
    assert outcome(*GOOD[name]) == ("skipped" if name == "skipped" else "passed")


BAD = {
    "another value": ("1 + 1", "3"),
    "another type": ("'1'", "1"),
    "a list for a tuple": ("[1]", "(1,)"),
    "true for one": ("True", "1"),
    "too far off": ("0.31", "0.3"),
    "more items": ("[1, 2]", "[1]"),
    "nothing given": ("None", "5"),
    "not printed": ("5", "5\n6"),
    "an error": ("1 / 0", "1"),
    "another error": ("1 / 0", "Traceback (most recent call last):\nValueError: no"),
    "no error": ("1", "Traceback (most recent call last):\nValueError: no"),
    "does not parse": ("1 +", "1"),
    "an error where nothing is expected": ("1 / 0", ""),
}


@pytest.mark.parametrize("name", BAD)
def test_results_that_differ_fail(name):
    """Another value, type, length or error is a failure."""
    assert outcome(*BAD[name]) == "failed"


def test_values_that_cannot_be_compared_are_compared_as_text():
    """Objects without a literal are compared by how they show."""

    class Odd:
        def __eq__(self, other):
            raise ValueError("the truth is ambiguous")

        __hash__ = None

        def __repr__(self):
            return "[1]"

    assert outcome("odd", "[1]", odd=Odd()) == "passed"
    assert outcome("odd", "[2]", odd=Odd()) == "failed"


SKILL = '''"""Double a number.

Examples:
    >>> run(2)
    4
    >>> x = skills.twice(n=3)
    >>> x
    7
    >>> tools.double(n=x)
    12
"""
FACTOR = 2

def run(n):
    """Do it.

    >>> run("a") / 2
    'b'
    """
    return FACTOR * n
'''


def test_a_skill_s_examples_run_in_its_own_globals(skills, library):
    """Examples see run, skills and tools, share names, and are reported one by one."""
    library.add("twice", SKILL)
    report = skills.test("twice")
    assert (report.name, report.passed, report.failed, report.ok) == ("twice", 3, 2, False)
    assert [result.outcome for result in report.results] == [
        "passed",
        "passed",
        "failed",
        "passed",
        "failed",
    ]
    third, last = report.results[2], report.results[4]
    assert (third.code, third.expected, third.got, third.line) == ("x", "7", "6", 7)
    assert "TypeError: unsupported operand" in last.got
    assert "kernel_bootstrap" not in last.got


def test_an_async_skill_is_tested_both_ways(skills, library):
    """Examples of an async skill may await run, or leave that out."""
    library.add(
        "later",
        '"""Do.\n\n>>> await run(1)\n1\n>>> run(2)\n2\n>>> skills.later(3)\n3\n"""\nasync def run(n): return n',
    )
    assert skills.test("later").passed == 3


async def test_examples_run_while_the_cell_s_loop_runs(skills, library):
    """A cell that awaits may test as well."""
    library.add(
        "later",
        '"""Do.\n\n>>> await run(1)\n1\n"""\nimport asyncio\nasync def run(n): return await asyncio.sleep(0, n)',
    )
    await asyncio.sleep(0)
    assert skills.test("later").ok


def test_tests_are_no_uses(skills, library):
    """Running examples leaves the counts as they are, and later runs count again."""
    library.add("twice", SKILL)
    skills.test("twice")
    assert counts(skills, "twice") == (0, 0)
    skills.twice(n=1)
    assert counts(skills, "twice") == (1, 0)


def test_what_cannot_be_tested_says_why(skills, library):
    """No examples, no such skill and missing tools are told apart."""
    library.add("none", "def run(): pass")
    report = skills.test("none")
    assert report.ok
    assert repr(report) == "skill 'none' has no examples"
    with pytest.raises(SkillNotFoundError):
        skills.test("nope")
    library.add("scan", '"""Do.\n\nTools: nmap\n\n>>> run()\n"""\ndef run(): pass')
    with pytest.raises(SkillError, match="'nmap'"):
        skills.test("scan")


def test_the_report_shows_itself(skills, library):
    """As text it tells what failed and how; as HTML it is a table, with nothing to run in it."""
    library.add("twice", SKILL)
    report = skills.test("twice")
    text = repr(report)
    assert text.startswith(
        "skill 'twice': 3 passed, 2 failed\n\nline 7:\n>>> x\nexpected:\n    7\ngot:\n    6\n"
    )
    assert "line 17:" in text
    shown = report._repr_html_()
    assert shown.count("<tr>") == 6
    assert "3 passed, 2 failed" in shown
    (result,) = run_examples("x", [{"code": "'<b>'", "expected": "", "line": 1}], {}).results
    assert "<b>" not in SkillTest("x", 1, 0, (result,))._repr_html_()


@pytest.mark.parametrize("code", ["import sys; sys.exit(1)", "no python", "1 / 0"])
def test_what_fails_shows_the_example_and_ends_no_test(code):
    """An exit and code that does not parse are failures as any other, without our own frames."""
    examples = [{"code": each, "expected": "", "line": 1} for each in (code, "1")]
    report = run_examples("x", examples, {})
    assert (report.failed, report.passed) == (1, 1)
    assert report.results[0].got.count("File ") == 1
    assert 'File "<example 1 of skill x>", line 1' in report.results[0].got
