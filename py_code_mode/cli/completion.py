"""``py-code-mode completion SHELL``: a script that completes words.

Place in the house: inside ``cli``; ``words`` finds what the words can be.
"""

from __future__ import annotations

import argparse

from py_code_mode.cli.output import show, show_json
from py_code_mode.cli.where import add_json

__all__ = ["add_arguments"]

_EPILOG = """\
examples:
  bash:  eval "$(py-code-mode completion bash)"               # in ~/.bashrc
  zsh:   eval "$(py-code-mode completion zsh)"                # in ~/.zshrc, after compinit
  fish:  py-code-mode completion fish | source                # in ~/.config/fish/config.fish"""

_BASH = """\
_py_code_mode() {
    local IFS=$'\\n'
    COMPREPLY=($(py-code-mode completion --words "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _py_code_mode py-code-mode"""

_ZSH = """\
_py_code_mode() {
    local -a found
    found=("${(@f)$(py-code-mode completion --words "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "$found" ]]; then compadd -- $found; else _files; fi
}
compdef _py_code_mode py-code-mode"""

_FISH = """\
function __py_code_mode
    set -l words (commandline -opc)[2..-1] (commandline -ct)
    py-code-mode completion --words $words 2>/dev/null
end
complete -c py-code-mode -a '(__py_code_mode)'"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.epilog = _EPILOG
    parser.add_argument("shell", nargs="?", choices=[*_SCRIPTS], help="whose script to print")
    parser.add_argument(
        "--words", nargs=argparse.REMAINDER, metavar="WORD", help="what the scripts ask for"
    )
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.words is not None:
        from py_code_mode.cli.words import candidates

        show("\n".join(candidates(arguments.words or [""])))
        return 0
    if arguments.shell is None:
        show("give a shell: bash, zsh or fish; --help shows where its script goes")
        return 2
    script = _SCRIPTS[arguments.shell]
    if arguments.json:
        show_json({"shell": arguments.shell, "script": script})
    else:
        show(script)
    return 0
