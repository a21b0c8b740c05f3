"""Charts and widgets need no set-up: what libraries draw is shown once, in formats JupyterLab takes."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator

import pytest
from jupyter_client.asynchronous import AsyncKernelClient
from PIL import Image

from py_code_mode import CodeExecutor, ConfigError, KernelConfig

PICTURES = ("image/png", "image/svg+xml", "image/jpeg", "application/pdf")


def pictures(result) -> list[str]:
    return [mime for output in result.outputs for mime in output.data if mime in PICTURES]


CELLS = [
    ("plt.plot([1, 2]);", 1),
    ("plt.plot([1, 2]); plt.show()", 1),
    ("fig, ax = plt.subplots(); ax.plot([1]); fig", 1),
    ("fig, ax = plt.subplots(); fig.show()", 1),
    ("fig = plt.figure(); plt.plot([1]); fig;", 1),
    ("for n in range(3): plt.figure(); plt.plot([n])", 3),
    ("plt.plot([1]); plt.show(); plt.plot([2]); plt.show()", 2),
    ("(a, _), (b, _) = plt.subplots(), plt.subplots(); a", 2),
    ("from matplotlib.figure import Figure; f = Figure(); f.subplots(); f", 1),
    ("fig = plt.figure(); plt.close(fig)", 0),
    ("plt.plot([1]); 1 / 0", 1),
]


async def test_a_figure_is_shown_once(executor):
    """However a cell ends, each of its figures is shown once, and none is left for the next cell."""
    for code, count in CELLS:
        result = await executor.run(f"import matplotlib.pyplot as plt\n{code}")
        assert pictures(result) == ["image/png"] * count, code
        after = await executor.run("plt.get_fignums()")
        assert (after.value, pictures(after)) == ([], []), code


async def test_figures_that_are_kept_open_are_shown_once_too(executor):
    """Who wants figures to stay says so as in any notebook, and goes on drawing."""
    await executor.run(
        "import matplotlib.pyplot as plt\n%matplotlib inline\n"
        "%config InlineBackend.close_figures = False"
    )
    assert len(pictures(await executor.run("fig, ax = plt.subplots(); fig"))) == 1
    assert (await executor.run("plt.get_fignums()")).value == [1]


@pytest.mark.parametrize("provisioner", ["py-code-mode-local", "py-code-mode-template"])
async def test_no_window_is_opened(make_executor, provisioner, monkeypatch):
    """The backend draws into the session, also where the host's environment names another."""
    monkeypatch.setenv("MPLBACKEND", "tkagg")
    executor = await make_executor(kernel=KernelConfig(provisioner=provisioner))
    result = await executor.run(
        "import matplotlib.pyplot as plt\nplt.plot([1]); plt.show()\nplt.get_backend()"
    )
    assert "inline" in result.value
    assert pictures(result) == ["image/png"]


async def test_retina_figures_have_twice_the_pixels(make_executor):
    """Their metadata says how large they are meant to be, in kernels of every kind and branches."""
    executor = await make_executor(kernel=KernelConfig(figure_format="retina"))
    code = "import matplotlib.pyplot as plt; plt.figure(figsize=(2, 1)); plt.plot([1, 2]);"
    plain = await make_executor()
    usual = Image.open(io.BytesIO((await plain.run(code)).outputs[-1].png)).size
    own = KernelConfig(figure_format="retina", provisioner="py-code-mode-local")
    for session in (executor, await executor.fork(), await make_executor(kernel=own)):
        output = (await session.run(code)).outputs[-1]
        size = Image.open(io.BytesIO(output.png)).size
        meant = output.metadata["image/png"]
        assert abs(size[0] - 2 * usual[0]) <= 2
        assert abs(2 * meant["width"] - size[0]) <= 1
        assert abs(2 * meant["height"] - size[1]) <= 1
    variables = await executor.run("import os; [k for k in os.environ if 'FIGURE' in k]")
    assert variables.value == []


