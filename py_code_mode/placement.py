"""Where kernels run, if not on this machine.

Place in the house: values layer, below ``config``; ``kernel.cluster`` does what it says. It
imports nothing of Ray, which only those have who use it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from py_code_mode.errors import ConfigError

__all__ = ["Ray"]

SHORTEST_LEASE = 5.0
"""It is renewed each two seconds, and a node may be slow to answer."""


@dataclass(frozen=True, slots=True)
class Ray:
    """Kernels run on the nodes of a Ray cluster; see ``docs/cluster.md``.

    Attributes:
        address: ``host:port`` of the cluster's head, as ``ray.init`` takes it; this machine must
            be one of its nodes (one of no CPUs will do). None: the cluster this machine is in.
        resources: What Ray sets aside for each session while it lives, by Ray's names.
        spread: Whether sessions are spread over the nodes; else they fill one after the other.
        packages: Requirements that Ray installs for the kernels on their nodes (``runtime_env``).
        working_dir: Folder that Ray copies to the nodes; the code's working directory there.
        timeout: Seconds until a session for which no node has room is an error.
        lease: Seconds for which kernels outlive a program of which their node hears nothing more,
            because it was killed or the link is cut.

    Raises:
        ConfigError: A value is not of its form.
    """

    address: str | None = None
    resources: Mapping[str, float] = field(default_factory=lambda: {"CPU": 0.1})
    spread: bool = True
    packages: Sequence[str] = ()
    working_dir: str | Path | None = None
    timeout: float = 60.0
    lease: float = 30.0

    def __post_init__(self) -> None:
        if self.address is not None and "://" in self.address:
            raise ConfigError(
                f"Ray.address must be host:port of the head, not {self.address!r}: a program that "
                "owns sessions must run on a node of the cluster, not behind Ray's client"
            )
        if isinstance(self.packages, str):
            raise ConfigError(f"Ray.packages must be a sequence: [{self.packages!r}]")
        if not self.resources:
            raise ConfigError("Ray.resources must name what a session takes, as {'CPU': 0.1}")
        for name, amount in self.resources.items():
            if isinstance(amount, bool) or not isinstance(amount, int | float):
                raise ConfigError(f"Ray.resources[{name!r}] must be a number, not {amount!r}")
            if not (amount > 0 and math.isfinite(amount)):
                raise ConfigError(f"Ray.resources[{name!r}] must be more than 0, not {amount!r}")
        if not self.timeout > 0:
            raise ConfigError(f"Ray.timeout must be seconds, more than 0, not {self.timeout!r}")
        if not self.lease >= SHORTEST_LEASE:
            raise ConfigError(
                f"Ray.lease must be seconds, {SHORTEST_LEASE:g} or more, not {self.lease!r}"
            )
        if self.working_dir is not None and not Path(self.working_dir).is_dir():
            raise ConfigError(f"Ray.working_dir must be a folder, not {str(self.working_dir)!r}")
        object.__setattr__(self, "packages", tuple(self.packages))
        object.__setattr__(self, "resources", dict(self.resources))
