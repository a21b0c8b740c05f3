"""The programs that fill an environment: uv, or pip, with the settings each finds by itself.

Place in the house: inside ``environments``, above ``running``. Indexes, proxies and credentials
are theirs: ``pip.conf``, ``uv.toml`` and their environment variables count as they do in a
terminal. What would lead an installation elsewhere than into the environment is taken away.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from py_code_mode.environments.running import Runner
from py_code_mode.environments.spec import KERNEL, Spec
from py_code_mode.errors import ConfigError
from py_code_mode.packages import Installer

__all__ = ["find_installer", "find_uv", "install"]

_MISLEADING = {
    *("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONDONTWRITEBYTECODE"),
    *("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_PYTHON", "PIP_EDITABLE"),
    *("PIP_REQUIREMENT", "PIP_REQUIRE_VIRTUALENV", "PIP_NO_DEPS", "PIP_DRY_RUN", "PIP_REPORT"),
    *("UV_SYSTEM_PYTHON", "UV_BREAK_SYSTEM_PACKAGES", "UV_PYTHON", "UV_PROJECT_ENVIRONMENT"),
    *("UV_LINK_MODE", "UV_COMPILE_BYTECODE", "UV_NO_BINARY", "UV_NO_BINARY_PACKAGE"),
}
"""Variables that say where else to install, or what else."""


def find_uv() -> str | None:
    """Return uv: beside this interpreter, where `pip install uv` puts it, or on the path."""
    beside = Path(sys.executable).parent / "uv"
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("uv")


def find_installer(wanted: Installer) -> Installer:
    """Say who will install.

    Raises:
        ConfigError: uv is wanted, and is not installed.
    """
    uv = find_uv()
    if wanted == "uv" and uv is None:
        raise ConfigError("uv is not installed; `pip install uv` brings it", key="installer")
    return wanted if wanted != "auto" else "uv" if uv else "pip"


@dataclass(frozen=True, slots=True)
class _Target:
    """Where to, and with what.

    Attributes:
        directory: The environment.
        requirements: The file of requirements.
        constraints: The file of constraints.
    """

    directory: Path
    requirements: Path
    constraints: Path

    @property
    def python(self) -> str:
        return str(self.directory / "bin" / "python")

    @property
    def files(self) -> list[str]:
        bounds = ["-c", str(self.constraints)] if self.constraints.stat().st_size else []
        return ["-r", str(self.requirements), *bounds]


def install(spec: Spec, installer: Installer, directory: Path, runner: Runner) -> None:
    """Make a virtual environment and fill it; bytecode is compiled, nothing of it is run.

    Args:
        spec: What is to be in it.
        installer: ``"uv"`` or ``"pip"``.
        directory: Where; it exists and is empty.
        runner: Runs the programs.

    Raises:
        InstallFailed: A program failed.
        Stopped: Nobody waits any more.
    """
    env = _environment(os.environ)
    base = spec.interpreter.executable
    runner.run([base, "-I", "-m", "venv", "--without-pip", str(directory)], env, directory)
    target = _Target(directory, directory / "requirements.txt", directory / "constraints.txt")
    _write(target.requirements, (KERNEL, *spec.requirements))
    _write(target.constraints, spec.constraints)
    packages = [str(path) for path in directory.glob("lib/python*/site-packages")]
    guard = Path(packages[0], "_only_pip.pth")
    try:
        command = _uv(target) if installer == "uv" else [*_pip(target, base, env, runner)]
        if not spec.sources:
            command += ["--only-binary", ":all:"]
        if not spec.sources and installer == "pip":
            guard.write_text(_ONLY_PIP)
        runner.run(command, env, directory)
    finally:  # URLs may hold credentials, and kernels read the environment
        target.requirements.unlink()
        target.constraints.unlink()
        guard.unlink(missing_ok=True)
        shutil.rmtree(directory / _PIPS_OWN, ignore_errors=True)
    # The base interpreter compiles: the environment's own would run what it has just been given
    # (.pth files), before anybody has looked at what that is.
    compile_all = [base, "-I", "-m", "compileall", "-qq", "-j", "0", *packages]
    # What does not compile (templates, code for other versions) is not what anybody imports.
    runner.run(compile_all, env, directory, check=False)


_PIPS_OWN = ".pip"

_WHEELS_ALONE = "py-code-mode: only wheels are installed; no build script was run\n"
_ONLY_PIP = (
    "import os, sys; any(a.endswith('__pip-runner__.py') for a in sys.orig_argv[1:4]) or "
    f"(os.write(2, {_WHEELS_ALONE.encode()!r}), os._exit(1))\n"
)
"""Stands in the environment while wheels alone are installed, and is run by its interpreter as
that starts: which then runs pip, and no build script. ``--only-binary`` is not enough: with it
pip still builds what a wheel names by URL as its dependency. uv refuses such dependencies."""


def _uv(target: _Target) -> list[str]:
    uv = find_uv()
    assert uv is not None
    return [
        *(uv, "pip", "install", "--python", target.python, *target.files),
        # Links into uv's cache would let kernels change what all other environments hold.
        *("--link-mode", "copy", "--no-progress", "--color", "never", "--no-python-downloads"),
    ]


def _pip(target: _Target, base: str, env: Mapping[str, str], runner: Runner) -> list[str]:
    program = [sys.executable, "-m", "pip"]
    if importlib.util.find_spec("pip") is None:
        # One of its own, for this once: kernels are given no pip.
        own = target.directory / _PIPS_OWN
        runner.run([base, "-I", "-m", "venv", str(own)], env, target.directory)
        program = [str(own / "bin" / "python"), "-m", "pip"]
    return [
        *(*program, "--python", target.python, "install", *target.files),
        *("--no-input", "--no-user", "--no-compile", "--no-warn-script-location"),
        *("--progress-bar", "off", "--disable-pip-version-check"),
    ]


def _write(file: Path, lines: tuple[str, ...]) -> None:
    file.touch(mode=0o600)
    file.write_text("".join(f"{line}\n" for line in lines))


def _environment(host: Mapping[str, str]) -> dict[str, str]:
    # The installer is the host's own program: it needs the host's proxies and credentials.
    return {name: value for name, value in host.items() if name not in _MISLEADING}
