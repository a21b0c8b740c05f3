"""Tools of MCP servers.

Place in the house: ``tools``, one of the adapters. The official SDK speaks the protocol; it is
loaded when the first server is started, not before.

``adapter``     a server as an adapter: its tools, calls, reconnecting
``server``      what a tool file says of a server, secrets filled in
``connection``  one open connection, living in one task
``streams``     the three transports; ``stdio`` is ours, on ``child`` (the server's process)
``listing``     a server's list of tools as ``ToolInfo``
``content``     what a tool answered, as Python values
``wording``     exceptions as sentences, the SDK's log without secrets
``schema``      what may stand in a tool file
"""
