"""``Rules``: a policy written down as a list, in Python or YAML.

Place in the house: ``governance``, above ``globs``. The rules are looked at in their order and
the first that matches decides, as in a firewall.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, get_args

from py_code_mode.errors import ConfigError
from py_code_mode.governance.globs import Patterns, as_patterns, leaves, matches, text_of
from py_code_mode.policy import Action, Decision, OnToolCall, Policy
from py_code_mode.tools.names import clean_name
from py_code_mode.yamlfile import KeyPath, YamlFile, read_yaml

__all__ = ["Effect", "Rule", "Rules"]

Effect = Literal["allow", "ask", "deny"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What to do with actions that fit all of its conditions; without any, with every tool.

    Patterns are globs, one or several; a leading ``!`` excludes (see ``globs``).

    Attributes:
        effect: ``"allow"``, ``"ask"`` or ``"deny"``.
        tools: Patterns on the tool's exact name.
        tags: Patterns on its tags: one tag must match, and none be excluded.
        arguments: Patterns on values, by argument name. A value is compared as text; one that
            is not given matches nothing. Of a list or mapping, *one* item must match for
            ``ask`` and ``deny``, and *every* item for ``allow``.
        commands: Patterns on a shell command, for ``kind="shell"`` only.
        kind: ``"tool"`` or ``"shell"``.
        reason: Shown to the agent that is refused, and to whoever is asked.
    """

    effect: Effect
    tools: str | Sequence[str] = ()
    tags: str | Sequence[str] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    commands: str | Sequence[str] = ()
    kind: Literal["tool", "shell"] = "tool"
    reason: str = ""

    def __post_init__(self) -> None:
        if self.effect not in get_args(Effect):
            raise ConfigError("must be allow, ask or deny", key="effect")
        if self.kind not in ("tool", "shell"):
            raise ConfigError("must be tool or shell", key="kind")
        for name in ("tools", "tags", "commands"):
            object.__setattr__(self, name, as_patterns(getattr(self, name)))
        arguments = {
            name: as_patterns(map(text_of, [wanted] if _is_one(wanted) else wanted))
            for name, wanted in self.arguments.items()
        }
        object.__setattr__(self, "arguments", arguments)
        if self.kind == "shell":
            for name in ("tools", "tags", "arguments"):
                if getattr(self, name):
                    raise ConfigError("is for tools; a shell rule has 'commands'", key=name)
        elif self.commands:
            raise ConfigError("is for shell commands; add 'kind: shell'", key="commands")

    def fits(self, action: Action) -> bool:
        """Tell whether an action meets all conditions."""
        if action.kind != self.kind:
            return False
        if self.kind == "shell":
            command = str(action.arguments.get("command", "")).strip()
            return not self.commands or matches(_patterns(self.commands), command)
        return (
            (not self.tools or matches(_patterns(self.tools), action.name))
            and (not self.tags or _fit_tags(_patterns(self.tags), action.tags))
            and all(
                self._fits_value(patterns, _given(action.arguments, name))
                for name, patterns in self.arguments.items()
            )
        )

    def _fits_value(self, patterns: Patterns, given: list[Any]) -> bool:
        found = [matches(patterns, text_of(value)) for value in leaves(given)]
        # What is allowed must be harmless in all its parts, what is refused harmful in one.
        return bool(found) and (all(found) if self.effect == "allow" else any(found))


def _is_one(wanted: Any) -> bool:
    return isinstance(wanted, str | bool | int | float)


def _patterns(patterns: str | Sequence[str]) -> Patterns:
    assert isinstance(patterns, tuple)  # __post_init__ saw to it
    return patterns


def _fit_tags(patterns: Patterns, tags: Iterable[str]) -> bool:
    excluded = tuple(pattern[1:] for pattern in patterns if pattern.startswith("!"))
    if any(matches(excluded, tag) for tag in tags):
        return False
    wanted = tuple(pattern for pattern in patterns if not pattern.startswith("!"))
    return not wanted or any(matches(wanted, tag) for tag in tags)


def _given(arguments: Mapping[str, Any], name: str) -> list[Any]:
    """Values of an argument, by its exact name and by the one it has in Python."""
    clean = clean_name(name)
    return [
        value for key, value in arguments.items() if key == name or clean_name(str(key)) == clean
    ]


class Rules(Policy):
    """A policy out of rules: the first that fits decides.

    Args:
        rules: The rules, in their order.
        default: What happens to an action that none fits: tools and shell commands alike.
        approve: Is asked what ``ask`` rules are about, instead of ``on_tool_call``. Only True,
            or a ``Decision`` that allows, is a yes.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        *,
        default: Effect = "allow",
        approve: OnToolCall | None = None,
    ) -> None:
        if default not in get_args(Effect):
            raise ConfigError("must be allow, ask or deny", key="default")
        self.rules = tuple(rules)
        self.default: Effect = default
        self.approve = approve

    @classmethod
    def from_yaml(cls, path: str | Path, *, approve: OnToolCall | None = None) -> Self:
        """Read rules from a file that has the keys ``rules`` and ``default``.

        Raises:
            ConfigError: The file is wrong; the message names file, line and key.
        """
        return cls._read(read_yaml(Path(path)), approve)

    @classmethod
    def from_data(
        cls,
        rules: Sequence[Mapping[str, Any]],
        *,
        default: Effect = "allow",
        approve: OnToolCall | None = None,
    ) -> Self:
        """Make rules of plain data, each a mapping as in YAML.

        Raises:
            ConfigError: It is wrong; the message names the key, e.g. ``rules.0.effect``.
        """
        data = {"rules": list(rules), "default": default}
        try:
            return cls._read(YamlFile(Path(), data, dict.fromkeys(_keys(data), 0)), approve)
        except ConfigError as error:
            raise ConfigError(error.reason.replace("line 0: ", ""), key=error.key) from None

    @classmethod
    def _read(cls, file: YamlFile, approve: OnToolCall | None) -> Self:
        from py_code_mode.governance.rulefile import RuleFile
        from py_code_mode.yamlcheck import validate

        read = validate(file, RuleFile)
        rules = []
        for index, entry in enumerate(read.rules):
            try:
                rules.append(Rule(**entry.model_dump()))
            except ConfigError as error:
                key: KeyPath = ("rules", index, error.key) if error.key else ("rules", index)
                raise file.error(error.reason, key) from None
        return cls(rules, default=read.default, approve=approve)

    async def decide(self, action: Action) -> Decision:
        """Return what the first rule that fits says."""
        rule = next((rule for rule in self.rules if rule.fits(action)), None)
        effect, reason = (self.default, "") if rule is None else (rule.effect, rule.reason)
        decision = Decision(effect == "allow", reason, ask=effect == "ask")
        if not decision.ask or self.approve is None:
            return decision
        asked = dataclasses.replace(action, needs_approval=True, reason=reason)
        answer = await self.approve(asked)
        if isinstance(answer, Decision):
            return answer
        return Decision(answer is True, "" if answer is True else reason or "it was not approved")


def _keys(data: Any, key: KeyPath = ()) -> list[KeyPath]:
    """All keys and indexes there are in plain data."""
    found = [key]
    if isinstance(data, Mapping):
        for name, value in data.items():
            found += _keys(value, (*key, name))
    elif isinstance(data, list | tuple):
        for index, value in enumerate(data):
            found += _keys(value, (*key, index))
    return found
