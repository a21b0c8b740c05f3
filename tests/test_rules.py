"""Rules: patterns, the first that fits, files that are wrong."""

from __future__ import annotations

import asyncio
import fnmatch
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_code_mode import Action, ConfigError, Decision, Rule, Rules
from py_code_mode.governance.globs import as_patterns, matches, text_of


def tool(name: str, tags: tuple[str, ...] = (), /, **arguments: Any) -> Action:
    """A call of a tool."""
    return Action("tool", name, arguments, "main", frozenset(tags))


def shell(command: str) -> Action:
    """A shell command."""
    return Action("shell", command.split(maxsplit=1)[0], {"command": command}, "main")


def effect(rules: Rules, action: Action) -> str:
    """What rules say of an action."""
    decision = asyncio.run(rules.decide(action))
    assert not (decision.allowed and decision.ask)
    return "allow" if decision.allowed else "ask" if decision.ask else "deny"


# --- patterns ----------------------------------------------------------------------------------

PATTERNS = [
    ("git.*", "git.push", True),
    ("git.*", "git", False),
    ("*", "", True),
    ("*", "a\nb", True),
    ("Git.*", "git.push", False),
    ("git.[lp]*", "git.push", True),
    ("git.[lp]*", "git.fetch", False),
    ("a?c", "abc", True),
    (["a", "b"], "b", True),
    (["git.*", "!git.push"], "git.push", False),
    (["!git.push", "git.*"], "git.push", False),
    (["git.*", "!git.push"], "git.log", True),
    (["!git.push"], "nmap", True),
    (["!git.push"], "git.push", False),
    ([], "nmap", False),
    ("(a|b)", "a", False),
]


@pytest.mark.parametrize(("patterns", "text", "expected"), PATTERNS, ids=str)
def test_patterns(patterns, text, expected):
    """Patterns are globs, in upper and lower case, and a leading ``!`` excludes."""
    assert matches(as_patterns(patterns), text) is expected


