"""Optional fields of docstrings, and examples."""

from __future__ import annotations

import time

import pytest

from py_code_mode.skills import FileSkillStore, parse_skill

FULL = '''"""Plot the prices of a stock.

Longer words, and more of them.

Tags: finance, chart maker
Version: 1.2
Tools: nmap, weather.get-alerts
Packages: pandas>=2,<3, matplotlib
Examples:
    >>> run(1)
    1
"""

def run(n):
    """Do it.

    Args:
        n: A number.

    >>> run(2)
    2
    """
    return n
'''


def fields(text: str) -> tuple:
    skill = parse_skill("x", f'"""Do.\n\n{text}\n"""\ndef run(): pass\n')
    return skill.tags, skill.version, skill.tools, skill.packages


def test_fields_are_read_from_the_docstring():
    """Tags, version, tools, packages and examples come from their sections."""
    skill = parse_skill("x", FULL)
    assert skill.tags == ("finance", "chart maker")
    assert skill.version == "1.2"
    assert skill.tools == ("nmap", "weather.get-alerts")
    assert skill.packages == ("pandas>=2,<3", "matplotlib")
    assert [(e.code, e.expected, e.line) for e in skill.examples] == [
        ("run(1)", "1", 10),
        ("run(2)", "2", 20),
    ]
    assert skill.params[0].description == "A number."
    data = skill.to_dict()
    assert (data["tags"], data["packages"]) == (["finance", "chart maker"], [*skill.packages])
    assert skill.to_dict(source=True)["examples"][1] == {
        "code": "run(2)",
        "expected": "2",
        "line": 20,
    }


def test_a_skill_without_fields_has_none():
    """Nothing said: no tags, version, tools, packages or examples."""
    assert fields("") == ((), "", (), ())
    assert parse_skill("x", "def run(): pass").examples == ()


@pytest.mark.parametrize(
    ("text", "packages"),
    [
        ("Packages: a>=1,<2,!=1.5 , b", ("a>=1,<2,!=1.5", "b")),
        ("Packages: a[x,y]==1, b", ("a[x,y]==1", "b")),
        ("Packages: a; python_version > '3,1', b (>=1)", ("a; python_version > '3,1'", "b (>=1)")),
        ("Packages: a @ https://host/a.whl, a", ("a @ https://host/a.whl", "a")),
        ("Packages:\n    a>=1\n    - b, c\n\n    d\nMore.", ("a>=1", "b", "c", "d")),
        ("Packages: a,\n    b", ("a", "b")),
        ("packages: a, a", ("a",)),
        ("Packages: a\n\nPackages: b", ("a", "b")),
    ],
)
def test_packages_are_requirements_as_they_stand(text, packages):
    """Requirements are split where one ends, on one line or below, and kept to the letter."""
    assert fields(text)[3] == packages


@pytest.mark.parametrize(
    "text",
    [
        "Tools: a hammer and a saw.",
        "Packages: whatever you like, really",
        "Version: the one of last Tuesday",
        "Note:\n    Tags: indented",
        "Tags:",
        "Tags:a",
        "Mytags: a",
        "See Tags: a",
        "Tags: " + "x" * 51,
    ],
)
def test_prose_is_no_field(text):
    """Lines that only look like a field, or hold what it cannot, are plain documentation."""
    assert fields(text) == ((), "", (), ())


def test_fields_survive_a_description_of_its_own(tmp_path):
    """A description given beside the code leaves fields and examples, in the store as well."""
    skill = parse_skill("x", FULL, description="Told.")
    store = FileSkillStore(tmp_path)
    store.save(skill)
    loaded = store.load("x")
    assert loaded.description == "Told."
    for name in ("tags", "version", "tools", "packages"):
        assert (
            getattr(loaded, name) == getattr(skill, name) == getattr(parse_skill("x", FULL), name)
        )
    assert [e.code for e in loaded.examples] == [e.code for e in skill.examples]


EXAMPLES = '''"""Do.

    >>> for n in (1,
    ...           2):
    ...     print(n)
    1
    2
    >>> x = 3

    Words.
        >>> run(x)
        {'a': 1,
         'b': 2}

    >>>nothing
    >>> run()
    Traceback (most recent call last):
        ...
    TypeError: n is missing"""
def run(n): pass
'''


def test_examples_may_have_many_lines():
    """Continued lines, results of several lines and none, and errors are read as doctest does."""
    examples = parse_skill("x", EXAMPLES).examples
    assert [(e.code, e.expected, e.line) for e in examples] == [
        ("for n in (1,\n          2):\n    print(n)", "1\n2", 3),
        ("x = 3", "", 8),
        ("run(x)", "{'a': 1,\n 'b': 2}", 11),
        ("run()", "Traceback (most recent call last):\n    ...\nTypeError: n is missing", 16),
    ]


@pytest.mark.alone
@pytest.mark.parametrize(
    "text",
    [
        ">>> a\n" * 40_000,
        "Tags: " + "a," * 100_000,
        "Packages: " + "a , " * 60_000,
        ">>> " * 60_000,
    ],
)
def test_hostile_docstrings_are_read_in_time(text):
    """However many fields and examples a docstring has, they are read fast and kept few."""
    before = time.perf_counter()
    skill = parse_skill("x", f'"""Do.\n\n{text}\n"""\ndef run(): pass\n')
    assert time.perf_counter() - before < 2
    assert max(len(skill.examples), len(skill.tags), len(skill.packages)) <= 100


def test_items_below_count_each_for_itself():
    """What cannot be an item, or stands after a colon, does not take the others with it."""
    text = (
        "Tools:\n    nmap: scans ports\n    - curl\n    whatever comes to mind\n\n"
        "Packages:\n    tomli >= 2\n    bad name here\n    acme @ https://acme.example/a.whl"
    )
    tools, packages = ("nmap", "curl"), ("tomli >= 2", "acme @ https://acme.example/a.whl")
    assert fields(text)[2:] == (tools, packages)
    assert fields("Tools: this needs many, all good\n    nmap")[2] == ()


def test_each_example_knows_its_line():
    """An example that is written with escapes has no line; those after it have theirs."""
    source = '"""Do.\n\n>>> run()\n>>> "\\\\n"\n>>> run()\n"""\ndef run(): pass'
    assert [example.line for example in parse_skill("x", source).examples] == [3, 0, 5]
