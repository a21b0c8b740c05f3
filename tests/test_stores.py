"""Stores by what people write: a folder, or a server's url."""

from __future__ import annotations

import pytest

import py_code_mode
from py_code_mode import FileArtifactStore, FileSkillStore, open_skill_store
from py_code_mode.errors import ConfigError
from py_code_mode.stores import open_artifact_store

OPEN = {
    "skills": (open_skill_store, FileSkillStore, "RedisSkillStore"),
    "artifacts": (open_artifact_store, FileArtifactStore, "RedisArtifactStore"),
}


@pytest.mark.parametrize("what", OPEN)
def test_a_path_is_a_folder(tmp_path, what):
    """A path opens a folder, which is made unless that is not wanted."""
    open_store, kind, _ = OPEN[what]
    assert isinstance(open_store(tmp_path / "a"), kind)
    assert isinstance(open_store(str(tmp_path / "a"), make=False), kind)
    with pytest.raises(ConfigError, match=f"b: there is no such folder of {what}"):
        open_store(tmp_path / "b", make=False)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("what", OPEN)
def test_a_url_opens_a_server_and_others_are_refused(what):
    """A url of Redis opens its store without asking the server; another kind is an error."""
    open_store, _, name = OPEN[what]
    for url in ("redis://localhost:1/0?prefix=x", "unix:///nowhere/r.sock", "rediss://u:p@host"):
        assert type(open_store(url)) is getattr(py_code_mode, name)
    with pytest.raises(ConfigError, match=f"no store of {what} takes a url of ftp://"):
        open_store("ftp://user:secret@host")
