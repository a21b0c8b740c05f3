"""Reads a skill from its source without running it.

Place in the house: inside ``skills``, above ``skill`` and ``docstring``; stores and the library
call it. Sources come from agents and are hostile: they are parsed with ``ast``, bounded in size,
and whatever goes wrong becomes one ``SkillValidationError`` that says where and why.
"""

from __future__ import annotations

import ast
import hashlib
import keyword
import threading
import unicodedata
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from py_code_mode.errors import SkillValidationError
from py_code_mode.skills.described import arg_descriptions
from py_code_mode.skills.docstring import insert_docstring, split_docstring
from py_code_mode.skills.fields import examples_of, fields_of
from py_code_mode.skills.grammar import check_grammar
from py_code_mode.skills.skill import ParamKind, Skill, SkillParam

__all__ = [
    "MAX_SOURCE",
    "check_name",
    "digest_of",
    "invalid",
    "name_problem",
    "parse_skill",
    "revised",
    "with_description",
]

MAX_SOURCE = 256 * 1024
"""Bytes of UTF-8. The parser needs some hundred times as much memory as the source."""

_MAX_NAME = 100
_RESERVED = frozenset(
    {
        *("list", "search", "get", "create", "update", "delete", "versions", "test"),
        *("invoke", "ainvoke", "SkillError", "SkillNotFoundError", "SkillValidationError"),
    }
)
_CUT = 120

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_warnings_lock = threading.Lock()


def parse_skill(
    name: str, source: str, *, description: str = "", file: str | Path | None = None
) -> Skill:
    """Read a skill's description, parameters and kind from its source.

    Args:
        name: What it is to be called by.
        source: Python with ``def run(...)`` or ``async def run(...)`` at top level. The first
            line of its docstring is the description, the rest the documentation; without a
            module docstring the one of ``run`` serves.
        description: Takes the place of the docstring's first line.
        file: Where the source stands, for messages.

    Raises:
        SkillValidationError: The name or the source is not acceptable.
    """
    place = _Place(name, file)
    check_name(name, file=file)
    source = source.removeprefix("\ufeff")
    tree = _parse(source, place)
    run = _find_run(tree, place)
    # cleaned by split_docstring and arg_descriptions, not here
    module_doc, run_doc = ast.get_docstring(tree, clean=False), ast.get_docstring(run, clean=False)
    first, rest = _told(run_doc if module_doc is None else module_doc, description)
    described = {**arg_descriptions(module_doc), **arg_descriptions(run_doc)}
    # Fields are read from what a store writes into the docstring, and from run's own, which stays.
    fields = fields_of(f"{first}\n\n{rest}").joined(fields_of(run_doc))
    examples = examples_of(f"{first}\n\n{rest}", source)
    shown = {example.code for example in examples}  # that may be a copy of run's docstring
    more = (each for each in examples_of(run_doc, source) if each.code not in shown)
    try:
        params = tuple(_params(run.args, described))
        returns = _text(run.returns)
    except (RecursionError, MemoryError, ValueError) as error:
        raise place.error(f"the signature of run cannot be shown: {error}", run.lineno) from error
    return Skill(
        name=name,
        description=first,
        documentation=rest,
        source=source,
        params=params,
        is_async=isinstance(run, ast.AsyncFunctionDef),
        digest=digest_of(source),
        returns=returns,
        tags=fields.tags,
        version=fields.version,
        tools=fields.tools,
        packages=fields.packages,
        examples=(*examples, *more),
    )


def digest_of(source: str) -> str:
    """Return ``Skill.digest`` of a source."""
    # Half a pair is no text: such a source is refused, but not by who looks for its digest.
    return hashlib.sha256(source.encode(errors="surrogatepass")).hexdigest()


def _told(docstring: str | None, description: str) -> tuple[str, str]:
    """Return description and documentation; what was given goes before the docstring."""
    first, rest = split_docstring(docstring)
    if not description.strip():
        return first, rest
    given, more = split_docstring(description)
    return given, more or rest


def revised(name: str, old: Skill | None, code: str | None, description: str) -> Skill:
    """Read a skill's next version; what is not said anew stays as it is.

    Args:
        name: What it is called by.
        old: What it is now; None: that cannot be read.
        code: Its new source; None: the old one. Without a docstring the old one's serves.
        description: Its new description; empty: that of the code, or else the old one.

    Raises:
        SkillValidationError: The source is not acceptable.
    """
    source = old.source if code is None and old is not None else code or ""
    skill = parse_skill(name, source)
    told = description.strip() or ("" if skill.description or old is None else old.description)
    if told and old is not None and "\n" not in told:
        told = f"{told}\n\n{skill.documentation or old.documentation}"
    return parse_skill(name, source, description=told) if told else skill


def with_description(skill: Skill) -> str:
    """Return the skill's source with its description and documentation as module docstring.

    A source that says them already comes back as it is. Stores that keep nothing but the source
    use this.
    """
    tree = _parse(skill.source, _Place(skill.name, None))
    told = split_docstring(ast.get_docstring(tree, clean=False))
    described = (skill.description, skill.documentation)
    if described == told or not any(described):
        return skill.source
    has_docstring = ast.get_docstring(tree, clean=False) is not None
    old = tree.body[0] if has_docstring else None
    assert old is None or isinstance(old, ast.Expr)
    text = "\n\n".join(part for part in described if part)
    return insert_docstring(skill.source, text, old)