@given(st.lists(st.text("ab*?.[]!", max_size=5), max_size=4), st.text("ab.", max_size=5))
def test_patterns_are_those_of_fnmatch(patterns, text):
    """A list matches what any of it matches, less what any with ``!`` does."""
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    expected = any(fnmatch.fnmatchcase(text, each) for each in wanted) or (
        bool(unwanted) and not wanted
    )
    expected = expected and not any(fnmatch.fnmatchcase(text, each) for each in unwanted)
    assert matches(tuple(patterns), text) is expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (True, "true"),
        (5, "5"),
        (1.5, "1.5"),
        (b"a\xff", "a\ufffd"),
        (10**5000, hex(10**5000)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_as_text(value, text):
    """Values are compared as YAML would write them."""
    assert text_of(value) == text


# --- conditions --------------------------------------------------------------------------------

CONDITIONS = [
    (Rule("deny"), tool("x"), True),
    (Rule("deny"), shell("ls"), False),
    (Rule("deny", tools="x"), tool("x"), True),
    (Rule("deny", tools="x"), tool("y"), False),
    (Rule("deny", tags="net"), tool("x", ("net", "read")), True),
    (Rule("deny", tags=["net", "!read"]), tool("x", ("net", "read")), False),
    (Rule("deny", tags=["net", "!read"]), tool("x", ("net",)), True),
    (Rule("deny", tags=["!read"]), tool("x"), True),
    (Rule("deny", tags="*"), tool("x"), False),
    (Rule("deny", tools="x", tags="net"), tool("x"), False),
    (Rule("deny", arguments={"path": "/tmp/*"}), tool("x", path="/tmp/a"), True),
    (Rule("deny", arguments={"path": "/TMP/*"}), tool("x", path="/tmp/a"), False),
    (Rule("deny", arguments={"path": "*"}), tool("x", other=1), False),
    (Rule("deny", arguments={"path": "*"}), tool("x", path=None), False),
    (Rule("deny", arguments={"path": "*"}), tool("x", path=[]), False),
    (Rule("deny", arguments={"port": 22}), tool("x", port=22), True),
    (Rule("deny", arguments={"port": [22, 23]}), tool("x", port="23"), True),
    (Rule("deny", arguments={"force": True}), tool("x", force=True), True),
    (Rule("deny", arguments={"a": "1", "b": "2"}), tool("x", a=1, b=3), False),
    (Rule("deny", arguments={"user-id": "1"}), tool("x", user_id=1), True),
    (Rule("deny", arguments={"path": "/etc/*"}), tool("x", path=["/tmp/a", "/etc/b"]), True),
    (Rule("ask", arguments={"path": "/etc/*"}), tool("x", path=["/tmp/a", "/etc/b"]), True),
    (Rule("allow", arguments={"path": "/tmp/*"}), tool("x", path=["/tmp/a", "/etc/b"]), False),
    (Rule("allow", arguments={"path": "/tmp/*"}), tool("x", path=["/tmp/a", "/tmp/b"]), True),
    (Rule("deny", arguments={"q": "*secret*"}), tool("x", q={"a": [{"b": "my secret"}]}), True),
    (Rule("deny", arguments={"q": "*secret*"}), tool("x", q={"secret": 1}), True),
    (
        Rule("allow", arguments={"path": ["/tmp/*", "!*..*"]}),
        tool("x", path="/tmp/../etc/passwd"),
        False,
    ),
    (Rule("deny", kind="shell"), shell("ls"), True),
    (Rule("deny", kind="shell"), tool("ls"), False),
    (Rule("deny", kind="shell", commands=["rm *", "sudo *"]), shell("  sudo reboot"), True),
    (Rule("deny", kind="shell", commands="rm *"), shell("ls"), False),
]


@pytest.mark.parametrize(("rule", "action", "fits"), CONDITIONS)
def test_conditions(rule, action, fits):
    """A rule fits an action that meets all of its conditions; what is not given meets none."""
    assert rule.fits(action) is fits


# --- the first that fits -----------------------------------------------------------------------

names = st.sampled_from(["git.log", "git.push", "nmap", "curl"])
tags = st.lists(st.sampled_from(["net", "read", "write"]), max_size=2, unique=True)
values = st.sampled_from(["/tmp/a", "/etc/b", "x"])
rules_st = st.builds(
    Rule,
    st.sampled_from(["allow", "ask", "deny"]),
    tools=st.lists(st.sampled_from(["git.*", "*", "nmap", "!git.push"]), max_size=2),
    tags=st.lists(st.sampled_from(["net", "read"]), max_size=1),
    arguments=st.dictionaries(st.just("path"), st.sampled_from(["/tmp/*", "*"]), max_size=1),
)


def naive(rules: list[Rule], default: str, action: Action) -> str:
    """The same, written as one would say it."""

    def fits(rule: Rule) -> bool:
        wanted = [each for each in rule.tools if not each.startswith("!")] or ["*"]
        unwanted = [each[1:] for each in rule.tools if each.startswith("!")]
        path = rule.arguments.get("path")
        return (
            any(fnmatch.fnmatchcase(action.name, each) for each in wanted)
            and not any(fnmatch.fnmatchcase(action.name, each) for each in unwanted)
            and (not rule.tags or bool({*rule.tags} & action.tags))
            and (
                path is None
                or (
                    "path" in action.arguments
                    and fnmatch.fnmatchcase(action.arguments["path"], path[0])
                )
            )
        )

    for rule in rules:
        if fits(rule):
            return rule.effect
    return default


@given(
    st.lists(rules_st, max_size=6),
    st.sampled_from(["allow", "ask", "deny"]),
    names,
    tags,
    st.none() | values,
)
def test_the_first_that_fits_decides(rules, default, name, tags, path):
    """The first rule that fits decides, and the default when none does."""
    action = tool(name, tuple(tags), **({} if path is None else {"path": path}))
    assert effect(Rules(rules, default=default), action) == naive(rules, default, action)


def test_reasons_are_told():
    """A rule's reason is that of the decision."""
    rules = Rules([Rule("deny", tools="x", reason="not x"), Rule("ask", reason="dear")])
    assert asyncio.run(rules.decide(tool("x"))) == Decision(False, "not x")
    assert asyncio.run(rules.decide(tool("y"))) == Decision(False, "dear", ask=True)


def test_the_default_is_for_commands_too():
    """What no rule fits goes by the default, tools and shell commands alike."""
    rules = Rules([Rule("allow", tools="x")], default="deny")
    assert effect(rules, tool("x")) == "allow"
    assert effect(rules, tool("y")) == effect(rules, shell("ls")) == "deny"


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        (True, True),
        (Decision(allowed=True), True),
        (None, False),
        (False, False),
        (1, False),
        (Decision(allowed=False), False),
    ],
    ids=repr,
)
async def test_approve_must_say_yes(answer, allowed):
    """``approve`` is asked what ask rules are about, and anything but a yes is a no."""
    asked: list[Action] = []

    async def approve(action):
        asked.append(action)
        return answer

    rules = Rules([Rule("ask", tools="x", reason="dear")], approve=approve)
    assert (await rules.decide(tool("x"))).allowed is allowed
    assert (await rules.decide(tool("y"))).allowed
    (action,) = asked
    assert (action.name, action.needs_approval, action.reason) == ("x", True, "dear")


