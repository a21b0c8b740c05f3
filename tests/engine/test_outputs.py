"""Rich outputs: what real libraries show comes back as its own formats."""

from __future__ import annotations

import json

import nbformat
import pytest

from py_code_mode import Displayed, RemoteValue, Updated


async def test_matplotlib_gives_a_png(executor):
    """A figure is shown as PNG with no set-up, once."""
    result = await executor.run("import matplotlib.pyplot as plt\n_ = plt.plot([1, 2, 3])")
    (output,) = [output for output in result.outputs if output.png]
    assert output.kind == "display"
    assert output.png.startswith(b"\x89PNG")
    assert (await executor.run("1")).outputs[0].png is None


async def test_pandas_gives_html_and_the_frame_itself(executor):
    """A DataFrame shows as HTML and text, and its value is an equal DataFrame."""
    import pandas as pd

    result = await executor.run(
        "import pandas as pd\npd.DataFrame({'a': [1, 2], 'b': ['x', None], 'c': [0.5, float('nan')]})"
    )
    (output,) = result.outputs
    assert output.kind == "result"
    assert "<table" in output.html
    assert "a" in output.text
    expected = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [0.5, float("nan")]})
    pd.testing.assert_frame_equal(result.value, expected)


async def test_numpy_values_keep_dtype_and_shape(executor):
    """An array comes back as an array, a numpy scalar as that scalar."""
    import numpy as np

    result = await executor.run("import numpy as np\nnp.arange(6, dtype='int16').reshape(2, 3)")
    assert result.value.dtype == np.dtype("int16")
    assert result.value.tolist() == [[0, 1, 2], [3, 4, 5]]
    scalar = (await executor.run("np.float32(0.5)")).value
    assert type(scalar) is np.float32


async def test_polars_frames_cross(executor):
    """A polars frame comes back as an equal polars frame."""
    import polars as pl

    result = await executor.run(
        "import polars as pl\npl.DataFrame({'a': [1, 2], 'b': ['x', None]})"
    )
    assert result.value.equals(pl.DataFrame({"a": [1, 2], "b": ["x", None]}))


async def test_plotly_gives_its_figure(executor):
    """A plotly figure is shown as its own JSON format, and as a page for who does not know that."""
    result = await executor.run(
        "import plotly.graph_objects as go\ngo.Figure(go.Bar(y=[1, 3, 2]))", timeout=60
    )
    (figure,) = [output for output in result.outputs if output.plotly]
    assert figure.plotly["data"][0]["type"] == "bar"
    assert "Plotly.newPlot" in figure.html
    assert isinstance(result.value, RemoteValue)


async def test_altair_gives_vega_lite(executor):
    """An altair chart is shown as a Vega-Lite specification, or as what the user asks for."""
    result = await executor.run(
        "import altair as alt, pandas as pd\n"
        "alt.Chart(pd.DataFrame({'x': [1], 'y': [2]})).mark_point().encode(x='x', y='y')"
    )
    (shown,) = result.outputs
    assert shown.vegalite["mark"]["type"] == "point"
    assert shown.data["application/vnd.vegalite.v5+json"] == shown.vegalite, "JupyterLab's"
    assert shown.html is None
    result = await executor.run("_ = alt.renderers.enable('html')\nOut[1]")
    assert "vegaEmbed" in result.outputs[-1].html
    assert result.outputs[-1].vegalite is None


@pytest.mark.parametrize(
    ("code", "attribute", "expected"),
    [
        ("from IPython.display import HTML\nHTML('<b>hi</b>')", "html", "<b>hi</b>"),
        ("from IPython.display import Markdown\nMarkdown('*hi*')", "markdown", "*hi*"),
        ("from IPython.display import Latex\nLatex('$x^2$')", "latex", "$x^2$"),
        (
            "from IPython.display import SVG\nSVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')",
            "svg",
            None,
        ),
        ("from IPython.display import JSON\nJSON({'a': [1]})", "json", {"a": [1]}),
        ("from IPython.display import Javascript\nJavascript('1')", "javascript", "1"),
    ],
)
async def test_ipython_displays(executor, code, attribute, expected):
    """IPython's display objects come back under their format's attribute."""
    (output,) = (await executor.run(code)).outputs
    shown = getattr(output, attribute)
    if attribute == "svg":
        assert "<svg" in shown
    else:
        assert shown == expected


