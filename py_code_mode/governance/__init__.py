"""What decides on tool calls before they are made: rules, budgets, limits.

Place in the house: middle layer, below ``toolcalls`` and ``dispatch``, above tools.

==============  ==========================================================================
``globs``       patterns on names, tags and values
``rules``       ``Rules``: a policy out of allow, ask and deny rules
``rulefile``    what a file of rules may say, as a pydantic model
``budget``      ``Budget``, ``ToolLimit``; what a session has spent
``gates``       tools that take turns: so many at once, so many a second
``governor``    asks all of them, in one order, in one place
==============  ==========================================================================
"""
