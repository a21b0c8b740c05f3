"""YAML files the user wrote, read so that an error can name its line.

Place in the house: values layer; whatever has settings in YAML (tools, policy) stands on it.

``read_yaml`` gives plain data and the line of every key, ``parse_yaml`` the same of a text that
lies elsewhere, e.g. in a server; ``yamlcheck`` checks the data. Every way in which a file can be
wrong ends in one ``ConfigError`` that names file, line and key. Files are small and written by
people, so size, depth and what aliases expand to are bounded tightly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from py_code_mode.errors import ConfigError

if TYPE_CHECKING:
    from yaml import Node

__all__ = ["KeyPath", "YamlFile", "dotted", "parse_yaml", "read_yaml"]

KeyPath = tuple[str | int, ...]
"""Where in the data: keys of mappings and indexes of lists."""

_MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 32
_MAX_NODES = 50_000  # after aliases are expanded
_TOO_DEEP = f"is nested more than {_MAX_DEPTH} deep"


@dataclass(frozen=True, slots=True)
class YamlFile:
    """A YAML file that was read.

    Attributes:
        path: Where it was read from.
        data: What it says.
        lines: The line of every key and list item, counted from 1.
        in_folder: Whether it lies in a folder; if not, ``path`` only names it.
    """

    path: Path
    data: dict[str, Any]
    lines: Mapping[KeyPath, int]
    in_folder: bool = True

    def beside(self, named: str, key: KeyPath) -> Path:
        """Return a path the file names, which counts from the file's own folder.

        Raises:
            ConfigError: It is relative, and the file lies in no folder.
        """
        path = Path(named).expanduser()
        if not self.in_folder and not path.is_absolute():
            raise self.error("this file lies in no folder: the path must be absolute", key)
        return self.path.absolute().parent / path

    def line(self, key: KeyPath) -> int:
        """Return the line of a key, or of the nearest thing around it."""
        while key not in self.lines:
            key = key[:-1]
        return self.lines[key]

    def error(self, message: str, key: KeyPath = ()) -> ConfigError:
        """Return an error that names this file, and the key and its line."""
        return ConfigError(message, file=self.path, line=self.line(key), key=dotted(key) or None)


def read_yaml(path: Path) -> YamlFile:
    """Read a file that holds one mapping.

    Raises:
        ConfigError: The file cannot be read, is no YAML, or holds something else.
    """
    return parse_yaml(path, _read_bytes(path))


def parse_yaml(path: Path, raw: bytes, *, in_folder: bool = True) -> YamlFile:
    """Read the content of a file that holds one mapping.

    Args:
        path: What messages call it.
        raw: Its bytes.
        in_folder: Whether it lies in a folder that paths in it count from.

    Raises:
        ConfigError: It is no YAML, or holds something else.
    """
    import yaml

    text = _decoded(path, raw)
    loader_class: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast
    try:
        # By events first: composing nests calls, in C, and deep input would end the process.
        _check_depth(path, yaml.parse(text, Loader=loader_class))
        loader = loader_class(text)
        try:
            node = loader.get_single_node()
            if isinstance(node, yaml.MappingNode):
                _Survey(path, loader.construct_object).measure(node)
                data = loader.construct_document(node)
            else:
                data = None
            if not isinstance(data, dict):  # the keys of `!!set {a, b}` are a set
                line = node.start_mark.line + 1 if node else 1
                raise ConfigError("must hold 'key: value' lines", file=path, line=line)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        # libyaml has a limit of its own, and reads ahead of the events that are counted here.
        too_deep = "nesting depth" in str(error.problem)
        reason = _TOO_DEEP if too_deep else f"no valid YAML: {error.problem}"
        raise ConfigError(reason, file=path, line=line) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError("character that YAML does not allow", file=path, line=line) from None
    lines: dict[KeyPath, int] = {}
    _record_lines(node, (), lines)
    return YamlFile(path, data, lines, in_folder)


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=path) from None


def _decoded(path: Path, raw: bytes) -> str:
    if len(raw) > _MAX_BYTES:
        raise ConfigError(f"has more than {_MAX_BYTES} bytes; is it the right file?", file=path)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{raw[error.start]:02x} is no UTF-8; save the file as UTF-8"
        raise ConfigError(message, file=path, line=line) from None
    if not text.strip():
        raise ConfigError("is empty; it must hold 'key: value' lines", file=path, line=1)
    return text


def _check_depth(path: Path, events: Iterable[Any]) -> None:
    import yaml

    depth = 0
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                mark: Any = event.start_mark
                raise ConfigError(_TOO_DEEP, file=path, line=mark.line + 1)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Survey:
    """Looks at a node graph before anything is made of it: its size and its keys.

    Aliases make it a graph. What it would be as a tree is counted without expanding it.
    """

    def __init__(self, path: Path, construct: Callable[[Node], object]) -> None:
        self._path = path
        self._construct = construct
        self._done: dict[int, tuple[int, int]] = {}
        self._doing: set[int] = set()

    def measure(self, node: Node, key: KeyPath = ()) -> tuple[int, int]:
        """Return how many nodes ``node`` is as a tree, and how deep that is."""
        known = self._done.get(id(node))
        if known is None:
            if id(node) in self._doing:
                raise self._error(node, key, "refers to itself by an alias")
            self._doing.add(id(node))
            known = self._done[id(node)] = self._measure_children(node, key)
        size, height = known
        if len(key) + height > _MAX_DEPTH:
            raise self._error(node, key, _TOO_DEEP)
        if size > _MAX_NODES:
            raise self._error(node, key, f"is more than {_MAX_NODES} values, its aliases expanded")
        return known

    def _measure_children(self, node: Node, key: KeyPath) -> tuple[int, int]:
        import yaml

        children: list[tuple[str | int, Node]] = []
        if isinstance(node, yaml.MappingNode):
            self._check_keys(node, key)
            children = [(name.value, value) for name, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            children = list(enumerate(node.value))
        else:
            try:
                self._construct(node)
            except ValueError as error:  # it looks like a date or a number and is none
                raise self._error(node, key, f"{error}; put quotes around it") from None
        size, height = 1, 0
        if len(key) < _MAX_DEPTH:  # else that is the error already
            for name, child in children:
                child_size, child_height = self.measure(child, (*key, name))
                size, height = size + child_size, max(height, child_height)
        return size, height + 1

    def _check_keys(self, node: Node, key: KeyPath) -> None:
        seen: dict[str, int] = {}
        for name, _ in node.value:
            if not isinstance(name.value, str):
                raise self._error(name, key, "has a list or mapping as a key; keys are words")
            line = name.start_mark.line + 1
            if not key and not name.tag.endswith((":str", ":merge")):
                text = f'this key is no text to YAML; write "{name.value}" with the quotes'
                raise self._error(name, (name.value,), text)
            if name.value in seen:
                text = f"is here twice, first in line {seen[name.value]}; keep one"
                raise self._error(name, (*key, name.value), text)
            seen[name.value] = line

    def _error(self, node: Node, key: KeyPath, message: str) -> ConfigError:
        line = node.start_mark.line + 1
        return ConfigError(message, file=self._path, line=line, key=dotted(key) or None)


def _record_lines(node: Node, key: KeyPath, lines: dict[KeyPath, int]) -> None:
    """Note the lines of all keys below ``node``, after merge keys were resolved."""
    import yaml

    lines.setdefault(key, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:  # what was merged in comes first and is overridden
            lines[*key, name.value] = name.start_mark.line + 1
            _record_lines(value, (*key, name.value), lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _record_lines(item, (*key, index), lines)


def dotted(key: KeyPath) -> str:
    """Return a key as people write it."""
    return ".".join(map(str, key))
