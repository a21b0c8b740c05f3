"""Reading skills from their source: what is found, and what is refused."""

from __future__ import annotations

import hashlib
import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_code_mode.errors import SkillValidationError
from py_code_mode.skills import parse_skill
from py_code_mode.skills.parse import MAX_SOURCE, with_description
from tests.examples import examples

SCAN = '''"""Scan common ports on a target.

Needs nmap.

    scan_ports(target="10.0.0.1")
"""

def run(target: str, ports: list[int] = [22, 80, 443]) -> dict:
    """Do it.

    Args:
        target: Host name
            or address.
        ports (list[int]): What to try: one by one.

    Returns:
        Which are open.
    """
    return {}
'''


def test_everything_is_read_from_the_source():
    """Description, documentation, parameters, return type and digest come from the source."""
    skill = parse_skill("scan_ports", SCAN)
    assert skill.description == "Scan common ports on a target."
    assert skill.documentation == 'Needs nmap.\n\n    scan_ports(target="10.0.0.1")'
    assert skill.source == SCAN
    assert skill.digest == hashlib.sha256(SCAN.encode()).hexdigest()
    assert (skill.is_async, skill.returns) == (False, "dict")
    target, ports = skill.params
    assert target.to_dict() == {
        "name": "target",
        "annotation": "str",
        "required": True,
        "default": "",
        "description": "Host name or address.",
        "kind": "positional_or_keyword",
    }
    assert (ports.annotation, ports.default, ports.required) == (
        "list[int]",
        "[22, 80, 443]",
        False,
    )
    assert ports.description == "What to try: one by one."


def test_every_kind_of_parameter_is_shown():
    """Stars, positional-only and keyword-only parameters and late defaults are told apart."""
    source = "async def run(a, /, b=1, *c: int, d, e: str = 'x', **f): pass"
    skill = parse_skill("kinds", source)
    assert skill.is_async
    assert [(p.name, p.kind, p.required, p.default) for p in skill.params] == [
        ("a", "positional_only", True, ""),
        ("b", "positional_or_keyword", False, "1"),
        ("*c", "var_positional", False, ""),
        ("d", "keyword_only", True, ""),
        ("e", "keyword_only", False, "'x'"),
        ("**f", "var_keyword", False, ""),
    ]


@pytest.mark.parametrize(
    ("source", "given_description", "description", "documentation"),
    [
        ("def run(): pass", "", "", ""),
        ("def run(): pass", "Told", "Told", ""),
        ("def run(): pass", "  Told\n\nat length ", "Told", "at length"),
        ('"""Doc.\n\nMore."""\ndef run(): pass', "", "Doc.", "More."),
        ('"""Doc.\n\nMore."""\ndef run(): pass', "Told", "Told", "More."),
        ('def run():\n    """Inner.\n\n    More.\n    """', "", "Inner.", "More."),
        ('"""Doc."""\ndef run():\n    """Inner."""', "", "Doc.", ""),
        ('"""\n   Late first line.\n"""\ndef run(): pass', "", "Late first line.", ""),
    ],
)
def test_where_the_description_comes_from(source, given_description, description, documentation):
    """An explicit description wins over the module's docstring, that one over the one of run."""
    skill = parse_skill("x", source, description=given_description)
    assert (skill.description, skill.documentation) == (description, documentation)
    assert skill.source == source


def test_the_last_run_counts_and_others_do_not_matter():
    """As in Python the last top-level run counts; classes, helpers and nested runs may be there."""
    source = (
        "class A:\n    def run(self, wrong): pass\n"
        "def run(first): pass\ndef helper():\n    def run(inner): pass\n"
        "@helper\nasync def run(second): pass\n"
    )
    skill = parse_skill("x", source)
    assert [param.name for param in skill.params] == ["second"]
    assert skill.is_async


def test_to_dict_is_plain_data_with_the_source_on_demand():
    """A skill as data survives JSON, and carries source and examples only when asked."""
    skill = parse_skill("scan_ports", SCAN)
    data = json.loads(json.dumps(skill.to_dict(source=True)))
    assert data["source"] == SCAN
    assert data["params"][0]["name"] == "target"
    brief = {key: data[key] for key in data if key not in ("source", "examples")}
    assert skill.to_dict() == brief


