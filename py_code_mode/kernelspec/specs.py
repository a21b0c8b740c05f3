"""Kernelspecs: by one of these JupyterLab, VS Code and others know that there is our kernel.

Place in the house: inside ``kernelspec``, beside ``host``, whose program a kernelspec names.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from packaging.version import Version

from py_code_mode.errors import ConfigError
from py_code_mode.project import PROJECT_FILE

__all__ = ["NAME", "Kernelspec", "installed", "kernelspec", "remove", "write"]

NAME = "py-code-mode"

_MODULE = "py_code_mode.kernelspec"

CURVE_SINCE = Version("7.3")
"""ipykernel that speaks CurveZMQ."""


@dataclass(frozen=True, slots=True)
class Kernelspec:
    """A kernelspec of ours that is installed.

    Attributes:
        name: Its name, as ``jupyter console --kernel`` takes it.
        directory: Where it lies.
        display_name: What people see.
        python: The interpreter that runs the host.
        words: Words of the host's command line.
    """

    name: str
    directory: str
    display_name: str
    python: str
    words: tuple[str, ...] = ()


def kernelspec(words: list[str], display_name: str = NAME) -> dict[str, Any]:
    """Return a kernelspec as its ``kernel.json`` has it.

    Args:
        words: For the host: those of ``add_project_arguments``.
        display_name: What people see.
    """
    # -P: a notebook's folder is not where Python should look for our modules.
    argv = [sys.executable, "-P", "-m", _MODULE, "-f", "{connection_file}", *words]
    return {
        "argv": argv,
        "display_name": display_name,
        "language": "python",
        "interrupt_mode": "message",
        "metadata": {"debugger": True, **_encryption()},
    }


def _encryption() -> dict[str, list[str]]:
    """Say that messages can be encrypted, where the kernel can: front ends may insist on it."""
    can = Version(version("ipykernel")) >= CURVE_SINCE
    return {"supported_encryption": ["curve"]} if can else {}


def write(
    name: str = NAME,
    *,
    prefix: str | Path | None = None,
    display_name: str | None = None,
    project: str | Path | None = None,
) -> Kernelspec:
    """Install a kernelspec; one of ours that has the name is replaced.

    Args:
        name: Its name: letters, digits and ``-._``.
        prefix: Where to; None: for this user.
        display_name: What people see; None: the name.
        project: Folder whose file of settings counts; None: that of each notebook's folder.

    Raises:
        ConfigError: It cannot be written there, the name is none or another kernel's, or the
            project has no file.
    """
    words = [] if project is None else ["--project", str(_project(Path(project)))]
    manager = KernelSpecManager()
    target = Path(manager._get_destination_dir(name.lower(), prefix is None, _text(prefix)))
    if target.is_dir() and _read(target.name, target) is None:
        raise ConfigError("a kernel of this name is there, and is not of py-code-mode", file=target)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "spec")
        source.mkdir()
        spec = kernelspec(words, display_name or name)
        (source / "kernel.json").write_text(json.dumps(spec, indent=1) + "\n")
        shutil.copyfile(Path(__file__).with_name("logo-svg.svg"), source / "logo-svg.svg")
        try:
            directory = manager.install_kernel_spec(
                str(source), name, user=prefix is None, prefix=_text(prefix)
            )
        except (OSError, ValueError) as error:
            raise ConfigError(f"the kernelspec cannot be installed: {error}") from error
    return _of(name.lower(), directory, spec)


def installed() -> list[Kernelspec]:
    """Return the kernelspecs of ours that Jupyter finds here, by name."""
    specs = KernelSpecManager(ensure_native_kernel=False).find_kernel_specs()
    ours = (_read(name, Path(directory)) for name, directory in sorted(specs.items()))
    return [each for each in ours if each is not None]


def remove(name: str = NAME) -> Kernelspec:
    """Remove a kernelspec of ours.

    Raises:
        ConfigError: There is none of this name, or it cannot be removed.
    """
    spec = next((each for each in installed() if each.name == name.lower()), None)
    if spec is None:
        known = ", ".join(each.name for each in installed()) or "none"
        raise ConfigError(f"there is no kernelspec of ours named {name!r}; there is {known}")
    try:
        shutil.rmtree(spec.directory)
    except OSError as error:
        raise ConfigError(f"cannot be removed: {error}", file=spec.directory) from error
    return spec


def _text(prefix: str | Path | None) -> str | None:
    return None if prefix is None else str(prefix)


def _project(folder: Path) -> Path:
    if not (folder / PROJECT_FILE).is_file():
        raise ConfigError(f"there is no {PROJECT_FILE} in this folder", file=folder)
    return folder.absolute()


def _read(name: str, directory: Path) -> Kernelspec | None:
    """Read a kernelspec; None if it is not ours."""
    try:
        spec = json.loads((directory / "kernel.json").read_text("utf-8"))
        return _of(name, str(directory), spec) if _MODULE in spec["argv"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _of(name: str, directory: str, spec: dict[str, Any]) -> Kernelspec:
    argv = [str(word) for word in spec["argv"]]
    words = argv[argv.index("{connection_file}") + 1 :] if "{connection_file}" in argv else []
    return Kernelspec(name, directory, str(spec.get("display_name", name)), argv[0], tuple(words))
