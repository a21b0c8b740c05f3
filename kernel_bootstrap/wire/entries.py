"""What is known about an artifact, as code in a kernel sees it: a dict that shows itself.

Place in the house: part of THE contract, above ``previews``; standard library only. As a value it
crosses as the plain dict it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kernel_bootstrap.wire.parts import Plain
from kernel_bootstrap.wire.previews import preview

__all__ = ["PACKERS", "Artifact"]

Show = Callable[[], tuple[str, Mapping[str, Any]]]
"""Returns HTML of an artifact's content, and its further formats."""


class Artifact(dict[str, Any]):
    """What is known about an artifact: ``artifact["size"]`` and ``artifact.size`` are the same.

    As the last expression of a cell it shows what is in the artifact: a table, an image, the
    beginning of a text.

    Args:
        info: What is known.
        show: Looks into the artifact.
    """

    __slots__ = ("_show",)

    def __init__(self, info: Mapping[str, Any], show: Show) -> None:
        super().__init__(info)
        self._show = show

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self})

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)  # a copy elsewhere has no line to the host

    def __repr__(self) -> str:
        said = f": {self['description']}" if self.get("description") else ""
        size = f"{self['size']:,} bytes" if "size" in self else ""
        facts = ", ".join(filter(None, (self.get("kind"), size)))
        return f"<Artifact {self.get('name')!r} ({facts}){said}>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        inner, formats = self._show()
        return {"text/plain": repr(self), "text/html": preview(self, inner), **formats}


PACKERS: dict[type, Callable[[Any], Plain]] = {Artifact: lambda value: Plain(dict(value))}
