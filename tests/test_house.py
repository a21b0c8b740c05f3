"""The rules of the house: style, types, layers, sizes, names, and what may import what."""

from __future__ import annotations

import ast
import importlib
import inspect
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

import py_code_mode
from tests.conftest import ROOT

PACKAGES = ("py_code_mode", "kernel_bootstrap")
SOURCES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MODULES = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in SOURCES]
IMPORTABLE = [name.removesuffix(".__init__") for name in MODULES if not name.endswith("__main__")]

MAX_FILE = 300
MAX_FUNCTION = 40


def shown(path: Path) -> str:
    """A file's name as a message shows it."""
    return str(path.relative_to(ROOT))


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a program of this environment in the root of the repository."""
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a tool that is installed beside this interpreter."""
    return run(str(Path(sys.executable).parent / name), *arguments)


# --- tools -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("lint-imports",),
        ("mypy", "--strict", "-p", "py_code_mode", "-p", "kernel_bootstrap"),
    ],
    ids=" ".join,
)
@pytest.mark.timeout(300)
def test_the_tools_find_nothing(command):
    """Linter, formatter, import contracts and strict types have nothing to say."""
    done = tool(*command)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


# --- sizes -------------------------------------------------------------------------------------


def test_files_are_short():
    """No source file has more than 300 lines."""
    lengths = {shown(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE} == {}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions of a module, nested ones and methods too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def code_lines(source: str) -> set[int]:
    """Numbers of the lines that hold code: no comments, no blank lines."""
    ignored = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENCODING,
        tokenize.ENDMARKER,
    }
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in ignored:
            lines.update(range(token.start[0], token.end[0] + 1))
    return lines


def test_functions_are_short():
    """No function has more than 40 lines of code; docstrings, comments and blanks do not count."""
    long = {}
    for path in SOURCES:
        source = path.read_text()
        coded = code_lines(source)
        for function in functions(ast.parse(source)):
            lines = coded & {*range(function.lineno, (function.end_lineno or 0) + 1)}
            if ast.get_docstring(function) is not None:
                docstring = function.body[0]
                lines -= {*range(docstring.lineno, (docstring.end_lineno or 0) + 1)}
            if len(lines) > MAX_FUNCTION:
                long[f"{shown(path)}:{function.lineno} {function.name}"] = len(lines)
    assert long == {}


# --- imports -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """What imports what at run time."""
    return grimp.build_graph(
        *PACKAGES,
        include_external_packages=True,
        exclude_type_checking_imports=True,
        cache_dir=None,
    )


