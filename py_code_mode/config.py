"""How a session's kernel is started and bounded.

Place in the house: values layer; small frozen objects, so that constructors stay short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kernel_bootstrap.wire.limits import Limits
from py_code_mode.errors import ConfigError
from py_code_mode.packages import PackagePolicy, check_packages
from py_code_mode.placement import Ray
from py_code_mode.sandbox import Sandbox

__all__ = ["FIGURE_FORMATS", "KernelConfig", "Limits", "Ray", "Sandbox"]

FIGURE_FORMATS = ("png", "retina", "svg", "jpeg", "pdf")
"""Those of IPython's inline backend."""


@dataclass(frozen=True, slots=True)
class KernelConfig:
    """Where and how kernels run.

    Attributes:
        python: Interpreter of the kernel; it needs only ipykernel, and with ``packages`` not
            even that. None: this process's own.
        cwd: Working directory of the code. None: this process's own.
        env: Environment variables added to the small allow-list a kernel gets.
        pass_env: Names of further variables to copy from this process's environment.
        provisioner: Name of the jupyter_client provisioner (an entry point) that launches it.
            None: ``py-code-mode-template`` on Linux, where kernels are forked from a process
            that has imported everything, else ``py-code-mode-local``.
        preload: Modules to import, and scripts (paths that end in ``.py``) to run in the
            session's namespace, before the code; a template does so once for all sessions.
        warm: Kernels kept ready ahead of the sessions that will need them, for each executor.
        start_timeout: Seconds a kernel may take to come up.
        answer_timeout: Seconds a kernel may take to answer what it is asked between cells.
        grace: Seconds an interrupted cell has to end before its kernel is killed.
        packages: Requirements (PEP 508) that kernels have, in an environment of their own: it
            stands on ``python``, is made when it is first needed, and kept.
        package_policy: What of that is allowed; without one nothing is.
        connection_file: What a Jupyter front end wrote for the kernel: its addresses and its key.
            The kernel takes them, runs cells only after ``frontend.begin``, and may be shut down
            by the front end. Only one kernel can have them. None: private ones.
        figure_format: How figures of matplotlib are shown: ``png``; ``retina``, which is PNG of
            twice as many pixels; ``svg``, ``jpeg`` or ``pdf``.
        sandbox: Bounds of what the code can reach and use, or the name of a level: ``auto``,
            ``landlock``, ``bwrap``, ``none``. Confined kernels have a working directory of their
            own, unless ``cwd`` names one.
        placement: On which cluster they run; then all paths are those of its nodes. None: on
            this machine.

    Raises:
        ConfigError: A requirement is none, or is not allowed; there is no such format or level;
            a connection file's kernel cannot be placed.
    """

    python: str | Path | None = None
    cwd: str | Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    pass_env: Sequence[str] = ()
    provisioner: str | None = None
    preload: Sequence[str] = ()
    warm: int = 0
    start_timeout: float = 60.0
    answer_timeout: float = 60.0
    grace: float = 2.0
    packages: Sequence[str] = ()
    package_policy: PackagePolicy | None = None
    connection_file: str | Path | None = None
    figure_format: str = "png"
    sandbox: Sandbox | str = "none"
    placement: Ray | None = None

    def __post_init__(self) -> None:
        if isinstance(self.preload, str):
            raise TypeError(f"KernelConfig.preload must be a sequence of names: [{self.preload!r}]")
        if self.figure_format not in FIGURE_FORMATS:
            known = ", ".join(FIGURE_FORMATS)
            raise ConfigError(
                f"KernelConfig.figure_format must be one of {known}, not {self.figure_format!r}"
            )
        if self.placement is not None and self.connection_file is not None:
            raise ConfigError(
                "KernelConfig: a kernel with a connection_file is at its front end's addresses, on "
                "this machine; leave placement out"
            )
        # Lists are what people write; a frozen object holds tuples.
        object.__setattr__(self, "sandbox", Sandbox.of(self.sandbox))
        object.__setattr__(self, "preload", tuple(self.preload))
        object.__setattr__(self, "pass_env", tuple(self.pass_env))
        object.__setattr__(self, "packages", check_packages(self.packages, self.package_policy))
