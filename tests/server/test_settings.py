"""Settings: where they come from, which one counts, and that the page explains each."""

from __future__ import annotations

import re

import pytest

from py_code_mode import ConfigError
from py_code_mode.server import ServerSettings, TokenSettings, load_settings
from py_code_mode.server.ledger import Ledger
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "server.md"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_flags_before_environment_before_file(folder, monkeypatch):
    """The nearest word counts, and each source is read."""
    (folder / "py-code-mode.toml").write_text("[server]\nport = 1\nmax_runs = 2\nwarm = 3\n")
    monkeypatch.setenv("PY_CODE_MODE_MAX_RUNS", "20")
    monkeypatch.setenv("PY_CODE_MODE_WARM", "30")
    monkeypatch.setenv("PY_CODE_MODE_PRELOAD", "numpy, pandas")
    settings = load_settings(warm="4")
    assert (settings.port, settings.max_runs, settings.warm) == (1, 20, 4)
    assert settings.preload == ("numpy", "pandas")
    (folder / "other.toml").write_text(
        '[server]\nport = 5\n[[server.tokens]]\nname="a"\ntoken="b"\n'
    )
    monkeypatch.setenv("PY_CODE_MODE_CONFIG", "other.toml")
    other = load_settings()
    assert other.port == 5
    assert [token.name for token in other.all_tokens()] == ["a"]


def test_a_token_may_lie_in_a_file_and_is_not_shown(folder):
    """A token read from a file counts, and no setting shows a token when it is printed."""
    (folder / "secret").write_text("hidden\n")
    settings = load_settings(token_file=folder / "secret", token="shown")
    assert [t.token.get_secret_value() for t in settings.all_tokens()] == ["hidden", "shown"]
    assert "shown" not in repr(settings)
    (folder / "secret").write_text("\n")
    with pytest.raises(ConfigError, match="holds no token"):
        load_settings(token_file=folder / "secret").all_tokens()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server]\nport = 'x'\n", ["port", "py-code-mode.toml"]),
        ("[server]\nprot = 1\n", ["prot", "py-code-mode.toml"]),
        ("server = 1\n", ["table"]),
        ("[server\n", ["cannot be read"]),
        ("[[server.tokens]]\nname = 'a b'\ntoken = 't'\n", ["tokens.0.name"]),
        ("[[server.tokens]]\nname = 'a'\ntoken = 't'\nscopes = ['fly']\n", ["tokens.0.scopes"]),
    ],
)
def test_what_is_wrong_is_named(folder, text, words):
    """A wrong setting is an error that names it and where it was set."""
    (folder / "py-code-mode.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    for word in words:
        assert word in str(caught.value)


def test_wrong_words_are_named(folder, monkeypatch):
    """An error in a flag or a variable names that flag or variable, and a missing file its path."""
    with pytest.raises(ConfigError, match="--port"):
        load_settings(port="x")
    monkeypatch.setenv("PY_CODE_MODE_MAX_RUNS", "many")
    with pytest.raises(ConfigError, match=r"\$PY_CODE_MODE_MAX_RUNS"):
        load_settings()
    monkeypatch.setenv("PY_CODE_MODE_CONFIG", "missing.toml")
    with pytest.raises(ConfigError, match=r"missing\.toml"):
        load_settings()


def test_the_page_has_every_setting():
    """The table of the page has each setting with its variable, flag and key."""
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| `(--[\w-]+)` \|", PAGE.read_text(), re.MULTILINE)
    expected = [
        (name, f"PY_CODE_MODE_{name.upper()}", f"--{name.replace('_', '-')}")
        for name in ServerSettings.model_fields
        if name != "tokens"
    ]
    assert rows == expected
    for name in TokenSettings.model_fields:
        assert f"| `{name}` |" in PAGE.read_text()


def test_ids_outlive_the_ledger_s_process(folder):
    """Ids that were written down are known in the next life, those struck out are not."""
    ledger = Ledger(folder / "state")
    ledger.add("alice", "one")
    ledger.add("alice", "two")
    ledger.forget("alice", "two")
    with (folder / "state" / "sessions.jsonl").open("a") as file:
        file.write('{"id": "half a li')  # a server that was killed
    ledger.close()
    later = Ledger(folder / "state")
    known = [later.knows("alice", "one"), later.knows("alice", "two"), later.knows("bob", "one")]
    later.close()
    assert known == [True, False, False]
    assert "alice" not in (folder / "state" / "sessions.jsonl").read_text()


def test_a_state_that_cannot_be_written(folder, monkeypatch):
    """A directory somebody set must be writable; the one nobody set is done without."""
    (folder / "file").write_text("")
    with pytest.raises(ConfigError, match="setting state"):
        Ledger.opened(load_settings(state=folder / "file" / "x"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "file"))
    assert Ledger.opened(load_settings()) is None
