"""Commands of this machine as tools.

Place in the house: ``tools``, one of the adapters.

``adapter``   the adapter: which tool, and what a command's end means
``recipe``    the settings of one command, worked out once
``params``    parameters, with ``kinds`` (their types)
``argv``      template and values to an argument vector, with ``texts`` (values as text)
``feed``      what a command reads on its standard input
``parsing``   what a command printed, as a value
``process``   one running command, with ``capture`` (what it prints, bounded)
"""

from py_code_mode.tools.cli.adapter import CLIAdapter
from py_code_mode.tools.cli.params import ParamSettings
from py_code_mode.tools.cli.recipe import RecipeSettings

__all__ = ["CLIAdapter", "ParamSettings", "RecipeSettings"]
