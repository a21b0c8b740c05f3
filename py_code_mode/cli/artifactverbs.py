"""The work of ``py-code-mode artifacts``, one function a verb.

Place in the house: inside ``cli``, above the stores. Artifacts of any size pass in pieces; their
bytes are never decoded here, but for the beginning of a text that is shown.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from kernel_bootstrap.wire.packing import unpack
from py_code_mode.artifacts.base import ArtifactInfo, ArtifactStore, Details
from py_code_mode.artifacts.finding import near_names
from py_code_mode.artifacts.info import content_type_of
from py_code_mode.artifacts.times import expiry
from py_code_mode.cli.output import complain, moment, show, show_json, show_table
from py_code_mode.errors import ArtifactError, ArtifactNotFoundError, ConfigError
from py_code_mode.stores import open_artifact_store

__all__ = ["VERBS"]

_AUTHOR = "py-code-mode artifacts"
_CHUNK = 1024 * 1024
_HEAD = 2_000
"""Bytes of a text that ``show`` shows."""

_CHECKED = 64 * 1024 * 1024
"""Bytes of a file that is read to see whether it is the text it seems to be."""


def _list(arguments: argparse.Namespace) -> int:
    return _rows(_open(arguments).list(arguments.prefix, arguments.tag), arguments)


def _search(arguments: argparse.Namespace) -> int:
    found = _open(arguments).search(" ".join(arguments.query), arguments.limit)
    _rows(found, arguments)
    return 0 if found else 1


def _rows(infos: Sequence[ArtifactInfo], arguments: argparse.Namespace) -> int:
    if arguments.json:
        show_json([info.to_dict() for info in infos])
        return 0
    show_table(
        [info.name, f"{info.size:,}", info.content_type, moment(info.modified), info.description]
        for info in infos
    )
    return 0


def _show(arguments: argparse.Namespace) -> int:
    store = _open(arguments)
    info = store.get(arguments.name)
    if info is None:
        raise _missing(store, arguments.name)
    if arguments.json:
        show_json(info.to_dict())
        return 0
    facts = {
        "description": info.description,
        "type": " ".join(filter(None, (info.content_type, info.type_name))),
        "size": f"{info.size:,} bytes",
        "sha256": info.sha256,
        "created": moment(info.created),
        "modified": moment(info.modified),
        "expires": "" if info.expires is None else moment(info.expires),
        "by": " ".join(filter(None, (info.author, info.session))),
        "tags": ", ".join(info.tags),
        "metadata": str(dict(info.metadata)) if info.metadata else "",
    }
    show(info.name)
    show_table((f"  {key}", value) for key, value in facts.items() if value)
    if info.kind in ("text", "json"):
        head = b"".join(store.read_chunks(info.name, 0, _HEAD, sha256=info.sha256))
        show("\n" + head.decode("utf-8", "replace") + ("..." if info.size > _HEAD else ""))
    return 0


def _get(arguments: argparse.Namespace) -> int:
    if arguments.json and arguments.file == "-":
        raise ConfigError("with --json, stdout is for JSON: name a FILE for the bytes")
    store = _open(arguments)
    info = store.get(arguments.name) if arguments.json else None
    pieces = store.read_chunks(arguments.name, sha256="" if info is None else info.sha256)
    with _out(arguments.file) as file:
        file.writelines(pieces)
    if info is not None:
        show_json(info.to_dict())
    return 0


@contextmanager
def _out(path: str) -> Iterator[IO[bytes]]:
    """A file that is there when all of it has been written, and not before; or stdout."""
    if path == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with tempfile.NamedTemporaryFile(dir=Path(path).absolute().parent, delete=False) as file:
            try:
                yield file
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", file=path) from error


def _put(arguments: argparse.Namespace) -> int:
    store = _open(arguments, make=True)
    name = arguments.name
    with _in(arguments.file) as file:
        details = Details(
            arguments.description,
            tags=tuple(arguments.tags),
            content_type=content_type_of("bytes", name),
            expires=expiry(arguments.ttl, None),
            author=_AUTHOR,
        )
        with store.open_write(name, _kind(file, name), details) as writer:
            while data := file.read(_CHUNK):
                writer.write(data)
            info = writer.commit()
    if arguments.json:
        show_json(info.to_dict())
    else:
        show(f"{info.name}: {info.size:,} bytes, {info.content_type}")
    return 0


@contextmanager
def _in(path: str) -> Iterator[IO[bytes]]:
    """A file that can be read twice; what comes from stdin is spooled."""
    if path != "-":
        try:
            file = Path(path).open("rb")  # noqa: SIM115 - closed below
        except OSError as error:
            raise ConfigError(f"cannot be read: {error.strerror}", file=path) from error
        with file:
            yield file
        return
    with tempfile.TemporaryFile() as spool:
        while data := sys.stdin.buffer.read(_CHUNK):
            spool.write(data)
        spool.seek(0)
        yield spool


def _kind(file: IO[bytes], name: str) -> str:
    """How a file loads in a kernel: as JSON or text if name and content agree, else as bytes."""
    known = content_type_of("bytes", name)
    kind = "json" if known == "application/json" else "text" if known.startswith("text/") else ""
    if kind and os.fstat(file.fileno()).st_size <= _CHECKED:
        try:
            unpack(kind, file.read())
        except ArtifactError:
            kind = ""
        file.seek(0)
        return kind or "bytes"
    return "bytes"


def _rm(arguments: argparse.Namespace) -> int:
    store = _open(arguments)
    missing = [name for name in arguments.names if not store.delete(name)]
    for name in missing:
        complain(str(_missing(store, name)))
    if arguments.json:
        show_json([name for name in arguments.names if name not in missing])
    return 1 if missing else 0


def _open(arguments: argparse.Namespace, *, make: bool = False) -> ArtifactStore:
    return open_artifact_store(arguments.artifacts, make=make)


def _missing(store: ArtifactStore, name: str) -> ArtifactNotFoundError:
    near = near_names(name, [info.name for info in store.list()])
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    return ArtifactNotFoundError(f"no artifact named {name!r}{hint}", near=near)


VERBS: dict[str, Callable[[Any], int]] = {
    "list": _list,
    "show": _show,
    "get": _get,
    "put": _put,
    "rm": _rm,
    "search": _search,
}
