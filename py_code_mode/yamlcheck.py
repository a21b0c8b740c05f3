"""What a YAML file says, checked with a pydantic model.

Place in the house: values layer, above ``yamlfile``. A problem is explained in the words of
somebody who writes YAML, not in pydantic's.
"""

from __future__ import annotations

import difflib
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar

from py_code_mode.yamlfile import KeyPath, YamlFile, dotted

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

    _Model = TypeVar("_Model", bound=BaseModel)

__all__ = ["validate"]

# What pydantic's kinds of problem ask for, in the words of a YAML file.
_WANTED = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "finite_number": "a finite number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "string_type": "text",
}


def validate(file: YamlFile, model: type[_Model]) -> _Model:
    """Check what a file says.

    Args:
        file: The file.
        model: What it may say, a pydantic model.

    Raises:
        ConfigError: For the first problem in the file; the message names all others too.
    """
    from pydantic import ValidationError

    try:
        return model.model_validate(file.data)
    except ValidationError as error:
        problems: dict[KeyPath, list[ErrorDetails]] = {}
        for problem in error.errors(include_url=False):
            problems.setdefault(_key_of(file, problem), []).append(problem)
    known = ", ".join(sorted(model.model_fields))
    found = [(key, _explain(here, known)) for key, here in problems.items()]
    found.sort(key=lambda item: file.line(item[0]))
    (key, text), *others = found
    for other, other_text in others:
        text += f"; line {file.line(other)}: key {dotted(other)!r}: {other_text}"
    raise file.error(text, key)


def _key_of(file: YamlFile, problem: ErrorDetails) -> KeyPath:
    """Return the key a problem is about; pydantic's path also names members of unions."""
    key = problem["loc"]
    if problem["type"] != "missing":
        while key not in file.lines:
            key = key[:-1]
    return key


def _explain(problems: list[ErrorDetails], known: str) -> str:
    """Say what is wrong with the value of one key and what would be right."""
    # Each member of a union has its own problem; who looked deepest came nearest.
    deepest = max(len(problem["loc"]) for problem in problems)
    problems = [problem for problem in problems if len(problem["loc"]) == deepest]
    kind, value, key = problems[0]["type"], problems[0]["input"], problems[0]["loc"]
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(key[-1]), known.split(", "), n=1)
        text = "is no known key" + (f" (did you mean {near[0]!r}?)" if near else "")
        return f"{text}; known are {known}" if len(key) == 1 else text
    hint = ""
    if kind == "string_type" and isinstance(value, bool | int | float | date):
        hint = "; put quotes around it"
    elif kind == "list_type" and isinstance(value, str):
        hint = "; put [ ] around it"
    texts = [
        _WANTED.get(problem["type"], problem["msg"].removeprefix("Input should be "))
        for problem in problems
    ]
    return f"must be {' or '.join(texts)}, not {_shown(value)}{hint}"


def _shown(value: Any) -> str:
    """Name a value in YAML's words. Text is not repeated: it may be a secret."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    kind = type(value).__name__
    return {"str": "text", "list": "a list", "dict": "a mapping"}.get(kind, f"a {kind}")
