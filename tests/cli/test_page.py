"""The page on the command line: what it shows is what the commands say."""

from __future__ import annotations

import doctest
import shlex

from tests.conftest import ROOT
from tests.test_docs import read_blocks

PAGE = ROOT / "docs" / "command-line.md"


def test_the_page_s_commands_say_what_it_shows(cli, tmp_path):
    """Every command of the page, in order, prints what stands below it."""
    checker, commands = doctest.OutputChecker(), 0
    for block in read_blocks(PAGE):
        if block.file is not None:
            block.write(tmp_path)
        if block.language != "console":
            continue
        for part in block.code.split("$ ")[1:]:
            command, _, expected = part.partition("\n")
            program, *words = shlex.split(command)
            assert program == "py-code-mode"
            said = cli(*words)
            where = f"{PAGE.name}, line {block.line}, {command}, got:\n{said.out}{said.err}"
            assert checker.check_output(expected, said.out + said.err, doctest.ELLIPSIS), where
            commands += 1
    assert commands > 10