async def test_the_format_of_figures_can_be_chosen(make_executor):
    """SVG, for one; a format there is not is refused, and code may choose another."""
    executor = await make_executor(kernel=KernelConfig(figure_format="svg"))
    draw = "import matplotlib.pyplot as plt; plt.plot([1, 2]);"
    assert pictures(await executor.run(draw)) == ["image/svg+xml"]
    await executor.run("%config InlineBackend.figure_formats = ['jpeg']")
    assert pictures(await executor.run(draw)) == ["image/jpeg"]
    assert pictures(await (await executor.fork()).run(draw)) == ["image/jpeg"]
    with pytest.raises(ConfigError, match="one of png, retina, svg, jpeg, pdf, not 'gif'"):
        KernelConfig(figure_format="gif")


# --- other libraries ---------------------------------------------------------------------------


async def test_bokeh_shows_scripts(executor):
    """As in any notebook ``output_notebook`` loads bokeh's scripts, and ``show`` gives one that draws."""
    result = await executor.run(
        "from bokeh.io import output_notebook, show\nfrom bokeh.plotting import figure\n"
        "output_notebook(hide_banner=True)\np = figure(width=200, height=200); p.line([1, 2], [3, 4])\nshow(p)"
    )
    assert "application/vnd.bokehjs_load.v0+json" in result.outputs[0].data
    last = result.outputs[-1]
    assert "application/vnd.bokehjs_exec.v0+json" in last.data
    assert last.metadata["application/vnd.bokehjs_exec.v0+json"]["id"] in last.javascript


@pytest.fixture
async def lab(executor: CodeExecutor) -> AsyncIterator[AsyncKernelClient]:
    """Another client of the session's kernel, as JupyterLab would be."""
    await executor.start()
    client = AsyncKernelClient()
    client.load_connection_file(
        executor.default._cells.slot.current.launched.manager.connection_file
    )
    client.start_channels()
    await client.wait_for_ready(timeout=30)
    yield client
    client.stop_channels()


async def message(client: AsyncKernelClient, kind: str) -> dict:
    """Wait for the next message of a kind on iopub."""
    async with asyncio.timeout(30):
        while True:
            found = await client.get_iopub_msg()
            if found["msg_type"] == kind:
                return found


async def test_widgets_talk_to_other_clients(executor, lab):
    """A widget's comm opens on iopub; what a client sends on shell changes it, for the agent too."""
    result = await executor.run(
        "import ipywidgets\nslider = ipywidgets.IntSlider(value=3, max=50)\nseen = []\n"
        "slider.observe(lambda change: seen.append(change['new']), 'value')\nslider"
    )
    view = result.outputs[-1].data["application/vnd.jupyter.widget-view+json"]
    models = {}
    while view["model_id"] not in models:
        opened = (await message(lab, "comm_open"))["content"]
        assert opened["target_name"] == "jupyter.widget"
        models[opened["comm_id"]] = opened["data"]["state"]
    assert models[view["model_id"]]["_model_name"] == "IntSliderModel"
    assert models[view["model_id"]]["value"] == 3
    data = {"method": "update", "state": {"value": 42}, "buffer_paths": []}
    moved = lab.session.msg("comm_msg", {"comm_id": view["model_id"], "data": data})
    lab.shell_channel.send(moved)
    echo = await message(lab, "comm_msg")
    assert echo["parent_header"]["msg_id"] == moved["header"]["msg_id"]
    assert (await executor.run("slider.value, seen")).value == (42, [42])
    await executor.run("slider.value = 7")
    async with asyncio.timeout(30):
        while (await message(lab, "comm_msg"))["content"]["data"].get("state") != {"value": 7}:
            pass
    assert (await executor.run("1 + 1")).value == 2


async def test_widgets_work_in_a_branch(make_executor):
    """A fork has its own widgets: what they say goes to its own clients."""
    executor = await make_executor()
    await executor.run("import ipywidgets; slider = ipywidgets.IntSlider(value=3)")
    branch = await executor.fork()
    result = await branch.run("slider.value = 9\nipywidgets.IntText(value=slider.value)")
    assert "application/vnd.jupyter.widget-view+json" in result.outputs[-1].data
    assert (await executor.run("slider.value")).value == 3
