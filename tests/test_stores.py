"""Stores by what people write: a folder, or a server's url."""

from __future__ import annotations

import pytest

import py_code_mode
from py_code_mode import FileSkillStore, open_skill_store
from py_code_mode.errors import ConfigError
from py_code_mode.stores import PREFIX


def test_a_path_is_a_folder(tmp_path):
    """A path opens a folder, which is made unless that is not wanted."""
    store = open_skill_store(tmp_path / "a")
    assert isinstance(store, FileSkillStore)
    assert isinstance(open_skill_store(str(tmp_path / "a"), make=False), FileSkillStore)
    with pytest.raises(ConfigError, match="b: there is no such folder of skills"):
        open_skill_store(tmp_path / "b", make=False)
    assert not (tmp_path / "b").exists()


class Recorder:
    """Takes the place of a store's class: it says what it was opened with."""

    @classmethod
    def from_url(cls, url: str, prefix: str) -> tuple[str, str]:
        return url, prefix


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("redis://localhost", ("redis://localhost", PREFIX)),
        ("redis://u:p%40@host:1/2?prefix=my-agent", ("redis://u:p%40@host:1/2", "my-agent")),
        (
            "rediss://host/0?socket_timeout=5&prefix=a%2Fb&ssl_ca_certs=/x",
            ("rediss://host/0?socket_timeout=5&ssl_ca_certs=%2Fx", "a/b"),
        ),
        ("unix:///run/redis.sock?db=1&prefix=x", ("unix:///run/redis.sock?db=1", "x")),
        ("redis://host?prefix=", ("redis://host", PREFIX)),
    ],
)
def test_the_prefix_is_taken_out_of_a_url(monkeypatch, url, opened):
    """Our own option goes to the store; all else of the url reaches the client as it was."""
    monkeypatch.setattr(py_code_mode, "RedisSkillStore", Recorder, raising=False)
    assert open_skill_store(url) == opened


def test_a_version_without_redis_says_so(monkeypatch):
    """Where the class for Redis is missing the error says what would work."""
    monkeypatch.delattr(py_code_mode, "RedisSkillStore", raising=False)
    monkeypatch.delitem(py_code_mode._MODULE_OF, "RedisSkillStore", raising=False)
    with pytest.raises(ConfigError, match="no RedisSkillStore; give a folder"):
        open_skill_store("redis://localhost")