def name_problem(name: str) -> str | None:
    """Say what is wrong with a skill's name; None if it is acceptable."""
    shown = f"{ascii(name)[1:-1]:.{_CUT}}"
    if not name.isidentifier():
        return f"a skill's name must be a Python identifier, and {shown!r} is none"
    if keyword.iskeyword(name):
        return f"{name!r} is a keyword of Python; choose another name"
    if name.startswith("_"):
        return f"a skill's name must not begin with an underscore, as {name[:_CUT]!r} does"
    if name in _RESERVED:
        return f"{name!r} is a function of `skills` itself; choose another name"
    if len(name) > _MAX_NAME:
        return f"a skill's name may have {_MAX_NAME} characters, this one has {len(name)}"
    normal = unicodedata.normalize("NFKC", name)
    if normal != name:  # Python reads `skills.ﬁnd` as `skills.find`
        return f"Python would read the name {name!r} as {normal!r}; use that"
    return None


def check_name(name: str, *, file: str | Path | None = None) -> None:
    """Accept a skill's name.

    Raises:
        SkillValidationError: It is not an identifier, a keyword, reserved, or too long.
    """
    problem = name_problem(name)
    if problem is not None:
        raise _Place(name, file).error(problem)


def invalid(
    name: str, reason: str, *, line: int | None = None, file: str | Path | None = None
) -> SkillValidationError:
    """Make the error for a skill that is not acceptable; its details repeat what it says."""
    shown = str(file).encode("utf-8", "backslashreplace").decode() if file is not None else None
    if shown is not None:
        place = shown if line is None else f"{shown}:{line}"
    else:
        place = f"skill {name[:_CUT]!r}" + (f", line {line}" if line is not None else "")
    return SkillValidationError(
        f"{place}: {reason}", skill=name[:_CUT], reason=reason, line=line, file=shown
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """What an error message says about the place."""

    name: str
    file: str | Path | None

    def error(self, reason: str, line: int | None = None) -> SkillValidationError:
        return invalid(self.name, reason, line=line, file=self.file)


def _parse(source: str, place: _Place) -> ast.Module:
    try:
        size = len(source.encode())
    except UnicodeEncodeError as error:
        raise place.error(
            "the source holds half of a surrogate pair", _line_at(source, error.start)
        ) from None
    if size > MAX_SOURCE:
        raise place.error(f"the source has {size:,} bytes; a skill may have {MAX_SOURCE:,}")
    if "\0" in source:
        raise place.error("the source holds a NUL character", _line_at(source, source.index("\0")))
    try:
        # Doubtful escapes such as "\d" warn; that is the matter of whoever runs the skill. The
        # list of warning filters belongs to the whole process, hence the lock.
        with _warnings_lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
            check_grammar(source, tree)
            return tree
    except SyntaxError as error:
        text = f": `{error.text.strip():.{_CUT}}`" if error.text and error.text.strip() else ""
        raise place.error(f"syntax error: {error.msg}{text}", error.lineno) from None
    except (RecursionError, MemoryError):
        raise place.error("the source is nested too deeply for Python's parser") from None
    except ValueError as error:
        raise place.error(f"the source cannot be parsed: {error}") from None


def _line_at(source: str, position: int) -> int:
    return source.count("\n", 0, position) + 1


def _find_run(tree: ast.Module, place: _Place) -> _Function:
    found = [node for node in tree.body if isinstance(node, _Function) and node.name == "run"]
    if found:
        return found[-1]  # as in Python, the last one counts
    wanted = "a skill needs `def run(...)` or `async def run(...)` at top level"
    for node in tree.body:
        for inner in ast.walk(node):
            if isinstance(inner, _Function) and inner.name == "run":
                inside = f"this one is inside the block of line {node.lineno}"
                raise place.error(f"{wanted}; {inside}", inner.lineno)
    raise place.error(f"{wanted}; there is no `run`")


def _params(arguments: ast.arguments, described: dict[str, str]) -> Iterator[SkillParam]:
    def param(
        arg: ast.arg, kind: ParamKind, default: ast.expr | None, stars: str = ""
    ) -> SkillParam:
        name = stars + arg.arg
        return SkillParam(
            name=name,
            annotation=_text(arg.annotation),
            required=default is None and not stars,
            default=_text(default),
            description=described.get(name) or described.get(arg.arg, ""),
            kind=kind,
        )

    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    only = len(arguments.posonlyargs)
    for index, (arg, default) in enumerate(zip(plain, defaults, strict=True)):
        yield param(arg, "positional_only" if index < only else "positional_or_keyword", default)
    if arguments.vararg is not None:
        yield param(arguments.vararg, "var_positional", None, "*")
    for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield param(arg, "keyword_only", default)
    if arguments.kwarg is not None:
        yield param(arguments.kwarg, "var_keyword", None, "**")


def _text(node: ast.expr | None) -> str:
    return "" if node is None else ast.unparse(node)