# --- writing them down -------------------------------------------------------------------------

GOOD = """\
default: ask
rules:
  - effect: allow
    tools: ["git.*", "!git.push"]
  - effect: deny
    tags: [danger]
    arguments: {path: "/etc/*", port: [22, 23], force: true}
    reason: not here
  - effect: deny
    kind: shell
    commands: "rm *"
"""


def test_a_file_of_rules(tmp_path):
    """Rules are read from YAML as they would be written in Python."""
    path = tmp_path / "policy.yaml"
    path.write_text(GOOD)
    rules = Rules.from_yaml(path)
    assert rules.default == "ask"
    assert rules.rules == (
        Rule("allow", tools=["git.*", "!git.push"]),
        Rule(
            "deny",
            tags="danger",
            arguments={"path": "/etc/*", "port": [22, 23], "force": True},
            reason="not here",
        ),
        Rule("deny", kind="shell", commands="rm *"),
    )


def test_rules_of_data():
    """Rules are made of plain data, too."""
    rules = Rules.from_data([{"effect": "deny", "tools": "x"}], default="ask")
    assert rules.rules == (Rule("deny", tools="x"),)
    assert rules.default == "ask"


BAD = [
    ("rules:\n  - effect: alow\n", 2, "rules.0.effect", "'allow'"),
    ("rules:\n  - tools: x\n", 2, "rules.0.effect", "missing"),
    ("rules:\n  - effect: deny\n    tool: x\n", 3, "rules.0.tool", "no known key"),
    ("rules:\n  - effect: deny\n    tools: [1]\n", 3, "rules.0.tools", "text"),
    ("rules:\n  - effect: deny\n\n    commands: rm\n", 4, "rules.0.commands", "kind: shell"),
    (
        "rules:\n  - {effect: deny, kind: shell}\n  - effect: deny\n    kind: shell\n    tools: x\n",
        5,
        "rules.1.tools",
        "shell rule",
    ),
    ("rules: []\ndefault: maybe\n", 2, "default", "'allow'"),
    ("rule: []\n", 1, "rules", "missing"),
    ("- effect: deny\n", 1, None, "key: value"),
    ("rules: [\n", 2, None, "YAML"),
]


@pytest.mark.parametrize(("text", "line", "key", "words"), BAD, ids=[text for text, *_ in BAD])
def test_a_file_that_is_wrong(tmp_path, text, line, key, words):
    """What is wrong with a file is told with the file, the line and the key."""
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        Rules.from_yaml(path)
    assert (caught.value.file, caught.value.line, caught.value.key) == (path, line, key)


def test_data_that_is_wrong():
    """What is wrong with data is told with the key alone."""
    with pytest.raises(ConfigError) as caught:
        Rules.from_data([{"effect": "deny"}, {"effect": "no", "tols": "x"}])
    assert caught.value.key == "rules.1.effect"
    assert "rules.1.tols" in str(caught.value)
    assert "line" not in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Rule("alow"),  # type: ignore[arg-type]
        lambda: Rule("deny", kind="tols"),  # type: ignore[arg-type]
        lambda: Rule("deny", commands="rm"),
        lambda: Rule("deny", kind="shell", tools="x"),
        lambda: Rules([], default="no"),  # type: ignore[arg-type]
    ],
)
def test_rules_that_make_no_sense(make):
    """A rule that could not mean what it says is refused when it is made."""
    with pytest.raises(ConfigError):
        make()
