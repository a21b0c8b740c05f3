"""The example for Azure: its template, its script and its check, as far as they run elsewhere."""

from __future__ import annotations

import asyncio
import enum
import os
import re
import stat
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import azure.mgmt.appcontainers.models as azure_models
import pytest

from py_code_mode import CodeExecutor
from tests.bicep import UNKNOWN, Template
from tests.conftest import ROOT

EXAMPLE = ROOT / "examples" / "azure-container-apps"
MODELS = {
    "Microsoft.App/managedEnvironments": azure_models.ManagedEnvironment,
    "Microsoft.App/containerApps": azure_models.ContainerApp,
}
GIVEN = {
    "location": "westeurope",
    "registryName": "agents",
    "image": "agents.azurecr.io/agent-tools:1",
    "token": "t" * 64,
}


def problems(kind: Any, value: Any, where: str) -> Iterator[str]:
    """What of a value does not fit a type of Azure's own models."""
    inner = typing.get_args(kind)
    if value == UNKNOWN or kind is Any:
        return
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        yield from min(([*problems(each, value, where)] for each in _wanted(kind)), key=len)
    elif isinstance(kind, enum.EnumMeta):
        if value not in [each.value for each in kind]:
            yield f"{where}: {value!r} is none of {[each.value for each in kind]}"
    elif not isinstance(value, (int, float) if kind is float else _plain(kind)):
        yield f"{where}: {value!r} is no {kind}"
    elif inner:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in pairs:
            yield from problems(inner[-1], each, f"{where}[{key!r}]")
    elif isinstance(value, dict):
        yield from _problems_of_model(kind, value, where)


def _wanted(union: Any) -> list[Any]:
    """The types of a union; where there is a list of words beside ``str``, only that."""
    inner = [each for each in typing.get_args(union) if each is not type(None)]
    return [each for each in inner if isinstance(each, enum.EnumMeta)] or inner


def _plain(kind: Any) -> type:
    """The plain Python type of what a field takes; a model is sent as a dict."""
    origin = typing.get_origin(kind) or kind
    return dict if issubclass(origin, Mapping) else origin


def _problems_of_model(kind: Any, value: dict[str, Any], where: str) -> Iterator[str]:
    kind({})  # fields are known after the first use
    names = {field._rest_name: name for name, field in kind._attr_to_rest_field.items()}
    scope = vars(sys.modules[kind.__module__]) | {"_models": azure_models}
    hints = typing.get_type_hints(kind, scope)
    for key, each in value.items():
        if key not in names:
            yield f"{where}.{key}: {kind.__name__} has {sorted(names)}"
        else:
            yield from problems(hints[names[key]], each, f"{where}.{key}")


def template(**given: Any) -> Template:
    return Template(EXAMPLE / "main.bicep", GIVEN | given)


@pytest.mark.parametrize("redis_url", ["", "rediss://:key@redis.example:6380/0"])
def test_the_template_fits_azures_own_models(redis_url):
    """Every key and value of the app and its environment is one that Azure's SDK knows."""
    resources = template(redisUrl=redis_url).resources()
    assert {each.type for each in resources} >= set(MODELS)
    for each in resources:
        if each.type in MODELS:
            assert [*problems(MODELS[each.type], each.body, each.symbol)] == []


def test_the_check_of_the_template_finds_mistakes():
    """A misspelt key, a wrong word and a wrong type are each seen."""
    (app,) = [each for each in template().resources() if each.symbol == "app"]
    ingress = app.body["properties"]["configuration"]["ingress"]
    ingress |= {"targetport": 1, "transport": "carrier pigeon", "external": "yes"}
    found = "\n".join(problems(MODELS[app.type], app.body, "app"))
    assert "ingress.targetport: Ingress has" in found
    assert "'carrier pigeon' is none of" in found
    assert "'yes' is no <class 'bool'>" in found