async def test_displays_are_updated_in_place(executor):
    """An update replaces the display of that id; listeners are told."""
    code = "handle = display('one', display_id=True)\nprint('between')\nhandle.update('two');"
    events = [event async for event in executor.stream(code)]
    assert [event.output.text for event in events if isinstance(event, Displayed)] == ["'one'"]
    assert [event.output.text for event in events if isinstance(event, Updated)] == ["'two'"]
    result = events[-1].result
    assert [output.text for output in result.outputs] == ["'two'", "between\n"]
    assert result.outputs[0].display_id


async def test_clear_output_is_honoured(executor):
    """Cleared output is gone; ``wait=True`` clears when the next output comes."""
    result = await executor.run(
        "from IPython.display import clear_output\nprint('a'); clear_output(); print('b')"
    )
    assert result.stdout == "b\n"
    waiting = await executor.run("print('a'); clear_output(wait=True)")
    assert waiting.stdout == "a\n"


async def test_tqdm_progress_is_one_line(executor):
    r"""Progress drawn with ``\r`` ends as its last state."""
    result = await executor.run(
        "from tqdm import tqdm\nfor _ in tqdm(range(50), mininterval=0, ascii=True): pass"
    )
    assert result.stderr.count("\n") == 1
    assert "50/50" in result.stderr
    assert " 0/50" not in result.stderr


@pytest.mark.parametrize("half", ["\\ud800", "\\udc80"])
async def test_half_a_character_is_shown(executor, half):
    """Lone surrogates, which names of files may have, neither stop a cell nor lose its output."""
    result = await executor.run(f"print('{half} x'); raise ValueError('{half}')", timeout=10)
    assert result.stdout == "? x\n"
    assert result.error.name == "ValueError"
    assert (await executor.run(f"'{half}'")).value == half.encode().decode("unicode_escape")


async def test_streams_and_displays_keep_their_order(executor):
    """Outputs are in the order they were made; neighbouring prints are one."""
    result = await executor.run(
        "import sys\nprint('a'); print('b'); display('c'); print('d', file=sys.stderr)\n'e'"
    )
    kinds = [(output.kind, output.name, output.text) for output in result.outputs]
    assert kinds == [
        ("stream", "stdout", "a\nb\n"),
        ("display", None, "'c'"),
        ("stream", "stderr", "d\n"),
        ("result", None, "'e'"),
    ]


@pytest.mark.parametrize(
    "expression",
    [
        "None",
        "True",
        "-7",
        "2**300",
        "1.5",
        "float('-inf')",
        "-0.0",
        "3+4j",
        "'grüße'",
        "'\\ud800'",
        "b'\\x00\\xff' * 3000",
        "[1, [2, []]]",
        "(1,)",
        "{'a': 1, 2: (3,)}",
        "{1, 2}",
        "frozenset({3})",
        "range(1, 10, 2)",
        "__import__('datetime').date(2026, 2, 3)",
        "__import__('datetime').datetime(2026, 2, 3, 4, 5, 6, 7, "
        "tzinfo=__import__('datetime').timezone.utc)",
        "__import__('datetime').timedelta(1, 2, 3)",
        "__import__('decimal').Decimal('1.10')",
        "__import__('fractions').Fraction(1, 3)",
        "__import__('uuid').UUID(int=5)",
        "__import__('pathlib').Path('/a/b')",
        "bytearray(b'x')",
    ],
)
async def test_values_come_back_exactly(executor, expression):
    """The last expression's value has the same type and value on the host."""
    result = await executor.run(expression)
    expected = eval(expression)
    assert type(result.value) is type(expected)
    assert repr(result.value) == repr(expected)


async def test_enums_and_dataclasses_are_plain_data(executor):
    """An Enum member gives its value, a dataclass a dict of its fields."""
    result = await executor.run(
        "import dataclasses, enum\nclass E(enum.Enum):\n    A = 'a'\n"
        "@dataclasses.dataclass\nclass D:\n    x: int\n    y: E\n(E.A, D(1, E.A))"
    )
    assert result.value == ("a", {"x": 1, "y": "a"})


async def test_a_lookalike_is_never_taken_for_the_real_thing(executor):
    """An object whose repr looks like a list is a RemoteValue, and its handle reaches it."""
    result = await executor.run(
        "class Fake:\n    def __repr__(self): return '[1, 2, 3]'\n    hidden = 5\nFake()"
    )
    assert isinstance(result.value, RemoteValue)
    assert result.value.repr == "[1, 2, 3]"
    assert "Fake" in result.value.type_name
    assert (await executor.run(f"{result.value.handle}.hidden")).value == 5
    assert isinstance((await executor.run("class L(list): pass\nL([1])")).value, RemoteValue)