NAMES = {
    "": "identifier",
    "a-b": "identifier",
    "a b": "identifier",
    "1a": "identifier",
    "../x": "identifier",
    "a.b": "identifier",
    "a\0": "identifier",
    "\ud800": "identifier",
    "class": "keyword",
    "None": "keyword",
    "_hidden": "underscore",
    "__init__": "underscore",
    "list": "function of `skills`",
    "search": "function of `skills`",
    "get": "function of `skills`",
    "create": "function of `skills`",
    "delete": "function of `skills`",
    "invoke": "function of `skills`",
    "ainvoke": "function of `skills`",
    "update": "function of `skills`",
    "versions": "function of `skills`",
    "test": "function of `skills`",
    "SkillError": "function of `skills`",
    "a" * 101: "characters",
    "ﬁnd": "'find'",
}


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_bad_names_are_refused(name):
    """A name that is no identifier, a keyword, reserved or over-long is refused, saying why."""
    with pytest.raises(SkillValidationError, match=NAMES[name]) as caught:
        parse_skill(name, "def run(): pass")
    caught.value.message.encode()


@pytest.mark.parametrize("name", ["scan_ports", "été", "match", "type", "a" * 100, "run"])
def test_good_names_are_taken(name):
    """Identifiers in any language, soft keywords included, are names."""
    assert parse_skill(name, "def run(): pass").name == name


