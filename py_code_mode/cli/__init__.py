"""The command line: ``py-code-mode COMMAND ...``.

Place in the house: the top front. ``main`` reads the words and runs one command; the commands
are the table in ``parser``, one module each; ``output`` is how they speak.
"""

from py_code_mode.cli.main import main

__all__ = ["main"]
