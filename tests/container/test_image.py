"""The container image: what is written down about it, and the real thing built and driven.

It is built and run where podman or docker runs containers and the base image can be had
(`make image` gets it, out of Debian's packages where there is no registry). Elsewhere the tests
that need it are skipped, with the reason.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import yaml

from py_code_mode.container import SessionClient
from py_code_mode.errors import NotAuthorized, SessionLost
from py_code_mode.events import Event, Finished, Printed
from py_code_mode.server.settings import ServerSettings
from tests.conftest import CI, ROOT
from tests.container.engine import (
    DOCKERFILE,
    ENGINES,
    IMAGE,
    BuildFailed,
    Container,
    Engine,
    Unusable,
    build,
    find_engine,
    running,
)

COMPOSE = ROOT / "docker" / "compose.yaml"
TOKEN = "for-a-test"
LOCKED = (
    *("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges", "--publish", "127.0.0.1::8080"),
)
SETTINGS = {f"PY_CODE_MODE_{name.upper()}" for name in ServerSettings.model_fields}


@pytest.fixture(scope="module")
def engine() -> Engine:
    """An engine that has our image."""
    try:
        found = find_engine()
        build(found)
    except Unusable as error:
        # What the machine lacks is no fault of ours; a file that does not build is, and so is an
        # engine that was not installed where everything is.
        if CI and (isinstance(error, BuildFailed) or not any(map(shutil.which, ENGINES))):
            raise
        pytest.skip(f"no containers here: {error}")
    return found


@pytest.fixture(scope="module")
def volumes(engine) -> Iterator[list[str]]:
    """Options that mount volumes of these tests' own."""
    names = {kind: f"pcm-test-{uuid.uuid4().hex[:8]}" for kind in ("artifacts", "state")}
    yield [f"--volume={name}:/workspace/{kind}" for kind, name in names.items()]
    engine("volume", "rm", *names.values(), check=False)


@pytest.fixture(scope="module")
def tools(tmp_path_factory) -> Path:
    """A directory of tools, readable as a person's own is."""
    folder = tmp_path_factory.mktemp("mounted") / "tools"
    folder.mkdir()
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(0o755)
    (folder / "curl.yaml").write_text("name: curl\nargs: '-s {url}'\ndescription: HTTP client\n")
    return folder


@pytest.fixture(scope="module")
def container(engine, volumes, tools) -> Iterator[Container]:
    """The image, locked down as far as it goes, with a token."""
    mounts = [*volumes, f"--volume={tools}:/workspace/tools:ro"]
    with running(engine, *LOCKED, *mounts, f"--env=PY_CODE_MODE_TOKEN={TOKEN}") as started:
        yield started


@pytest.fixture
async def client(container) -> AsyncIterator[SessionClient]:
    """A client of it."""
    async with SessionClient(container.url, token=TOKEN) as connected:
        yield connected


def test_all_settings_of_the_image_are_the_servers():
    """Each PY_CODE_MODE_ variable in the Dockerfile and in the compose file is a setting."""
    compose = yaml.safe_load(COMPOSE.read_text())["services"]["server"]["environment"]
    for names in (set(re.findall(r"PY_CODE_MODE_\w+", DOCKERFILE.read_text())), set(compose)):
        assert names
        assert names <= SETTINGS


def test_the_compose_file_is_locked_down():
    """It needs a token, publishes to this machine only, and builds the file that is there."""
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    server = services["server"]
    assert server["environment"]["PY_CODE_MODE_TOKEN"].startswith("${PY_CODE_MODE_TOKEN:?")
    assert all(port.startswith("127.0.0.1:") for port in server["ports"])
    assert "ports" not in services["redis"]
    assert server["read_only"]
    assert server["cap_drop"] == ["ALL"]
    assert (COMPOSE.parent / server["build"]["context"] / server["build"]["dockerfile"]).is_file()


def test_nothing_but_what_is_needed_gets_into_a_build():
    """.dockerignore lets in what the Dockerfile copies, and nothing else."""
    text = DOCKERFILE.read_text()
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
        for word in line.split()
    }
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == copied
    assert "*" in lines