async def test_an_object_that_displays_itself_has_a_value(executor):
    """``_ipython_display_`` shows what it likes; the value is still there."""
    result = await executor.run(
        "class Own:\n    def _ipython_display_(self): print('shown')\nOwn()"
    )
    assert result.stdout == "shown\n"
    assert isinstance(result.value, RemoteValue)


REGISTRATIONS = {
    "a type": "html.for_type(int, lambda n: f'<b>{n}</b>')",
    "a type by name": "html.for_type_by_name('builtins', 'int', lambda n: f'<b>{n}</b>')",
    "every object": "html.for_type(object, lambda n: f'<b>{n}</b>')",
    "one object": "html.singleton_printers[id(7)] = lambda n: f'<b>{n}</b>'",
    "a formatter": (
        "from IPython.core.formatters import HTMLFormatter\n"
        "class Own(HTMLFormatter):\n    def __call__(self, obj): return f'<b>{obj}</b>'\n"
        "formatters['text/html'] = Own()"
    ),
    "a bundle": (
        "get_ipython().display_formatter.mimebundle_formatter.for_type("
        "int, lambda n, **_: {'text/html': f'<b>{n}</b>'})"
    ),
}


@pytest.mark.parametrize("how", REGISTRATIONS)
async def test_what_is_registered_for_a_builtin_type_is_asked(executor, how):
    """Plain values take a short way to their text, unless somebody formats them otherwise."""
    before = (await executor.run("7")).outputs[0]
    assert (before.text, before.html) == ("7", None)
    await executor.run(
        "formatters = get_ipython().display_formatter.formatters\nhtml = formatters['text/html']\n"
        + REGISTRATIONS[how]
    )
    assert (await executor.run("7")).outputs[0].html == "<b>7</b>"
    assert (await executor.run("display(7)")).outputs[0].html == "<b>7</b>"


async def test_text_is_formatted_as_ipython_does(executor):
    """Precision and printers for plain text hold on the short way, too."""
    await executor.run("%precision 2")
    assert (await executor.run("3.14159")).outputs[0].text == "3.14"
    await executor.run(
        "text = get_ipython().display_formatter.formatters['text/plain']\n"
        "text.for_type(int, lambda n, p, cycle: p.text(f'int {n}'))"
    )
    assert (await executor.run("[1, 2]")).outputs[0].text == "[int 1, int 2]"


async def test_a_broken_repr_is_data(executor):
    """An object whose repr raises harms neither the result nor the session."""
    result = await executor.run("class Bad:\n    def __repr__(self): raise ValueError('no')\nBad()")
    assert result.error is None or result.error.name == "ValueError"
    assert (await executor.run("1 + 1")).value == 2


async def test_large_values_cross(executor):
    """10 MB of bytes, of JSON and of array come back whole."""
    assert (await executor.run("b'x' * 10_000_000")).value == b"x" * 10_000_000
    rows = (await executor.run("[{'n': n, 's': str(n)} for n in range(100_000)]")).value
    assert rows[-1] == {"n": 99_999, "s": "99999"}
    assert (await executor.run("import numpy as np; np.ones(1_250_000)")).value.sum() == 1_250_000


async def test_the_transcript_is_a_valid_notebook(executor, tmp_path):
    """The transcript validates as nbformat 4.5 and holds cells, outputs, calls and errors."""
    await executor.run("print('hello')\n6 * 7")
    await executor.run("import matplotlib.pyplot as plt; _ = plt.plot([1, 2])")
    await executor.run("1 / 0")
    path = executor.export_notebook(tmp_path / "deep" / "run.ipynb")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    first, second, third = notebook.cells
    assert first.source == "print('hello')\n6 * 7"
    assert first.outputs[0].text == "hello\n"
    assert first.outputs[1].data["text/plain"] == "42"
    assert "image/png" in second.outputs[0].data
    assert third.outputs[0].ename == "ZeroDivisionError"
    assert "application/vnd.py-code-mode.value+json" not in json.dumps(notebook)
    assert notebook == nbformat.from_dict(executor.transcript)


async def test_a_result_shows_itself_in_a_notebook(executor):
    """A result renders as HTML with escaped text and pictures inline."""
    result = await executor.run(
        "print('<script>'); import matplotlib.pyplot as plt; _ = plt.plot([1])"
    )
    bundle = result._repr_mimebundle_()
    assert "&lt;script&gt;" in bundle["text/html"]
    assert "data:image/png;base64," in bundle["text/html"]
    assert "<script>" not in bundle["text/html"]
