"""Redis as the stores see it: one client, keys under one prefix, errors in plain words.

Place in the house: values layer. ``clients`` takes whatever client a user has, ``database`` sends
commands and scripts through it, ``keeping`` keeps a search index; what is kept under which key is
the stores' business.
"""

from py_code_mode.redisdb.clients import DEFAULT_PREFIX, client_from_url
from py_code_mode.redisdb.database import CHANGED, Database, Script, token
from py_code_mode.redisdb.keeping import RedisIndexKeeper

__all__ = [
    "CHANGED",
    "DEFAULT_PREFIX",
    "Database",
    "RedisIndexKeeper",
    "Script",
    "client_from_url",
    "token",
]
