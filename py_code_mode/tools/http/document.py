"""Reading an OpenAPI document: JSON or YAML, within bounds.

Place in the house: ``tools.http``. It may come from another host, so its size, its depth and
what YAML makes of it are bounded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from py_code_mode.errors import ToolCallError, ToolError

__all__ = ["MAX_DOCUMENT", "parse_document", "read_document", "server_url"]

MAX_DOCUMENT = 16 * 1024 * 1024
"""Bytes of a document."""

_MAX_DEPTH = 200


def read_document(path: Path) -> bytes:
    """Read a document from a file.

    Raises:
        ToolError: It cannot be read or is too large.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_DOCUMENT + 1)
    except OSError as error:
        raise ToolError(f"spec {str(path)!r} cannot be read: {error.strerror}") from None
    if len(raw) > MAX_DOCUMENT:
        raise ToolError(f"spec {str(path)!r} has more than {MAX_DOCUMENT:,} bytes")
    return raw


def parse_document(raw: bytes, where: str) -> dict[str, Any]:
    """Return what a document says.

    Args:
        raw: Its bytes.
        where: Where it is from, for messages.

    Raises:
        ToolError: It is no JSON and no YAML, or no OpenAPI of version 3.0 or 3.1.
    """
    try:
        text = raw.decode("utf-8-sig")
        data = json.loads(text) if text.lstrip()[:1] == "{" else None
    except (ValueError, RecursionError):
        data = None
    if data is None:
        data = _from_yaml(raw, where)
    if not isinstance(data, dict):
        raise ToolError(f"spec {where} is no OpenAPI document: it holds no mapping")
    version = data.get("openapi")
    if not isinstance(version, str) or version.split(".")[:2] not in (["3", "0"], ["3", "1"]):
        said = version if version is not None else data.get("swagger")
        found = f"this says {said!r:.40}" if said is not None else "this names no version"
        raise ToolError(f"spec {where} must be OpenAPI 3.0 or 3.1; {found}")
    return data


def _from_yaml(raw: bytes, where: str) -> Any:
    import yaml

    loader = _loader()
    try:
        text = raw.decode("utf-8-sig")
        depth = 0
        # By events first: composing nests calls, in C, and deep input would end the process.
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > _MAX_DEPTH:
                    raise ToolError(f"spec {where} is nested more than {_MAX_DEPTH} deep")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
        return yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader with fewer types
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        why = getattr(error, "problem", None) or str(error)
        raise ToolError(f"spec {where} is neither JSON nor YAML{line}: {why}") from None


def _loader() -> Any:
    """Return a loader that knows the types JSON has: no dates, and ``no`` is text."""
    import re

    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        pass

    left_out = {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool"}
    Loader.yaml_implicit_resolvers = {
        first: [pair for pair in pairs if pair[0] not in left_out]
        for first, pairs in base.yaml_implicit_resolvers.items()
    }
    words = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", words, list("tTfF"))
    return Loader


def server_url(document: Mapping[str, Any], where: str) -> str:
    """Return the url of a document's first server, its variables at their defaults.

    Args:
        document: The document.
        where: The url it was fetched from, which a relative one is relative to; or empty.

    Raises:
        ToolError: It names none that can be used.
    """
    servers = document.get("servers")
    first = servers[0] if isinstance(servers, list) and servers else {"url": "/"}
    url = first.get("url") if isinstance(first, Mapping) else None
    if not isinstance(url, str):
        raise ToolError("the document's first server has no url; set base_url")
    variables = first.get("variables")
    for name, variable in variables.items() if isinstance(variables, Mapping) else ():
        default = variable.get("default") if isinstance(variable, Mapping) else None
        url = url.replace(f"{{{name}}}", str(default))
    try:
        url = urljoin(where, url)
    except ValueError:
        raise ToolCallError(f"the document's server {url!r:.200} is no url; set base_url") from None
    if not url.startswith(("http://", "https://")) or "{" in url:
        raise ToolError(f"the document's server is {url!r:.200}, no whole url; set base_url")
    return url
