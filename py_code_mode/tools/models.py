"""Models of data: pydantic's, dataclasses, typed dicts and enums, as tools take and give them.

Place in the house: ``tools``, used by ``signatures`` and ``functions``. Nothing here loads
pydantic before a value has to be converted, or somebody looks into a schema.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = [
    "FieldDefault",
    "LazySchema",
    "as_field",
    "is_plain",
    "make_adapter",
    "plain",
    "plain_default",
    "shapes",
    "source_of",
]

_SCALARS = frozenset({bool, int, float, str, bytes, type(None)})
_READS_TYPED_DICTS: bool = sys.version_info >= (3, 12)
_MAX_SHAPE = 400
_MAX_SHAPES = 5


def make_adapter(hint: Any) -> TypeAdapter[Any] | None:
    """Return what checks and converts values of a type, None when pydantic knows no way."""
    from pydantic import ConfigDict, TypeAdapter

    # With the first, a DataFrame (say) is checked by isinstance; models refuse a configuration.
    for config in (ConfigDict(arbitrary_types_allowed=True), None):
        try:
            return TypeAdapter(_modern(hint, {}), config=config)
        except Exception:  # noqa: BLE001, S112 - types may run their own code here
            continue
    return None


def _modern(hint: Any, done: dict[Any, Any]) -> Any:
    """Replace ``typing.TypedDict`` classes: before Python 3.12 pydantic cannot read them."""
    if _READS_TYPED_DICTS:
        return hint
    if typing.is_typeddict(hint) and type(hint).__module__ == "typing":
        if hint not in done:
            done[hint] = dict[str, Any]  # for one that holds itself
            done[hint] = _modern_dict(hint, done)
        return done[hint]
    arguments = typing.get_args(hint)
    if not arguments or typing.get_origin(hint) is Literal:
        return hint
    changed = tuple(_modern(each, done) for each in arguments)
    if changed == arguments:
        return hint
    if isinstance(hint, types.UnionType):
        return typing.Union[changed]  # noqa: UP007 - built at run time
    if isinstance(hint, types.GenericAlias):
        return types.GenericAlias(typing.get_origin(hint), changed)
    if hasattr(hint, "__metadata__"):
        return typing.Annotated[(changed[0], *hint.__metadata__)]
    return hint.copy_with(changed)


def _modern_dict(hint: Any, done: dict[Any, Any]) -> Any:
    import typing_extensions as modern

    fields = {
        name: modern.Required[_modern(each, done)]
        if name in hint.__required_keys__
        else modern.NotRequired[_modern(each, done)]
        for name, each in modern.get_type_hints(hint, include_extras=True).items()
    }
    return modern.TypedDict(hint.__name__, fields)  # type: ignore[operator]


class LazySchema(Mapping[str, Any]):
    """The JSON schema of a type, worked out when somebody looks; empty where there is none.

    Args:
        hint: The type.
        mode: Whether it is of what goes in or of what comes out.
    """

    def __init__(self, hint: Any, mode: Literal["validation", "serialization"]) -> None:
        self._hint = hint
        self._mode = mode
        self._schema: Mapping[str, Any] | None = None

    def _read(self) -> Mapping[str, Any]:
        if self._schema is None:
            adapter = make_adapter(self._hint)
            try:
                self._schema = (
                    {}
                    if adapter is None
                    else adapter.json_schema(mode=self._mode, by_alias=self._mode == "validation")
                )
            except Exception:  # noqa: BLE001 - not every type has a schema, and types run code
                self._schema = {}
        return self._schema

    def __getitem__(self, key: str) -> Any:
        return self._read()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return f"LazySchema({self._hint!r})"


@dataclasses.dataclass(frozen=True, slots=True)
class FieldDefault:
    """What pydantic's ``Field(...)`` says where a default stands.

    Attributes:
        field: It.
        required: Whether a value must be given.
    """

    field: Any
    required: bool

    def value(self) -> Any:
        """Return the default, a new one where it is made by a factory."""
        return self.field.get_default(call_default_factory=True)


def as_field(default: Any) -> FieldDefault | None:
    """Return what a default says if it is a ``Field(...)``, None if it is a value."""
    kind = type(default)
    if kind.__name__ != "FieldInfo" or not kind.__module__.startswith("pydantic."):
        return None
    return FieldDefault(default, default.is_required())


def plain(value: Any) -> Any:
    """Return a value with pydantic's models in it as dicts; itself where there are none."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind in (list, tuple):
        if {*map(type, value)} <= _SCALARS:  # most are, and this is fast
            return value
        items = [plain(item) for item in value]
        same = all(new is old for new, old in zip(items, value, strict=True))
        return value if same else kind(items)
    if kind is dict:
        pairs = {key: plain(item) for key, item in value.items()}
        return value if all(pairs[key] is value[key] for key in pairs) else pairs
    return plain(value.model_dump()) if _is_model(kind) else value


