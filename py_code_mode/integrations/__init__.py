"""Code mode as a tool of agents that other frameworks run.

Place in the house: a front; it uses executors, sessions and clients, and nothing uses it. Each
framework has a module of its own here, which imports the framework, and loads on use.
"""

from py_code_mode.integrations.functiontool import Answer, FunctionTool, as_function_tool

__all__ = ["Answer", "FunctionTool", "as_function_tool"]