def test_there_are_no_import_cycles(graph):
    """No module imports itself by way of others, not even inside functions."""
    own = [name for name in graph.modules if name.partition(".")[0] in PACKAGES]
    ahead = {name: graph.find_modules_directly_imported_by(name) & {*own} for name in own}
    done: set[str] = set()

    def cycle_from(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for imported in sorted(ahead[name]):
            found = cycle_from(imported, [*path, name])
            if found:
                return found
        done.add(name)
        return []

    cycles = [found for name in sorted(own) if (found := cycle_from(name, []))]
    assert cycles == []


def test_the_bootstrap_imports_what_ipykernel_brings(graph):
    """``kernel_bootstrap`` needs the standard library, ipykernel and what that stands on alone."""
    brought = {"IPython", "ipykernel", "jupyter_client", "packaging", "tornado", "traitlets", "zmq"}
    libraries = {"numpy", "pandas", "polars", "pyarrow"}  # used when the kernel has them
    own = [name for name in graph.modules if name.partition(".")[0] == "kernel_bootstrap"]
    outside: dict[str, set[str]] = {}
    for name in own:
        for imported in graph.find_modules_directly_imported_by(name):
            top = imported.partition(".")[0]
            if top != "kernel_bootstrap" and top not in sys.stdlib_module_names:
                outside.setdefault(top, set()).add(name)
    assert outside.keys() <= brought | libraries
    assert outside["packaging"] == {"kernel_bootstrap.packages"}
    for top in (brought - {"packaging"}) & outside.keys():
        assert all(name.startswith("kernel_bootstrap.kernel.") for name in outside[top])
    for top in libraries & outside.keys():
        assert all(name.startswith("kernel_bootstrap.wire.") for name in outside[top])


def top_level(tree: ast.Module) -> Iterator[str]:
    """Names of the packages a module imports as it is itself imported."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


def test_the_wire_loads_no_library():
    """Arrays and frames are known to the wire, but it never loads what the kernel has not."""
    for path in (ROOT / "kernel_bootstrap" / "wire").glob("*.py"):
        imported = {*top_level(ast.parse(path.read_text()))}
        assert imported <= {*sys.stdlib_module_names, "kernel_bootstrap"}, shown(path)


def test_importing_the_package_loads_nothing_heavy():
    """``import py_code_mode`` loads none of the libraries that take time."""
    heavy = {
        *("sklearn", "mcp", "redis", "httpx", "starlette", "jupyter_client", "zmq", "pydantic"),
        *(
            "numpy",
            "pandas",
            "polars",
            "nbformat",
            "IPython",
            "ipykernel",
            "yaml",
            "asyncio",
            "ray",
        ),
    }
    program = "import sys, py_code_mode; print(*{n.partition('.')[0] for n in sys.modules})"
    done = run(sys.executable, "-c", program)
    assert done.returncode == 0, done.stderr
    assert heavy & {*done.stdout.split()} == set()


# --- names -------------------------------------------------------------------------------------


def imported_for_types() -> set[str]:
    """What the package imports for type checkers."""
    names: set[str] = set()
    for node in ast.parse(Path(py_code_mode.__file__).read_text()).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for each in node.body:
                assert isinstance(each, ast.ImportFrom)
                names |= {alias.asname or alias.name for alias in each.names}
    return names


def test_public_names_agree():
    """What is listed, what type checkers see and what loads on use are the same names."""
    assert py_code_mode.__all__ == sorted(py_code_mode.__all__)
    assert len(py_code_mode.__all__) == len({*py_code_mode.__all__})
    assert {*py_code_mode.__all__} == {*py_code_mode._MODULE_OF} == imported_for_types()
    listed = [name for names in py_code_mode._WHERE.values() for name in names]
    assert len(listed) == len({*listed})
    assert {*py_code_mode.__all__} <= {*dir(py_code_mode)}


@pytest.mark.parametrize("name", py_code_mode.__all__)
def test_public_names_resolve(name):
    """Each public name is there, and is what its own module says it is."""
    value = getattr(py_code_mode, name)
    home = importlib.import_module(py_code_mode._MODULE_OF[name])
    assert value is getattr(home, name)
    assert name in home.__all__


def test_unknown_names_are_attribute_errors():
    """A name that is not public is missing, in the words Python uses."""
    with pytest.raises(AttributeError, match="module 'py_code_mode' has no attribute 'nope'"):
        _ = py_code_mode.nope


@pytest.mark.parametrize("name", IMPORTABLE)
def test_each_module_documents_what_it_offers(name):
    """Modules, and the public classes and functions in their ``__all__``, have docstrings."""
    module = importlib.import_module(name)
    assert module.__doc__, name
    listed = getattr(module, "__all__", [])
    assert [*listed] == sorted(listed, key=_ruffs_order)
    for each in listed:
        value = getattr(module, each)
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        if not value.__module__.startswith(PACKAGES):
            continue
        assert value.__doc__, f"{name}.{each}"
        if inspect.isclass(value):
            for method, function in vars(value).items():
                if inspect.isfunction(function) and not method.startswith("_"):
                    assert function.__doc__, f"{name}.{each}.{method}"


def _ruffs_order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest, as ruff sorts ``__all__``."""
    return (0 if name.isupper() else 1 if name.lstrip("_")[:1].isupper() else 2, name)


# --- tests and texts ---------------------------------------------------------------------------


def test_each_test_states_its_promise():
    """Every test function has a docstring of one sentence."""
    wrong = []
    for path in TESTS:
        for function in functions(ast.parse(path.read_text())):
            if not function.name.startswith("test_"):
                continue
            text = " ".join((ast.get_docstring(function) or "").split())
            if not text.endswith(".") or re.search(r"[.!?]`*\s+[A-Z]", text):
                wrong.append(f"{shown(path)}:{function.lineno} {function.name}")
    assert wrong == []


def test_no_mock_library_is_used():
    """Fakes are written out in named files."""
    mocks = re.compile(r"^\s*(?:import|from)\s+(?:unittest\.mock|mock|pytest_mock)\b", re.MULTILINE)
    assert [shown(path) for path in TESTS if mocks.search(path.read_text())] == []


HOMES = re.compile(r"(?<![\w.])/(?:home|Users|root|work)/[\w.-]+")


def test_no_file_names_a_home_directory():
    """No tracked file has the path of somebody's home or working directory in it."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    assert listed.returncode == 0, listed.stderr
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if not path.is_file():
            continue  # deleted, not yet committed
        text = path.read_bytes().decode("utf-8", "replace")
        found += [f"{name}: {match}" for match in HOMES.findall(text)]
    assert found == []
