"""The examples of a skill, run and compared.

Place in the house: above ``coroutines``, below ``skills``. What an example gives is compared as
``doctest`` does, with ``...`` for anything and any white space, or as a value: the order of a
dict or set, quotes and the last digits of a float do not matter.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import html
import inspect
import io
import math
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernel_bootstrap.coroutines import to_end

__all__ = ["ExampleResult", "SkillTest", "run_examples"]

_OURS = str(Path(__file__).parent) + "/"
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.DONT_ACCEPT_TRUE_FOR_1
_RAISES = "Traceback (most recent call last):"
_SKIP = "doctest: +SKIP"
_CLOSE = 1e-9


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """What came of one example.

    Attributes:
        code: What was run.
        expected: What had to come back; empty: anything.
        got: What came back: what was printed, and the value as it shows; or the traceback.
        outcome: ``passed``, ``failed`` or ``skipped``.
        line: Its line in the skill's source.
    """

    code: str
    expected: str
    got: str
    outcome: str
    line: int


@dataclass(frozen=True, slots=True, repr=False)
class SkillTest:
    """What came of a skill's examples; shows itself.

    Attributes:
        name: The skill.
        passed: How many examples gave what they had to.
        failed: How many did not.
        results: Each of them, in order.
    """

    name: str
    passed: int
    failed: int
    results: tuple[ExampleResult, ...]

    @property
    def ok(self) -> bool:
        """Whether no example failed."""
        return self.failed == 0

    def __repr__(self) -> str:
        if not self.results:
            return f"skill {self.name!r} has no examples"
        lines = [f"skill {self.name!r}: {self.passed} passed, {self.failed} failed"]
        for result in self.results:
            if result.outcome == "failed":
                lines += ["", f"line {result.line}:", *_indented(result.code, ">>> ", "... ")]
                lines += ["expected:", *_indented(result.expected)] if result.expected else []
                lines += ["got:", *_indented(result.got or "nothing")]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{_MARKS[result.outcome]}</td>"
            + "".join(
                f'<td style="text-align:left"><pre>{html.escape(text)}</pre></td>'
                for text in (result.code, result.expected, result.got)
            )
            + "</tr>"
            for result in self.results
        )
        head = "<tr><th></th><th>example</th><th>expected</th><th>got</th></tr>"
        title = html.escape(repr(self).partition("\n")[0])
        return f"<p>{title}</p>" + (f"<table>{head}{rows}</table>" if rows else "")


_MARKS = {"passed": "✓", "failed": "✗", "skipped": "-"}


def _indented(text: str, first: str = "    ", rest: str = "    ") -> list[str]:
    lines = text.rstrip("\n").split("\n")
    return [(rest if number else first) + line for number, line in enumerate(lines)]


def run_examples(
    name: str, examples: Sequence[Mapping[str, Any]], namespace: dict[str, Any]
) -> SkillTest:
    """Run examples one after another in one namespace.

    Args:
        name: The skill.
        examples: Dicts with ``code``, ``expected`` and ``line``.
        namespace: Where they run; the skill's own functions are in it.
    """
    results = []
    for number, example in enumerate(examples, 1):
        code, expected = example["code"], example["expected"]
        if _SKIP in code:
            got, outcome = "", "skipped"
        else:
            got, good = _run(code, expected, namespace, f"<example {number} of skill {name}>")
            outcome = "passed" if good else "failed"
        results.append(ExampleResult(code, expected, got, outcome, example["line"]))
    outcomes = [result.outcome for result in results]
    return SkillTest(name, outcomes.count("passed"), outcomes.count("failed"), tuple(results))


def _run(code: str, expected: str, namespace: dict[str, Any], file: str) -> tuple[str, bool]:
    """Run one example; return what came of it, and whether that is what was expected."""
    printed, value = io.StringIO(), None
    raises = expected.startswith(_RAISES)
    try:
        with contextlib.redirect_stdout(printed):
            value = _value(code, namespace, file)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - any failure is a result
        said = "".join(traceback.format_exception_only(error)).strip()
        shown = "".join(traceback.format_exception(type(error), error, _theirs(error)))
        return shown.rstrip(), raises and _same_error(expected, said)
    got = printed.getvalue()
    if value is not None:
        got += f"{value!r}\n"
    if not expected:
        return got.rstrip("\n"), True
    good = not raises and (
        doctest.OutputChecker().check_output(expected + "\n", got, _FLAGS)
        or (not printed.getvalue() and _means(expected, value))
    )
    return got.rstrip("\n"), good


def _value(code: str, namespace: dict[str, Any], file: str) -> Any:
    """Run code; return the value of the expression it ends with."""
    tree, flags = ast.parse(code, file), ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    parts: list[ast.Module | ast.Expression] = [tree]
    if isinstance(last, ast.Expr):
        parts.append(ast.Expression(last.value))
    value = None
    for part in parts:
        mode = "exec" if isinstance(part, ast.Module) else "eval"
        compiled = compile(part, file, mode, flags=flags, dont_inherit=True)
        value = eval(compiled, namespace)  # noqa: S307 - a kernel is where skills run
        while inspect.iscoroutine(value):  # of the code's own await, and of an async run
            value = to_end(value)
    return value


def _theirs(error: BaseException) -> Any:
    """Return the traceback without the frames at its beginning that only run the example."""
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename.startswith((_OURS, ast.__file__)):
        tb = tb.tb_next
    return tb


def _same_error(expected: str, said: str) -> bool:
    """Whether an expected traceback ends with this error; a module before its name may miss."""
    lines = [line for line in expected.split("\n")[1:] if line[:1].strip()]
    wanted = "\n".join(lines) if lines else ""
    check = doctest.OutputChecker().check_output
    return any(
        check(wanted + "\n", text + "\n", _FLAGS)
        for text in (
            said,
            said.partition(":")[0].rpartition(".")[2] + said[len(said.partition(":")[0]) :],
        )
    )


def _means(expected: str, value: Any) -> bool:
    """Whether the text is a literal that equals the value."""
    try:
        return _equal(ast.literal_eval(expected), value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and type(other) in (int, float):
        return one == other or math.isclose(one, other, rel_tol=_CLOSE)
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    return bool(one == other)
