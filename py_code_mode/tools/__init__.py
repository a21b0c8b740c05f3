"""Tools: what an agent's code may ask the host to do.

Place in the house: stores and tools. The registry holds adapters; each adapter is one source
of tools; nothing in here knows kernels or the executor.

``base``        what a tool is, and the seam all adapters stand behind
``names``       exact and clean names
``cli``         commands: a package of its own
``mcp``         servers of the Model Context Protocol: a package of its own
``http``        HTTP APIs: endpoints written down, or an OpenAPI document: a package of its own
``functions``   Python functions, with ``signatures`` (what they take), ``models`` (pydantic's
                and others), ``docstrings`` and ``generators`` (those that stream)
``store``       tool files in Redis; ``stored`` makes tools of them that follow it
``directory``   a directory of tool files, read, and its servers started
``jsonschema``  JSON schemas as annotations and parameters
``structure``   JSON schemas looked into, piece by piece
``shapes``      what results look like, learned; ``observed`` keeps it beside the tools
``stubs``       tools as a Python stub, with ``annotations`` and ``typeddicts``
``reports``     progress and log lines of a running call
``threads``     threads that run functions
``loader``      YAML files to adapters, with ``schema`` (what may stand in them)
``registry``    all of them by name, on a ``shelf`` with a ``table``; ``offers`` takes functions
"""

from py_code_mode.tools.base import NO_DEFAULT, ToolAdapter, ToolInfo, ToolParam
from py_code_mode.tools.cli import CLIAdapter
from py_code_mode.tools.functions import FunctionAdapter
from py_code_mode.tools.names import clean_name
from py_code_mode.tools.registry import ToolRegistry

__all__ = [
    "NO_DEFAULT",
    "CLIAdapter",
    "FunctionAdapter",
    "ToolAdapter",
    "ToolInfo",
    "ToolParam",
    "ToolRegistry",
    "clean_name",
]
