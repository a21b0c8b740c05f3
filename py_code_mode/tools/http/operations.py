"""The operations of an OpenAPI document as endpoints.

Place in the house: ``tools.http``. Everything in the document may be of any type: what cannot
be used is left out and told, never a crash.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from py_code_mode.errors import ConfigError, ToolError
from py_code_mode.tools.http.bodyparams import body_of, result_of
from py_code_mode.tools.http.model import METHODS, OWN_HEADERS, Endpoint, Param
from py_code_mode.tools.http.schemas import self_contained
from py_code_mode.tools.jsonschema import resolve
from py_code_mode.tools.names import clean_name

__all__ = ["Found", "endpoints_of", "snake"]

_MAX_OPERATIONS = 2_000
_MAX_TEXT = 2_000  # characters of a description

_PLACES = frozenset({"path", "query", "header", "cookie"})
_IGNORED = OWN_HEADERS | {"accept", "authorization"}  # OpenAPI wants these left out
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(slots=True)
class Found:
    """What a document offers.

    Attributes:
        endpoints: Its operations.
        told: What was left out or renamed, a sentence each.
        schemes: Names of the security schemes its operations want.
    """

    endpoints: list[Endpoint] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    schemes: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Operation:
    method: str
    path: str
    said: Mapping[str, Any]
    params: list[Any]

    @property
    def id(self) -> str:
        """Its operation id, or method and path."""
        given = self.said.get("operationId")
        return given if isinstance(given, str) and given.strip() else f"{self.method} {self.path}"

    def is_one_of(self, patterns: Collection[str]) -> bool:
        """Whether a pattern is its id, one of its tags, or its path."""
        tags = self.said.get("tags")
        names = [self.id, snake(self.id)]
        names += [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
        return any(
            fnmatch.fnmatchcase(self.path, pattern)
            if pattern.startswith("/")
            else any(fnmatch.fnmatchcase(name, pattern) for name in names)
            for pattern in patterns
        )


def snake(name: str) -> str:
    """Return a name as Python writes it: ``getPetById`` -> ``get_pet_by_id``."""
    text = _HUMP.sub("_", name)
    text = "".join(char if ("_" + char).isidentifier() else "_" for char in text)
    return re.sub("_+", "_", text).strip("_").lower()[:150]


def endpoints_of(
    document: Mapping[str, Any],
    include: Collection[str] = (),
    exclude: Collection[str] = (),
    given: Collection[str] = (),
) -> Found:
    """Return the operations of a document as endpoints.

    Args:
        document: The document.
        include: Only these: globs of operation ids, tags, or paths, which begin with ``/``.
        exclude: Not these.
        given: Names of headers and of the query that the host fills in itself, in lower case.

    Raises:
        ToolError: It has none, or too many.
    """
    found, names = Found(), set[str]()
    operations = [
        each
        for each in _operations(document)
        if (not include or each.is_one_of(include)) and not each.is_one_of(exclude)
    ]
    for pattern in include:
        if not any(each.is_one_of([pattern]) for each in operations):
            found.told.append(f"include {pattern!r} fits no operation of the document")
    if len(operations) > _MAX_OPERATIONS:
        text = f"the document has {len(operations):,} operations, more than {_MAX_OPERATIONS:,}"
        raise ToolError(f"{text}; choose some with include or exclude")
    for each in operations:
        name = _name_for(each, names, found.told)
        endpoint = _endpoint(each, name, document, frozenset(given), found.told)
        try:
            endpoint.check("")
        except ConfigError as error:
            found.told.append(f"operation {each.id!r:.200} is left out: {error.key} {error.reason}")
            continue
        names.add(clean_name(name))
        found.endpoints.append(endpoint)
        found.schemes |= _schemes(each.said.get("security", document.get("security")))
    return found


def _operations(document: Mapping[str, Any]) -> Iterator[_Operation]:
    paths = document.get("paths")
    for path, said in paths.items() if isinstance(paths, Mapping) else ():
        item = resolve(said, document)
        shared = item.get("parameters")
        for method, operation in item.items():
            if str(method).upper() in METHODS and isinstance(operation, Mapping):
                own = operation.get("parameters")
                params = [
                    *(shared if isinstance(shared, list) else []),
                    *(own if isinstance(own, list) else []),
                ]
                yield _Operation(str(method).upper(), str(path), operation, params)


def _name_for(operation: _Operation, taken: set[str], told: list[str]) -> str:
    wanted = snake(operation.id) or snake(f"{operation.method} {operation.path}") or "operation"
    name, number = wanted, 2
    while clean_name(name) in taken:
        name, number = f"{wanted}_{number}", number + 1
    if name != wanted:
        what = f"{operation.method} {operation.path}"
        told.append(f"{what:.200} is called {name!r}: there is another {wanted!r}")
    return name


def _endpoint(
    operation: _Operation,
    name: str,
    document: Mapping[str, Any],
    given: frozenset[str],
    told: list[str],
) -> Endpoint:
    params: dict[tuple[str, str], Param] = {}
    for each in operation.params:
        param = _param(resolve(each, document), document)
        if param is None:
            told.append(f"a parameter of {operation.id!r:.200} cannot be read and is left out")
        elif not _is_ours(param, given):
            params[param.place, param.sent_as] = param
    in_body, kind, content_type = body_of(operation.said, document)
    if "servers" in operation.said:
        told.append(f"the servers of {operation.id!r:.200} are not used, only the document's")
    schema, returns = result_of(operation.said, document)
    return Endpoint(
        name,
        operation.method,
        operation.path,
        _description(operation.said),
        _named([*params.values(), *in_body]),
        kind,
        content_type,
        schema,
        returns,
    )


def _is_ours(param: Param, given: frozenset[str]) -> bool:
    """Whether it is for the host to set, not for agents: headers of its own, keys."""
    name = param.sent_as.lower()
    if param.place == "header" and name in _IGNORED:
        return True
    return param.place in {"header", "query"} and name in given


def _description(said: Mapping[str, Any]) -> str:
    texts = [said.get(key) for key in ("summary", "description")]
    parts = list(dict.fromkeys(text.strip() for text in texts if isinstance(text, str)))
    if said.get("deprecated") is True:
        parts.append("Deprecated.")
    text = "\n\n".join(part for part in parts if part)
    return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + " [...]"


def _param(said: Mapping[str, Any], document: Mapping[str, Any]) -> Param | None:
    key, place = said.get("name"), said.get("in")
    if not isinstance(key, str) or not key or place not in _PLACES:
        return None
    schema, style = said.get("schema"), said.get("style")
    content = said.get("content")
    if isinstance(content, Mapping) and content:  # a value that is JSON in a string
        media = next(iter(content.values()))
        schema, style = (media.get("schema") if isinstance(media, Mapping) else None), "json"
    text, explode = said.get("description"), said.get("explode")
    copy = self_contained(schema, document, for_request=True)
    text = text if isinstance(text, str) else copy.get("description", "")
    return Param(
        key,
        place,
        "any",
        required=said.get("required") is True or place == "path",
        description=" ".join(text.split())[:500],
        key=key,
        schema=copy,
        style=style if isinstance(style, str) else "",
        explode=explode if isinstance(explode, bool) else None,
    )


def _named(params: list[Param]) -> tuple[Param, ...]:
    """Give each parameter the name an agent uses for it; the same one only once."""
    taken: set[str] = set()
    named = []
    for param in params:
        wanted = snake(param.sent_as) or param.place
        wanted = wanted if wanted.isidentifier() else f"_{wanted}"
        name, number = wanted, 2
        if name in taken:
            name = f"{wanted}_{param.place}"
        while name in taken:
            name, number = f"{wanted}_{number}", number + 1
        taken.add(name)
        named.append(dataclasses.replace(param, name=name))
    return tuple(named)


def _schemes(security: Any) -> set[str]:
    """Return the schemes a list of requirements names; none if it can do without."""
    if not isinstance(security, list) or not all(isinstance(each, Mapping) for each in security):
        return set()
    if any(not each for each in security):
        return set()
    return {str(name) for each in security for name in each}