@pytest.mark.timeout(600)
def test_the_image_is_lean_and_names_nobody(engine):
    """It runs as nobody special under tini, is below 600 MB, and keeps nothing of the build."""
    known = engine.inspect(IMAGE)
    config = known["Config"]
    assert config["User"] == "1000:1000"
    assert config["Entrypoint"][0] == "/usr/bin/tini"
    assert "Healthcheck" in known or "Healthcheck" in config
    assert known["Size"] < 600_000_000
    assert not [each for each in config["Env"] if each.startswith(("PIP_", "SSL_", "HTTP"))]
    words = "ls -A /src /root/.cache /var/lib/apt/lists /opt/py-code-mode/bin/pip 2>/dev/null; true"
    found = engine("run", "--rm", "--user", "0", "--entrypoint", "sh", IMAGE, "-c", words)
    assert found.replace("/var/lib/apt/lists:", "").strip() == ""


async def test_code_runs_in_the_container(client):
    """Code runs as a plain user, on a file system it cannot change but for /tmp."""
    code = "import os; open('scratch', 'w').write('x'); (os.getuid(), open('/proc/1/comm').read())"
    result = await client.execute(code)
    assert result.error is None
    assert result.value == (1000, "tini\n")
    for path in ("/etc/x", "/opt/py-code-mode/x", "/workspace/tools/x", "/workspace/x"):
        result = await client.execute(f"open({path!r}, 'w')")
        assert "OSError" in str(result.error) or "PermissionError" in str(result.error)


async def test_tools_come_from_the_mounted_directory(client):
    """A tool that is mounted runs a program of the image."""
    result = await client.execute("tools.curl(url='http://127.0.0.1:8080/health')")
    assert '"ok"' in result.value


async def test_a_token_is_asked_for(container):
    """With a token set, nobody does without."""
    with pytest.raises(NotAuthorized):
        async with SessionClient(container.url) as stranger:
            await stranger.execute("1")


def test_it_says_that_it_is_well(container):
    """The health check of the image passes, with a token set, too."""
    if container.engine.program == "podman":
        container.engine("healthcheck", "run", container.name)
    deadline = time.monotonic() + 40
    while _health(container) != "healthy":
        assert time.monotonic() < deadline
        time.sleep(0.5)


def _health(container: Container) -> str:
    state = container.engine.inspect(container.name)["State"]
    return (state.get("Health") or state.get("Healthcheck"))["Status"]


async def test_it_stops_at_once_and_keeps_what_is_to_be_kept(engine, volumes):
    """SIGTERM ends it in seconds, running cells and all; artifacts outlive it, sessions say so."""
    options = (*LOCKED, *volumes, f"--env=PY_CODE_MODE_TOKEN={TOKEN}")
    with running(engine, *options, "--env=PY_CODE_MODE_SHUTDOWN_SECONDS=1") as first:
        client = SessionClient(first.url, token=TOKEN, keep=True)
        await client.execute("artifacts.save('kept.json', {'a': [1, 2]})")
        lost = client.default.id
        stream = client.stream("print('on', flush=True)\nwhile True: pass", timeout=60)
        async for event in stream:
            if isinstance(event, Printed):
                break
        busy = asyncio.create_task(_last(stream))
        begun = time.monotonic()
        await asyncio.to_thread(engine, "stop", "--time", "30", first.name)
        took = time.monotonic() - begun
        state = engine.inspect(first.name)["State"]
        last = await busy
        await client.aclose()
        assert state["ExitCode"] == 0, first.logs()
        assert took < 12
        assert isinstance(last, Finished)
        assert last.result.error.name == "KeyboardInterrupt"
    with running(engine, *options) as second:
        async with SessionClient(second.url, token=TOKEN) as client:
            result = await client.execute("artifacts.load('kept.json')")
            assert result.value == {"a": [1, 2]}
        async with SessionClient(second.url, token=TOKEN, session=lost) as client:
            with pytest.raises(SessionLost):
                await client.execute("1")


async def _last(stream: AsyncIterator[Event]) -> Event:
    return [event async for event in stream][-1]


async def test_without_a_token_it_serves_its_machine_only(engine):
    """As the README starts it: this machine is served, other containers are not, and it warns."""
    with running(engine, "--publish", "8080") as container:
        assert "WARNING: no token is set" in container.logs()
        async with SessionClient(container.url) as client:
            assert (await client.execute("6 * 7")).value == 42
        known = engine.inspect(container.name)["NetworkSettings"]
        address = known["IPAddress"] or next(iter(known["Networks"].values()))["IPAddress"]
        if address:  # none without root: there, containers do not see each other at all
            ask = ["curl", "-s", "-H", "Host: localhost", f"http://{address}:8080/tools"]
            said = engine("run", "--rm", "--entrypoint", ask[0], IMAGE, *ask[1:])
            assert '"forbidden"' in said
