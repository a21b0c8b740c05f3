"""How much a store of artifacts may hold.

Place in the house: bottom of ``artifacts``; every store takes its two numbers and asks here.
"""

from __future__ import annotations

from dataclasses import dataclass

from py_code_mode.errors import ArtifactWriteError, ConfigError

__all__ = ["Quota"]


@dataclass(frozen=True, slots=True)
class Quota:
    """Bounds of a store.

    Attributes:
        max_bytes: All artifacts together; None: no bound.
        max_artifact_bytes: Any one of them; None: no bound.
    """

    max_bytes: int | None = None
    max_artifact_bytes: int | None = None

    def __post_init__(self) -> None:
        for key in ("max_bytes", "max_artifact_bytes"):
            value = getattr(self, key)
            if value is not None and (type(value) is not int or value < 0):
                raise ConfigError(f"must be a number of bytes or None, not {value!r:.80}", key=key)

    def check_artifact(self, name: str, size: int) -> None:
        """Refuse an artifact that is, or has already become, too large.

        Raises:
            ArtifactWriteError: It is.
        """
        most = self.max_artifact_bytes
        if most is not None and size > most:
            raise ArtifactWriteError(
                f"artifact {name!r} has {size:,} bytes or more; {most:,} are allowed for one "
                "artifact (max_artifact_bytes)"
            )

    def check_store(self, name: str, size: int, used: int, writing: int = 0) -> None:
        """Refuse an artifact for which there is no room.

        Args:
            name: The artifact.
            size: Its bytes, as far as they are known.
            used: Bytes of all *other* artifacts.
            writing: Bytes of others that are being written.

        Raises:
            ArtifactWriteError: There is no room.
        """
        most = self.max_bytes
        if most is not None and used + writing + size > most:
            use = f"{used:,} and those being written {writing:,}" if writing else f"{used:,}"
            raise ArtifactWriteError(
                f"artifact {name!r} with {size:,} bytes does not fit: the store's other artifacts "
                f"use {use} of the {most:,} bytes it may hold (max_bytes); delete some"
            )
