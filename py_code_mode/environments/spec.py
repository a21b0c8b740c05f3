"""What is to be in an environment, and the digest that it is kept under.

Place in the house: inside ``environments``, above ``interpreter``.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from py_code_mode.config import KernelConfig
from py_code_mode.environments.interpreter import Interpreter, interpreter_of
from py_code_mode.packages import PackagePolicy

__all__ = ["KERNEL", "Spec"]

KERNEL = "ipykernel>=6.30,<8"
"""What every environment has; the bounds are those of our own dependency."""

_FORMAT = 1
"""Grows when environments are made in another way than before."""

_DIGEST_LENGTH = 20  # 80 bits; the path stands in the first line of scripts, which is bounded


@dataclass(frozen=True, slots=True)
class Spec:
    """All that decides what an environment holds: two specs that are equal share one.

    Attributes:
        requirements: Normalised and sorted, without ipykernel.
        constraints: Bounds of the policy.
        sources: Whether packages may have been built from source.
        interpreter: What it stands on.
    """

    requirements: tuple[str, ...]
    constraints: tuple[str, ...]
    sources: bool
    interpreter: Interpreter

    @classmethod
    def of(cls, config: KernelConfig) -> Spec:
        """Make the spec of a configuration's packages, which are checked already.

        Raises:
            ConfigError: ``config.python`` is no interpreter.
        """
        policy = config.package_policy or PackagePolicy()
        return cls.make(config.packages, policy, config.python)

    @classmethod
    def make(
        cls, requirements: Any, policy: PackagePolicy, python: str | Path | None = None
    ) -> Spec:
        """Make a spec of requirements that ``check_packages`` returned."""
        return cls(
            tuple(requirements), policy.constraints, policy.allow_sources, interpreter_of(python)
        )

    @property
    def digest(self) -> str:
        """What the environment is kept under, hex."""
        key = {
            "format": _FORMAT,
            "kernel": KERNEL,
            "requirements": self.requirements,
            "constraints": self.constraints,
            "sources": self.sources,
            "interpreter": self.interpreter.to_dict(),
        }
        packed = json.dumps(key, sort_keys=True, separators=(",", ":")).encode()
        return hashlib.sha256(packed).hexdigest()[:_DIGEST_LENGTH]
