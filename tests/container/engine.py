"""Podman or docker, whichever runs containers on this machine, and our image built with it.

``python -m tests.container.engine`` builds the image, and first its base image where there is no
registry to pull it from: `make image` does, so that the tests need not wait for it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import CI, ROOT

DOCKERFILE = ROOT / "docker" / "Dockerfile.tools"
IMAGE = "py-code-mode-tools:test"

# For podman as root where there is no systemd, nor the right to raise limits: in a sandbox.
_BARE = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"""


ENGINES = ("podman", "docker")


class Unusable(Exception):
    """Containers cannot be run here, and why."""


class BuildFailed(Unusable):
    """The engine works, and our image could not be built."""


@dataclass(frozen=True)
class Engine:
    """A program that builds and runs containers.

    Attributes:
        program: ``podman`` or ``docker``.
        settings: Environment variables it needs here.
    """

    program: str
    settings: dict[str, str]

    def __call__(self, *words: str, timeout: float = 60, check: bool = True) -> str:
        """Run a command of it, and return what it printed."""
        done = subprocess.run(
            [self.program, *words],
            cwd=ROOT,
            env={**os.environ, **self.settings},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            raise Unusable(f"{self.program} {words[0]}: {done.stderr.strip()[-2000:]}")
        return done.stdout.strip()

    def inspect(self, name: str) -> dict[str, Any] | None:
        """Return what is known about an image or a container; None if there is none."""
        printed = self("inspect", name, check=False)
        return json.loads(printed)[0] if printed not in ("", "[]") else None


def base_name() -> str:
    """The base image that the Dockerfile asks for."""
    return re.search(r"^ARG BASE=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)[1]


def find_engine(*, fetch: bool = False) -> Engine:
    """Return an engine that runs the base image.

    Args:
        fetch: Get the base image if it is not there: that takes minutes.

    Raises:
        Unusable: There is none, or it does not work here.
    """
    reasons = []
    for program in filter(shutil.which, ENGINES):
        try:
            engine = Engine(program, {})
            if engine.inspect(base_name()) is None:
                _get_base(engine, fetch=fetch)
            return _working(engine)
        except Unusable as error:
            reasons.append(str(error))
    raise Unusable("; ".join(reasons) or "neither podman nor docker is installed")


def _working(engine: Engine) -> Engine:
    """Return the engine as it runs containers here: as it is, or with plain settings."""
    bare = Path(tempfile.gettempdir(), f"pcm-containers-{os.getuid()}.conf")
    bare.write_text(_BARE)
    try:
        engine("run", "--rm", base_name(), "true")
    except Unusable:
        if engine.program != "podman" or "CONTAINERS_CONF" in os.environ:
            raise
        engine = Engine(engine.program, {"CONTAINERS_CONF": str(bare)})
        engine("run", "--rm", base_name(), "true")
    return engine


def _get_base(engine: Engine, *, fetch: bool) -> None:
    if not fetch:
        raise Unusable(f"{engine.program} has no {base_name()}: make image gets it")
    try:
        engine("pull", base_name(), timeout=300)
    except (Unusable, subprocess.TimeoutExpired):
        able = engine.program == "podman" and os.getuid() == 0 and shutil.which("debootstrap")
        if not able:
            raise
        print("==> no registry, so the base image is made of Debian's packages", flush=True)
        script = ["sh", str(ROOT / "docker" / "base-image.sh"), base_name()]
        made = subprocess.run(script, capture_output=True, text=True, timeout=900, check=False)
        if made.returncode != 0:
            raise Unusable(f"base-image.sh: {made.stderr.strip()[-1000:]}") from None


def build(engine: Engine, *, timeout: float = 900) -> str:
    """Build the image, unless it is there and made of the files as they are; return its name."""
    digest = _digest()
    known = engine.inspect(IMAGE)
    if known is None or (known["Config"].get("Labels") or {}).get("sources") != digest:
        words = ["build", "-f", str(DOCKERFILE.relative_to(ROOT)), "-t", IMAGE]
        words += ["--label", f"sources={digest}"]
        if engine.program == "podman":
            # Only Docker's form of images has health checks.
            words += ["--format", "docker", *_certificates()]
        print(f"==> building the image {IMAGE} (minutes the first time)", flush=True)
        try:
            engine(*words, ".", timeout=timeout)
        except (Unusable, subprocess.TimeoutExpired) as error:
            raise BuildFailed(str(error)) from None
        if known is not None:  # it lost its name to the new one, and would only take room
            engine("rmi", known["Id"], check=False)
    return IMAGE


def _certificates() -> Iterator[str]:
    """Options that let pip in the build trust whom it is told to trust on this machine."""
    bundle = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    if bundle:
        inside = "/etc/ssl/certs/ca-certificates.crt"  # it is there, so no trace of it stays
        yield from ("--volume", f"{bundle}:{inside}:ro", "--build-arg", f"PIP_CERT={inside}")


def _digest() -> str:
    """The digest of all that .dockerignore lets into a build, and of how it is built."""
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = [ROOT / line.removeprefix("!") for line in ignored if line.startswith("!")]
    files = {DOCKERFILE}
    for path in allowed:
        files.update([path] if path.is_file() else path.rglob("*"))
    digest = hashlib.sha256()
    for file in sorted(files):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Container:
    """A container that runs.

    Attributes:
        engine: Who runs it.
        name: Its name.
        url: Where its server answers.
    """

    engine: Engine
    name: str
    url: str

    def logs(self) -> str:
        """What it has printed, on both of its streams."""
        done = subprocess.run(
            [self.engine.program, "logs", self.name],
            env={**os.environ, **self.engine.settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=30,
            check=True,
        )
        return done.stdout


@contextmanager
def running(engine: Engine, *options: str) -> Iterator[Container]:
    """Run the image until the block ends; begin when its server answers."""
    name = f"pcm-test-{uuid.uuid4().hex[:8]}"
    engine("run", "--detach", "--name", name, *options, IMAGE)
    try:
        port = engine("port", name, "8080/tcp").splitlines()[0].rpartition(":")[2]
        container = Container(engine, name, f"http://localhost:{port}")
        _wait(container)
        yield container
    finally:
        engine("rm", "--force", "--volumes", name, check=False)


def _wait(container: Container) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"{container.url}/health", timeout=2):
                return
        except (OSError, urllib.error.URLError) as error:
            if time.monotonic() > deadline:
                raise AssertionError(f"{error}\n{container.logs()}") from error
        time.sleep(0.05)


if __name__ == "__main__":
    try:
        build(find_engine(fetch=True))
    except Unusable as error:
        print(f"==> no image, so its tests are skipped: {error}")
        sys.exit(CI and isinstance(error, BuildFailed))
