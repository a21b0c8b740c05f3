"""The settings of one command, worked out once, and a call's arguments made ready to run.

Place in the house: ``tools.cli``, between ``adapter`` above and ``params``, ``argv``, ``feed``
and ``parsing`` below.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from py_code_mode.errors import ConfigError, ToolCallError
from py_code_mode.tools.base import NO_DEFAULT, ToolInfo
from py_code_mode.tools.cli.argv import PLAIN_TYPE, SPLIT_TYPE, Template
from py_code_mode.tools.cli.feed import INPUT_TYPE, Feed, as_input
from py_code_mode.tools.cli.params import Param, ParamSettings
from py_code_mode.tools.cli.parsing import PARSERS, Parser
from py_code_mode.tools.cli.texts import SPLIT_NAMES, Given
from py_code_mode.tools.names import check_name, listed, unknown

__all__ = ["Recipe", "RecipeSettings"]

_MOST_CODE = 255


class RecipeSettings(TypedDict, total=False):
    """What may be said of a command, each key as in a tool file.

    ``command`` is the program (the tool's name if not given), ``args`` the template of its
    arguments, ``params`` its parameters, ``stdin`` what it reads, ``env`` what is added to its
    environment, ``cwd`` where it works, ``timeout`` its seconds, ``allow_options`` the
    placeholders whose plain values may begin with ``-`` (True for all), ``max_output`` the bytes
    kept of each stream, ``ok_exit_codes`` the exit codes that are no failure, ``parse`` one of
    text, json, jsonl, lines and csv.
    """

    command: str | None
    args: str
    description: str
    tags: Collection[str]
    params: Mapping[str, ParamSettings]
    stdin: str
    env: Mapping[str, str]
    cwd: str | None
    timeout: float
    allow_options: bool | Collection[str]
    max_output: int
    ok_exit_codes: Collection[int]
    parse: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """One tool that is a command.

    Attributes:
        info: The tool.
        command: The program.
        template: Its arguments.
        feed: Its input.
        params: Its parameters by name.
        env: What is added to its environment.
        cwd: Where it works, None for where the host does.
        timeout: Seconds a call may take.
        max_output: Bytes kept of each output.
        ok_exit_codes: Those that are no failure.
        parser: What its output becomes.
    """

    info: ToolInfo
    command: str
    template: Template
    feed: Feed
    params: Mapping[str, Param]
    env: Mapping[str, str]
    cwd: str | None
    timeout: float
    max_output: int
    ok_exit_codes: frozenset[int]
    parser: Parser

    @classmethod
    def make(cls, name: str, settings: RecipeSettings, shared: Collection[str] = ()) -> Recipe:
        """Work settings out.

        Args:
            name: Name of the tool.
            settings: What is said of the command.
            shared: Parameters that may have no place: they were declared for several recipes.

        Raises:
            ConfigError: A value is not acceptable; ``key`` says which.
        """
        check_name(name)
        for key in settings:
            if key not in RecipeSettings.__annotations__:
                text = unknown("setting", key, RecipeSettings.__annotations__)
                raise ConfigError(text, key=key)
        said = settings.get("params", {})
        flags = {each: str(said[each]["flag"]) for each in said if "flag" in said[each]}
        template = Template.parse(
            settings.get("args", ""), settings.get("allow_options", ()), flags
        )
        feed = Feed.parse(settings.get("stdin", ""))
        params = _params(template, feed, said, shared)
        parser = _parser(settings.get("parse", "text"))
        timeout, max_output = settings.get("timeout", 60.0), settings.get("max_output", 1 << 20)
        if not timeout > 0:
            raise ConfigError(f"timeout must be more than 0 seconds, not {timeout}", key="timeout")
        if max_output < 1:
            text = f"max_output must be 1 byte or more, not {max_output}"
            raise ConfigError(text, key="max_output")
        command = settings.get("command")
        return cls(
            _info(name, settings, template, params, parser),
            _check_command(name if command is None else command),
            template,
            feed,
            params,
            _check_env(settings.get("env", {})),
            settings.get("cwd"),
            timeout,
            max_output,
            _check_codes(settings.get("ok_exit_codes", (0,))),
            parser,
        )

    def prepare(self, arguments: Mapping[str, Any]) -> tuple[list[str], bytes]:
        """Return the argument vector and the input of a call.

        Raises:
            ToolCallError: An argument is unknown, missing, or cannot be what it should be.
        """
        takes = f"it takes {listed(self.params)}"
        for name in arguments:
            if name not in self.params:
                raise ToolCallError(f"{unknown('argument', name, self.params)}; {takes}")
        missing = [
            each.name
            for each in self.params.values()
            if each.required and arguments.get(each.name) is None
        ]
        if missing:
            raise ToolCallError(f"argument {listed(missing)} is missing; {takes}")
        values: dict[str, Given] = {}
        inputs: dict[str, bytes] = {}
        for param in self.params.values():
            self._take(param, arguments.get(param.name), values, inputs)
        return [self.command, *self.template.fill(values)], self.feed.fill(inputs)

    def _take(
        self, param: Param, value: Any, values: dict[str, Given], inputs: dict[str, bytes]
    ) -> None:
        name, is_argument = param.name, param.name in self.template.names
        if not is_argument and param.kind is None and param.pattern is None:
            value = param.default if value is None else value
            if value is not None and value is not NO_DEFAULT:
                inputs[name] = as_input(name, value)
            return
        is_free = name in self.template.free
        given = param.take(value, self.cwd or ".", is_free=is_free, is_argument=is_argument)
        if given is None:
            return
        if is_argument:
            values[name] = given
        if name in self.feed.names:
            inputs[name] = as_input(name, given)

    def environment(self, inherited: Mapping[str, str]) -> Mapping[str, str]:
        """Return the whole environment of the command."""
        return {**inherited, **self.env} if self.env else inherited


def _params(
    template: Template, feed: Feed, said: Mapping[str, ParamSettings], shared: Collection[str]
) -> dict[str, Param]:
    """Return all parameters: those that must be given first, declared ones before others."""
    placed = {*template.names, *feed.names}
    for name in said:
        if name not in placed and name not in shared:
            text = f"is neither in args nor in stdin; put {{{name}}} there, or give it a flag"
            raise ConfigError(text, key=f"params.{name}")
    params = [Param.declare(name, said[name]) for name in said if name in placed]
    undeclared = dict.fromkeys((*template.names, *feed.names))
    params += [Param(name) for name in undeclared if name not in said]
    for param in params:
        try:
            param.take(None, ".", is_free=True, is_argument=param.name in template.names)
        except ToolCallError as error:
            key = f"params.{param.name}.default"
            raise ConfigError(f"the default: {error.message}", key=key) from None
    return {param.name: param for param in sorted(params, key=lambda each: not each.required)}


def _info(
    name: str,
    settings: RecipeSettings,
    template: Template,
    params: Mapping[str, Param],
    parser: Parser,
) -> ToolInfo:
    def untyped(each: str) -> str:
        if each not in template.names:
            return INPUT_TYPE
        return SPLIT_TYPE if each in SPLIT_NAMES else PLAIN_TYPE

    return ToolInfo(
        name,
        settings.get("description", "").strip(),
        tuple(param.info(untyped(param.name)) for param in params.values()),
        frozenset(settings.get("tags", ())),
        parser.annotation,
        parser.schema or None,
    )


def _parser(name: str) -> Parser:
    if name not in PARSERS:
        text = f"{unknown('way to parse', str(name), PARSERS)}; there are {listed(PARSERS)}"
        raise ConfigError(text, key="parse")
    return PARSERS[name]


def _check_command(command: str) -> str:
    """Refuse a command that is a whole command line, the most common mistake."""
    if not command.strip() or "\0" in command:
        raise ConfigError("a command is the name or path of a program", key="command")
    if command.split() != [command] and os.sep not in command:
        first, *rest = command.split()
        text = f"set command to {first!r} and begin args with {' '.join(rest)!r}"
        raise ConfigError(f"{command!r} is more than one word: {text}", key="command")
    return command


def _check_env(env: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in env.items():
        if not name or "=" in name or "\0" in name + value:
            raise ConfigError("no variable of an environment", key=f"env.{name}")
    return dict(env)


def _check_codes(codes: Collection[int]) -> frozenset[int]:
    if not codes or not all(0 <= code <= _MOST_CODE for code in codes):
        raise ConfigError("exit codes are numbers from 0 to 255", key="ok_exit_codes")
    return frozenset(codes)