def _is_model(kind: type) -> bool:
    base = getattr(sys.modules.get("pydantic"), "BaseModel", None)
    return base is not None and issubclass(kind, base)


def plain_default(value: Any) -> Any:
    """Return a default as plain data: models and dataclasses as dicts, enum members as values."""
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: plain_default(getattr(value, name)) for name in names}
    kind = type(value)
    if kind in (list, tuple):
        return kind(plain_default(item) for item in value)
    if kind is dict:
        return {key: plain_default(item) for key, item in value.items()}
    return plain_default(value.model_dump()) if _is_model(kind) else value


def is_plain(value: Any) -> bool:
    """Whether a default can be shown on the other side as it is."""
    if type(value) in {list, tuple, set, frozenset}:
        return all(map(is_plain, value))
    if type(value) is dict:
        return all(is_plain(key) and is_plain(item) for key, item in value.items())
    return value is None or type(value) in _SCALARS


def source_of(annotation: Any, module: str | None) -> str:
    """Return a type as one writes it in a module."""
    if isinstance(annotation, typing.ForwardRef):  # one that nobody could resolve
        annotation = annotation.__forward_arg__
    is_text = isinstance(annotation, str)
    text = annotation if is_text else inspect.formatannotation(annotation, module)
    return text.replace(f"{module}.", "") if module else text


def shapes(hint: Any) -> str:
    """Say what the models in a type look like, for those who cannot see their classes.

    Returns:
        E.g. ``"Point: {x: int, y: int = 0}"``; empty when there are none.
    """
    found: dict[str, str] = {}
    waiting = [hint]
    while waiting and len(found) < _MAX_SHAPES:
        each = waiting.pop(0)
        name = getattr(each, "__name__", "")
        if not isinstance(each, type):
            waiting += typing.get_args(each) if typing.get_origin(each) is not Literal else ()
        elif issubclass(each, enum.Enum):
            found.setdefault(name, " or ".join(repr(member.value) for member in each))
        elif name not in found and (fields := _fields(each)):
            found[name] = "{" + ", ".join(text for text, _ in fields) + "}"
            waiting += [inner for _, inner in fields]
    text = "; ".join(f"{name}: {shape}" for name, shape in found.items())
    return text if len(text) <= _MAX_SHAPE else text[: _MAX_SHAPE - 3] + "..."


def _fields(kind: type) -> list[tuple[str, Any]]:
    """Return the fields of a model as text, with their types; none if it is no model."""
    if not (_is_model(kind) or dataclasses.is_dataclass(kind) or typing.is_typeddict(kind)):
        return []
    hints = _hints(kind)
    if _is_model(kind):
        fields: dict[str, Any] = kind.model_fields  # type: ignore[attr-defined]
        hints = {name: each.annotation for name, each in fields.items()}
        known = {name: _default(each.default, each.is_required()) for name, each in fields.items()}
    elif dataclasses.is_dataclass(kind):
        known = {
            each.name: _default(
                each.default, each.default is each.default_factory is dataclasses.MISSING
            )
            for each in dataclasses.fields(kind)
            if each.init
        }
    else:
        optional = kind.__optional_keys__  # type: ignore[attr-defined]
        known = {name: " (optional)" if name in optional else "" for name in hints}
    return [
        (f"{name}: {source_of(hints[name], kind.__module__)}{rest}", hints[name])
        for name, rest in known.items()
        if name in hints
    ]


def _hints(kind: type) -> Mapping[str, Any]:
    """Return the types of a class's fields, as text where they cannot be known."""
    try:
        return typing.get_type_hints(kind)
    except Exception:  # noqa: BLE001 - evaluating an annotation may raise anything
        return {
            name: hint
            for base in kind.__mro__[::-1]
            for name, hint in vars(base).get("__annotations__", {}).items()
        }


def _default(value: Any, is_required: bool) -> str:  # noqa: FBT001 - read beside its value
    value = plain_default(value)
    if is_required:
        return ""
    return f" = {value!r}" if is_plain(value) else " (optional)"
