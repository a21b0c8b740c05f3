"""Reads a Bicep file into the resources it deploys, for given parameters.

pycep parses; this resolves what a template of ours uses: parameters, variables, ``concat``,
conditions and loops over nothing. What only Azure knows becomes ``UNKNOWN``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycep import BicepParser

_BICEPS_OWN = {"scope", "dependsOn"}

UNKNOWN = "(known to Azure)"


@dataclass(frozen=True)
class Resource:
    """A resource as it is deployed.

    Attributes:
        symbol: Its name in the file.
        type: E.g. ``Microsoft.App/containerApps``.
        version: The version of the API.
        is_existing: It is only referred to.
        body: What is sent.
    """

    symbol: str
    type: str
    version: str
    is_existing: bool
    body: dict[str, Any]


class Template:
    """A parsed file.

    Args:
        path: The file.
        parameters: Values of parameters; the others have their defaults.
    """

    def __init__(self, path: Path, parameters: Mapping[str, Any]) -> None:
        self.parsed = BicepParser().parse(text=path.read_text())
        self.parameters = {
            name: parameters.get(name, param.get("default", UNKNOWN))
            for name, param in self.parsed["parameters"].items()
        }
        assert set(parameters) <= set(self.parameters)
        self.variables = {
            name: each["value"] for name, each in self.parsed.get("variables", {}).items()
        }

    def resources(self) -> list[Resource]:
        return [
            Resource(
                symbol,
                each["type"],
                each["api_version"],
                each["existing"],
                {k: v for k, v in self.resolve(each["config"]).items() if k not in _BICEPS_OWN},
            )
            for symbol, each in self.parsed["resources"].items()
        ]

    def resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.resolve(each) for each in value]
        if isinstance(value, str):
            if value in self.parameters:
                return self.parameters[value]
            if value in self.variables:
                return self.variables[value]
            return re.sub(r"\$\{(\w+)\}", lambda found: str(self.parameters[found[1]]), value)
        if not isinstance(value, dict):
            return value
        if "function" in value:
            return self._call(value["function"])
        if "operator" in value:
            return self._operate(value["operator"])
        return {key.strip("'"): self.resolve(each) for key, each in value.items()}

    def _call(self, function: dict[str, Any]) -> Any:
        arguments = [self.resolve(each) for each in function["parameters"].values()]
        match function["type"]:
            case "concat":
                return [each for part in arguments for each in part]
            case "empty":
                return not arguments[0]
            case "string":
                return str(arguments[0])
            case "json":
                return float(arguments[0])
            case _:
                return UNKNOWN

    def _operate(self, operator: dict[str, Any]) -> Any:
        operands = operator["operands"]
        if operator["type"] == "conditional":
            branch = "true_value" if self.resolve(operands["condition"]) else "false_value"
            return self.resolve(operands[branch])
        if operator["type"] == "index_accessor":
            whole, index = (self.resolve(each) for each in operands.values())
            return {key.strip("'"): each for key, each in whole.items()}[index]
        return UNKNOWN
