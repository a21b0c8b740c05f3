"""Tiny packages, made on the spot: wheels by hand, and a source distribution that tells on itself."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"

BACKEND = """\
import os, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    with open(os.environ["PCM_TOLD"], "a") as told:
        told.write("built")
    name = "pcm_source-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as wheel:
        for file, text in FILES.items():
            wheel.writestr(file, text)
    return name
"""
"""A build script: it writes to a file of the host when it runs."""


def files_of(
    name: str, version: str, *, needs: tuple[str, ...] = (), **more: str
) -> dict[str, str]:
    """What is in the wheel of a package with one module.

    Args:
        name: Its name, an identifier.
        version: Its version.
        needs: Its ``Requires-Dist`` lines.
        more: Text of further files of its metadata.
    """
    info = f"{name}-{version}.dist-info"
    extras = {line.split("extra == ")[1].strip("'") for line in needs if "extra == " in line}
    metadata = [
        *("Metadata-Version: 2.1", f"Name: {name.replace('_', '-')}", f"Version: {version}"),
        *(f"Requires-Dist: {line}" for line in needs),
        *(f"Provides-Extra: {extra}" for extra in sorted(extras)),
    ]
    files = {
        f"{name}.py": f"VERSION = {version!r}\n\ndef main():\n    print({name!r}, VERSION)\n",
        f"{info}/METADATA": "\n".join([*metadata, ""]),
        f"{info}/WHEEL": WHEEL,
        **{f"{info}/{file}": text for file, text in more.items()},
    }
    record = "".join(f"{file},{_hash(text)},{len(text)}\n" for file, text in files.items())
    return {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def write_wheel(folder: Path, files: Mapping[str, str]) -> Path:
    """Write a wheel of these files."""
    info = next(name for name in files if name.endswith("/METADATA")).partition(".dist-info")[0]
    path = folder / f"{info}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return path


def write_sdist(folder: Path) -> Path:
    """Write ``pcm-source`` 1.0, which there is as source alone; building it needs no other."""
    files = files_of("pcm_source", "1.0")
    contents = {
        "PKG-INFO": files["pcm_source-1.0.dist-info/METADATA"],
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": f"FILES = {files!r}\n{BACKEND}",
    }
    path = folder / "pcm_source-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in contents.items():
            member = tarfile.TarInfo(f"pcm_source-1.0/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return path