BAD = {
    "syntax": ("x = 1\n\ndef run(:\n    pass\n", 3, "syntax error: .*`def run\\(:`"),
    "unclosed": ("def run():\n    return foo(1,\n", 2, "never closed"),
    "tabs": ("def run():\n\tif 1:\n        pass\n", 3, "inconsistent use of tabs"),
    "empty": ("", None, "there is no `run`"),
    "no run": ("def main(): pass", None, "there is no `run`"),
    "variable": ("run = print", None, "there is no `run`"),
    "class": ("class run: pass", None, "there is no `run`"),
    "nested": (
        "import os\nif os:\n    x = 1\n    def run(): pass",
        4,
        "inside the block of line 2",
    ),
    "method": ("class A:\n    async def run(self): pass", 2, "inside the block of line 1"),
    "nul": ("def run(): pass\n#\0", 2, "NUL"),
    "surrogate": ("def run(): pass\nx = '\ud800'", 2, "surrogate"),
    "large": ("def run(): pass\n#" + "x" * MAX_SOURCE, None, "bytes; a skill may have 262,144"),
    "deep": ("def run(): pass\nx = " + "-" * 200_000 + "1", None, "nested too deeply"),
    "chain": ("def run(): pass\nx = a" + ".b" * 100_000, None, "nested too deeply"),
    "sum": ("def run(): pass\nx = " + "1+" * 100_000 + "1", None, "nested too deeply"),
    "brackets": ("def run(): pass\nx = " + "(" * 100_000, 2, "too many nested parentheses"),
    "elifs": ("def run(): pass\nif 1: pass\n" + "elif 1: pass\n" * 15_000, None, "too deeply"),
    "default": ("def run(a=0x" + "f" * 100_000 + "): pass", 1, "signature"),
    "annotation": ("def run(a: x" + ".b" * 950 + "): pass", 1, "signature"),
    "long integer": ("def run(): pass\nx = " + "1" * 5_000, 2, "syntax error"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("file", [None, "/skills/broken.py"])
def test_bad_sources_are_refused(case, file):
    """Whatever is wrong with a source, one error says where and why, hostile nesting included."""
    source, line, reason = BAD[case]
    with pytest.raises(SkillValidationError, match=reason) as caught:
        parse_skill("broken", source, file=file)
    error = caught.value
    assert (error.skill, error.line, error.file) == ("broken", line, file)
    place = file or "skill 'broken'"
    number = "" if line is None else f":{line}" if file else f", line {line}"
    assert error.message.startswith(f"{place}{number}: ")
    assert len(error.message) < 500


def test_hostile_nesting_is_refused_in_threads_too():
    """A parser that runs out of stack is refused, not fatal, in a thread's smaller stack too."""
    caught = []

    def attempt(source):
        try:
            parse_skill("x", source)
        except SkillValidationError as error:
            caught.append(error)

    sources = [BAD[case][0] for case in ("deep", "chain", "sum", "elifs", "annotation")]
    threads = [threading.Thread(target=attempt, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(caught) == len(sources)


def test_doubtful_escapes_raise_no_warning(recwarn):
    """Warnings of the parser about a skill's source are not the host's."""
    assert parse_skill("x", "def run(): return '\\d'").name == "x"
    assert not recwarn.list


def test_parsing_runs_nothing(tmp_path):
    """Decorators, defaults, annotations and module code of a skill are never run."""
    proof = tmp_path / "ran"
    call = f"open({str(proof)!r}, 'w')"
    source = f"{call}\n@{call}\ndef run(a: {call} = {call}): pass\n"
    assert parse_skill("x", source).params[0].default == call
    assert not proof.exists()


SOURCES = {
    "plain": "def run(): return 1\n",
    "no newline": "def run(): return 1",
    "future": "from __future__ import annotations\ndef run(): return 1\n",
    "shebang": "#!/usr/bin/python\n# -*- coding: utf-8 -*-\nimport os\ndef run(): return 1\n",
    "comment": "# first\n# second\ndef run(): return 1\n",
    "docstring": '"""Old.\n\nMore."""\nimport os\ndef run(): return "ä"\n',
    "parenthesised": '("Old."\n "More")\ndef run(): return 1\n',
    "same line": '"Old."; import os\ndef run(): return 1\n',
    "unicode": '"""Alt: äöü."""; x = "ä"\ndef run(): return 1\n',
    "windows": '"""Old."""\r\ndef run():\r\n    return 1\r\n',
    "form feed": '"""Old.\x0c\n"""\ndef run(): return 1\n',
    "bom": "\ufeffdef run(): return 1\n",
    "raw": 'r"""Old \\d."""\ndef run(): return 1\n',
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize(
    "description",
    [
        "Told.",
        'He said "hi"',
        'ends in """',
        "back\\slash\\",
        "tab\there",
        "é ☃ 𝄞",
        "a\n\nb\n  c",
        "\x00",
    ],
)
def test_a_description_is_written_into_the_source(source, description):
    """A source that carries its description reads back the same, its code untouched."""
    skill = parse_skill("x", source, description=description)
    again = parse_skill("x", with_description(skill))
    assert (again.description, again.documentation) == (skill.description, skill.documentation)
    scope: dict = {}
    exec(compile(again.source, "x", "exec"), scope)
    assert scope["run"]() in (1, "ä")
    code = skill.source.splitlines()[-1]
    assert again.source.splitlines()[-1] == code
    assert with_description(again) == again.source


def test_a_source_that_says_its_description_is_left_alone():
    """Nothing is rewritten when the docstring says it already, or when there is nothing to say."""
    for source in (SCAN, "def run(): pass"):
        assert with_description(parse_skill("x", source)) == source


def test_interpreter_and_encoding_lines_stay_first():
    """A docstring is inserted below the comment lines that count only at the top."""
    skill = parse_skill("x", SOURCES["shebang"], description="Told.")
    lines = with_description(skill).splitlines()
    assert lines[:3] == ["#!/usr/bin/python", "# -*- coding: utf-8 -*-", '"""Told."""']


@pytest.mark.parametrize(
    ("description", "documentation"),
    [
        ("\nFirst\n    more", "more"),
        ("\nFirst\n\n        more\n      less", "  more\nless"),
        ("\nFirst\n\n    more\nless", "    more\nless"),
        ("\x1e\n\x1e\nFirst\nmore", "more"),
    ],
)
def test_a_documentation_that_is_indented_as_a_whole_survives(description, documentation):
    """What all its lines are indented by is gone before a docstring loses it."""
    skill = parse_skill("x", "def run(): pass", description=description)
    assert (skill.description, skill.documentation) == ("First", documentation)
    again = parse_skill("x", with_description(skill))
    assert (again.description, again.documentation) == ("First", documentation)


@examples()
@given(
    st.text(st.characters(), max_size=40) | st.text(" \t\n\r\f\v\x1c\x85\u2028ab\\\"'", max_size=20)
)
def test_any_description_survives(description):
    """Whatever characters a description is made of, the docstring gives it back."""
    skill = parse_skill("x", "def run(): pass", description=description)
    again = parse_skill("x", with_description(skill))
    assert (again.description, again.documentation) == (skill.description, skill.documentation)
