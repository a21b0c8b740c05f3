"""The session server: many sessions, each its own kernel, over HTTP.

Place in the house: remote layer, above ``executor``. ``create_app`` makes the ASGI app; it needs
the extra ``server`` (starlette, uvicorn, pydantic-settings, prometheus-client).
"""

from __future__ import annotations

from py_code_mode.server.app import create_app
from py_code_mode.server.settings import ServerSettings, TokenSettings, load_settings

__all__ = ["ServerSettings", "TokenSettings", "create_app", "load_settings"]
