"""The bootstrap stands alone: standard library only, and it runs as a zip of itself."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import kernel_bootstrap

PACKAGE = Path(kernel_bootstrap.__file__).parent
WIRE = sorted(path.stem for path in (PACKAGE / "wire").glob("*.py") if path.stem != "__init__")
OUTSIDE = ("ipykernel", "IPython", "jupyter_client", "zmq", "traitlets", "tornado")

PROGRAM = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    importlib.import_module("kernel_bootstrap." + name)
import kernel_bootstrap
tops = {name.partition(".")[0] for name in sys.modules}
known = sys.stdlib_module_names | {"__main__", "kernel_bootstrap"}
# the standard library's own, named after the platform
foreign = [name for name in sorted(tops - known) if not name.startswith("_sysconfigdata")]
print(json.dumps({"foreign": foreign, "file": kernel_bootstrap.__file__}))
"""


@pytest.fixture
def archive(tmp_path):
    """The package as a zip of itself."""
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("__main__.py", "from kernel_bootstrap.__main__ import main\nmain()\n")
        for source in PACKAGE.rglob("*.py"):
            bundle.write(source, f"kernel_bootstrap/{source.relative_to(PACKAGE)}")
    return path


@pytest.mark.parametrize("how", ["folder", "zip"])
def test_everything_but_the_kernel_is_standard_library(archive, how):
    """In a bare interpreter all but ``kernel`` imports, and brings in nothing from outside."""
    place = archive if how == "zip" else PACKAGE.parent
    names = [f"wire.{name}" for name in WIRE]
    names += ["catalogue", "describing", "mapping", "progress"]
    names += ["link", "functions", "namespaces", "skills", "cells", "threads", "values"]
    done = subprocess.run(
        # -I: no environment and no working directory; -S: no site-packages at all
        [sys.executable, "-I", "-S", "-c", PROGRAM, str(place), *names],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["foreign"] == []
    assert told["file"].startswith(str(place))


def test_the_zip_starts_a_kernel_program(archive):
    """``python -I bundle.zip`` reaches the kernel's own command line."""
    done = subprocess.run(
        [sys.executable, "-I", str(archive), "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_bare_interpreter_has_no_kernel():
    """The interpreter of these tests is really bare: what ipykernel brings is not there."""
    program = f"import importlib.util as u; print([n for n in {OUTSIDE!r} if u.find_spec(n)])"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_the_errors_are_importable_from_the_package():
    """``from kernel_bootstrap import ToolError`` gives the classes that are raised."""
    from kernel_bootstrap.wire import errors

    for name in kernel_bootstrap.__all__:
        assert getattr(kernel_bootstrap, name) is getattr(errors, name)
    assert kernel_bootstrap.__all__ == sorted(kernel_bootstrap.__all__)
