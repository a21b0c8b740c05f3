"""Requirements and the policy that allows them: nothing here installs anything."""

from __future__ import annotations

import json
import sys
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_code_mode import ConfigError, KernelConfig, PackagePolicy
from py_code_mode.environments import Spec, needs_of
from py_code_mode.environments.interpreter import interpreter_of
from py_code_mode.environments.spec import KERNEL
from py_code_mode.packages import check_packages
from tests.conftest import ROOT

WHEEL_URL = "https://files.example.com/wheels/acme-1.0-py3-none-any.whl"
BELOW = PackagePolicy(allow=["acme"], allow_urls=["https://files.example.com/wheels/"])


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("Pandas", "pandas"),
        ("pandas >= 2, < 3", "pandas<3,>=2"),
        ("zope.interface", "zope-interface"),
        ("a_b [Two, one]>1", "a-b[one,two]>1"),
        ("x ; python_version>'3'", 'x; python_version > "3"'),
    ],
)
def test_requirements_are_normalised(written, same):
    """What means the same is the same, so that it leads to one environment."""
    policy = PackagePolicy(allow=["*"])
    assert check_packages([written, same], policy) == (same,)
    assert check_packages([same], policy) == (same,)


@pytest.mark.parametrize(
    ("allow", "name"),
    [
        (["pandas"], "Pandas>=2"),
        (["numpy*"], "numpy-financial"),
        (["acme_?"], "acme.x"),
        (["pandas>=2,<3"], "pandas"),
    ],
)
def test_what_is_allowed_by_name_may_be_asked_for(allow, name):
    """Names, patterns, and names with bounds allow; spelling does not matter."""
    assert len(check_packages([name], PackagePolicy(allow=allow))) == 1


@pytest.mark.parametrize(
    ("allow", "asked", "why"),
    [
        ([], "pandas", "'pandas' is not allowed: PackagePolicy.allow has nothing"),
        (["pandas"], "pandas-stubs", "'pandas-stubs' is not allowed: .* has pandas"),
        (["numpy?"], "numpy", "'numpy' is not allowed"),
        (["*"], "./local", "paths and options of installers are not taken"),
        (["*"], "--index-url=https://evil.example", "is no requirement"),
        (["*"], "-r other.txt", "is no requirement"),
        (["*"], "a\n--pre", "is no requirement"),
        (["*"], "a ==", "is no requirement"),
        (["*"], "a; python_version > '3\n--pre'", "is no requirement"),
        (["*"], "a @ https://example.com/a.whl\n--pre", "is no requirement"),
        (["*"], "a @ ./local.whl", "names a URL or a path"),
        (["*"], "a @ file:///tmp/a-1-py3-none-any.whl", "names a URL or a path"),
        (["*"], "a @ git+https://tok:en@example.com/a", r"git\+https://\*\*\*@example.com/a"),
    ],
)
def test_what_is_not_allowed_is_named(allow, asked, why):
    """A refusal names the requirement, and no credentials of its URL."""
    with pytest.raises(ConfigError, match=why) as caught:
        KernelConfig(packages=[asked], package_policy=PackagePolicy(allow=allow))
    assert caught.value.key == "packages"
    assert "tok:en" not in str(caught.value)


def test_without_a_policy_nothing_is_allowed():
    """Packages alone are refused, and the message says what to write."""
    with pytest.raises(ConfigError, match=r"PackagePolicy\(allow=\['pandas'\]\)"):
        KernelConfig(packages=["pandas>=2"])


def test_those_of_skills_are_never_meant_by_a_word():
    """Agents write skills, so a configuration cannot say "whatever skills want"."""
    with pytest.raises(ConfigError, match="deps sync"):
        KernelConfig(packages="skills", package_policy=PackagePolicy(allow=["*"]))


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        (WHEEL_URL, True),
        (WHEEL_URL + "#sha256=00", True),
        ("https://files.example.com/wheels/../x/acme-1.0-py3-none-any.whl", False),
        ("https://files.example.com/wheels/%2e%2e/acme-1.0-py3-none-any.whl", False),
        ("https://files.example.com/wheels-of-others/acme-1.0-py3-none-any.whl", False),
        ("https://files.example.com@evil.example/wheels/acme-1.0-py3-none-any.whl", False),
        ("https://files.example.com.evil.example/wheels/acme-1-py3-none-any.whl", False),
        ("http://files.example.com/wheels/acme-1.0-py3-none-any.whl", False),
        ("https://files.example.com/wheels/acme-1.0.tar.gz", False),
        ("https://files.example.com/wheels/${HOME}/acme-1.0-py3-none-any.whl", False),
    ],
)
def test_urls_must_lie_below_an_allowed_one(url, allowed):
    """Only wheels, only below the beginnings given, and without variables of the host."""
    if allowed:
        assert check_packages([f"acme @ {url}"], BELOW) == (f"acme @ {url}",)
    else:
        with pytest.raises(ConfigError):
            check_packages([f"acme @ {url}"], BELOW)


