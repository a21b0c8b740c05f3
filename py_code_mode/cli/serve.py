"""``py-code-mode serve``: the session server, from the command line.

Place in the house: inside ``cli``; the server itself is ``py_code_mode.server``.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
from collections.abc import Mapping
from typing import Any

from py_code_mode.cli.output import note, stream
from py_code_mode.errors import ConfigError
from py_code_mode.jsonlog import JsonLines, said

__all__ = ["add_arguments"]

_EXAMPLES = """\
every setting is also an environment variable (--max-runs is PY_CODE_MODE_MAX_RUNS) and a key in
section [server] of py-code-mode.toml; flags go first, then the environment, then the file

exit codes: 0 stopped by SIGTERM or Ctrl-C, everything has ended; 1 it could not start (the reason
is on stderr); 2 wrong words

examples:
  py-code-mode serve --tools tools --skills skills --artifacts artifacts
  PY_CODE_MODE_TOKEN=$(openssl rand -hex 32) py-code-mode serve --host 0.0.0.0
  py-code-mode serve --port 0 --json    # {"url": "http://127.0.0.1:43121", "pid": 4711}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes: a flag for each setting."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    parser.set_defaults(run=_run)
    parser.add_argument("--json", action="store_true", help="say everything in lines of JSON")
    try:
        from py_code_mode.server.settings import ServerSettings
    except ImportError:
        return  # said when it is run
    parser.add_argument(
        "--config", metavar="FILE", help="file of settings (default: py-code-mode.toml, if there)"
    )
    for name, field in ServerSettings.model_fields.items():
        if name == "tokens":
            continue
        options: dict[str, Any] = {}
        if name == "allow_anonymous":
            options = {"nargs": "?", "const": "yes"}
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            metavar="VALUE",
            default=argparse.SUPPRESS,
            help=f"{field.description}{_default(field.default)}",
            **options,
        )


def _default(value: Any) -> str:
    if value in (None, (), {}):
        return ""
    return f" (default: {value:g})" if isinstance(value, float) else f" (default: {value})"


def _run(arguments: argparse.Namespace) -> int:
    try:
        from py_code_mode.server.serving import serve
        from py_code_mode.server.settings import PREFIX, ServerSettings, load_settings
    except ImportError as error:
        raise ConfigError(
            f"the session server needs {error.name}: pip install 'py-code-mode[server]'"
        ) from error
    if arguments.config is not None:
        os.environ[PREFIX + "CONFIG"] = arguments.config
    given = vars(arguments)
    flags: dict[str, Any] = {
        name: given[name] for name in ServerSettings.model_fields if name in given
    }
    settings = load_settings(**flags)
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    if arguments.json:
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonLines())
    serve(settings, _announce_json if arguments.json else _announce)
    return 0


def _announce(text: str, _facts: Mapping[str, Any]) -> None:
    note(f"py-code-mode: {text}")


def _announce_json(text: str, facts: Mapping[str, Any]) -> None:
    """Say it where the log goes, and on stdout what a program that has started us waits for."""
    note(said(text, facts, logger="py_code_mode.server"))
    if "url" in facts:
        stream(json.dumps({"url": facts["url"], "pid": os.getpid()}) + "\n")