def test_the_app_is_set_up_for_what_the_server_is():
    """Secrets are secrets, settings are the server's, and there is one replica, never two."""
    from py_code_mode.server.settings import ServerSettings

    parsed = template(redisUrl="rediss://x")
    for name in ("token", "redisUrl"):
        kinds = [each["type"] for each in parsed.parsed["parameters"][name]["decorators"]]
        assert "secure" in kinds
    (app,) = [each.body["properties"] for each in parsed.resources() if each.symbol == "app"]
    (container,) = app["template"]["containers"]
    secrets = {each["name"] for each in app["configuration"]["secrets"]}
    for variable in container["env"]:
        setting = variable["name"].removeprefix("PY_CODE_MODE_").lower()
        assert setting in ServerSettings.model_fields
        assert variable.get("secretRef", next(iter(secrets))) in secrets
    assert app["template"]["scale"] == {"minReplicas": 1, "maxReplicas": 1}
    assert app["configuration"]["ingress"]["targetPort"] == 8080
    assert app["configuration"]["ingress"]["allowInsecure"] is False
    assert {probe["httpGet"]["path"] for probe in container["probes"]} == {"/health", "/ready"}


def test_the_parameters_are_those_of_the_template():
    """``main.bicepparam`` gives what has no default, secrets from the environment."""
    text = (EXAMPLE / "main.bicepparam").read_text()
    given = dict(re.findall(r"^param (\w+) = (.+)$", text, flags=re.MULTILINE))
    declared = template().parsed["parameters"]
    assert set(given) <= set(declared)
    needed = {name for name, each in declared.items() if each.get("default") is None}
    assert needed - {"location"} <= set(given)
    assert all(value.startswith("readEnvironmentVariable(") for value in given.values())


@pytest.mark.needs("openssl")
async def test_the_script_builds_and_deploys_in_order(tmp_path):
    """It asks for group, registry, both images and the app; no secret is on a command line."""
    log = tmp_path / "log"
    az = tmp_path / "az"
    az.write_text(
        f'#!/bin/sh\necho "$@" >> {log}\necho "$1:$PY_CODE_MODE_TOKEN:$IMAGE" >> {log}.env\n'
        '[ "$1" != deployment ] || echo https://app.example\n'
    )
    az.chmod(az.stat().st_mode | stat.S_IXUSR)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PY_CODE_MODE_")}
    script = await asyncio.create_subprocess_exec(
        *("sh", str(EXAMPLE / "deploy.sh"), "group", "agents", "northeurope"),
        env={**clean, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(script.communicate(), 30)
    assert script.returncode == 0, err.decode()
    said = dict(re.findall(r"^export (\w+)=(.+)$", out.decode(), flags=re.MULTILINE))
    assert said["SESSION_URL"] == "https://app.example"
    assert re.fullmatch(r"[0-9a-f]{64}", said["SESSION_TOKEN"])
    asked = log.read_text().splitlines()
    assert [" ".join(line.split()[:2]) for line in asked] == [
        "group create",
        "acr create",
        "acr build",
        "acr build",
        "deployment group",
    ]
    assert said["SESSION_TOKEN"] not in log.read_text()
    last = Path(f"{log}.env").read_text().splitlines()[-1]
    assert re.fullmatch(
        rf"deployment:{said['SESSION_TOKEN']}:agents\.azurecr\.io/agent-tools:\d+", last
    )
    files = [word for line in asked for word in line.split() if word.startswith(str(ROOT))]
    assert [path for path in files if not Path(path).exists()] == []


async def test_the_check_runs_a_cell_on_a_server(session_server):
    """It tells what the server has; a wrong token is one line and exit code 1."""
    right, wrong, none = await asyncio.gather(
        check(SESSION_URL=session_server, SESSION_TOKEN="secret"),
        check(SESSION_URL=session_server, SESSION_TOKEN="wrong"),
        check(),
    )
    assert (right[0], right[2]) == (0, "")
    assert right[1].endswith("['wc']\n")
    assert wrong[:2] == (1, "")
    assert wrong[2].startswith("NotAuthorized: ")
    assert len(wrong[2].splitlines()) == 1
    assert none[0] == 2


async def check(**environment: str) -> tuple[int | None, str, str]:
    """Run ``check.py``."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SESSION_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLE / "check.py")),
        env={**clean, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), err.decode()


async def test_the_tools_of_the_image_load():
    """No file is left out."""
    async with await CodeExecutor.create(tools=EXAMPLE / "tools") as executor:
        assert executor.problems == ()
        assert [tool.name for tool in executor.registry.list_tools()] == ["curl"]