@pytest.mark.parametrize("entry", ["", "a b", "numpy*>=2", "pandas==two", "https://x.example"])
def test_a_wrong_allow_list_is_an_error(entry):
    """An entry that can allow nothing is told at once."""
    with pytest.raises(ConfigError, match="key 'allow'"):
        PackagePolicy(allow=[entry])


def test_the_digest_is_that_of_the_content():
    """Order and spelling do not change it; versions, bounds, sources and interpreter do."""

    def digest(*packages: str, allow: tuple[str, ...] = ("*",), **more: object) -> str:
        policy = PackagePolicy(allow=allow, **more)
        return Spec.of(KernelConfig(packages=packages, package_policy=policy)).digest

    same = digest("a>=1", "b")
    assert digest("B", "a >= 1", "b") == same
    assert digest("b", "a>=1", directory="elsewhere", installer="pip", timeout=1) == same
    others = [
        digest("a>=2", "b"),
        digest("a>=1"),
        digest("a>=1", "b", allow=("*", "c<2")),
        digest("a>=1", "b", allow_sources=True),
    ]
    assert len({same, *others}) == 5


def test_an_environment_stands_on_the_interpreter_itself(tmp_path):
    """A virtual environment's interpreter and its base lead to one environment."""
    policy = PackagePolicy(allow=["*"])
    base = interpreter_of(None).executable
    assert Spec.make(["a"], policy, base) == Spec.make(["a"], policy, sys.executable)
    link = tmp_path / "python"
    link.symlink_to(base)
    assert Spec.make(["a"], policy, link).digest == Spec.make(["a"], policy).digest


@given(
    st.text(st.characters(codec="utf-8"), max_size=40), st.sampled_from(["", "[", ";", "@", ">="])
)
def test_what_passes_is_one_line_and_stays_the_same(text, after):
    """Whatever is written, what passes is one requirement on one line, and passes again as it is."""
    policy = PackagePolicy(allow=["*"], allow_urls=["https://example.com"], allow_sources=True)
    try:
        (passed,) = check_packages([f"a{after}{text}"], policy)
    except ConfigError:
        return
    assert passed.isprintable()
    assert check_packages([passed], policy) == (passed,)


def test_kernels_get_the_ipykernel_that_we_support():
    """The bounds of ipykernel in environments are those of our own dependency."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert KERNEL in project["dependencies"]


@pytest.mark.parametrize("python", ["no-such-python", "true"])
def test_what_is_no_interpreter_is_an_error(python):
    """A program that is missing, or is not Python, is named."""
    with pytest.raises(ConfigError, match=python):
        interpreter_of(python)


def test_an_interpreter_that_is_too_old_is_an_error(tmp_path):
    """An interpreter that kernels cannot run in is told before anything is made."""
    answer = {"executable": "/x", "version": "3.10.13", "implementation": "a", "platform": "b"}
    old = tmp_path / "python3.10"
    old.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
    old.chmod(0o755)
    with pytest.raises(ConfigError, match=r"is Python 3\.10\.13; kernels need 3\.11"):
        interpreter_of(old)


def test_needs_of_skills_are_judged_one_by_one():
    """Each requirement is there once, with the skills that want it and why it is refused."""
    skills = {"b": ["Tomli>=2", "evil"], "a": ["tomli >= 2"], "c": []}
    needs = needs_of(skills, PackagePolicy(allow=["tomli"]), ["==="])
    assert [(need.requirement, need.skills, bool(need.refused)) for need in needs] == [
        ("===", ("(asked for)",), True),
        ("evil", ("b",), True),
        ("tomli>=2", ("a", "b"), False),
    ]
