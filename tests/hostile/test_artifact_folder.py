"""Code that is not confined plays tricks in the folder of the artifacts: the host falls for none."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from py_code_mode import CodeExecutor, FileArtifactStore
from py_code_mode.errors import ArtifactError

SECRET = "what the host has elsewhere"

TRICKS = {
    "symbolic link": "os.symlink(outside, folder / 'x.txt')",
    "symbolic link over an artifact": "swap(lambda p: os.symlink(outside, p))",
    "symbolic link that hangs": "os.symlink(folder / 'nothing', folder / 'x.txt')",
    "symbolic link to itself": "os.symlink('x.txt', folder / 'x.txt')",
    "folder that is a link": "os.symlink(outside.parent, folder / 'deep')",
    "folder replaced by a link": (
        "artifacts.save('deep/x', 'mine')\n"
        "shutil.rmtree(folder / 'deep')\nos.symlink(outside.parent, folder / 'deep')"
    ),
    "hard link": "os.link(outside, folder / 'x.txt')",
    "hard link over an artifact": "swap(lambda p: os.link(outside, p))",
    "named pipe": "os.mkfifo(folder / 'x.txt')",
    "named pipe over an artifact": "swap(os.mkfifo)",
    "socket": "socket.socket(socket.AF_UNIX).bind(str(folder / 'x.txt'))",
    "link to a device": "os.symlink('/dev/zero', folder / 'x.txt')",
    "folder named like an artifact": "(folder / 'x.txt').mkdir()",
    "the store's own files as links": (
        "artifacts.save('x.txt', 'mine')\n"
        "for path in folder.rglob('.*'):\n"
        "    if path.is_file():\n"
        "        path.unlink(); os.symlink(outside, path)"
    ),
    "the whole folder as a link": (
        "shutil.rmtree(folder)\nos.symlink(outside.parent, folder, target_is_directory=True)"
    ),
}

BEGIN = """
import os, shutil, socket
from pathlib import Path
folder, outside = Path({folder!r}), Path({outside!r})

def swap(make):
    artifacts.save('x.txt', 'mine')
    for path in folder.rglob('*'):
        if path.is_file() and not path.name.startswith('.') and b'mine' in path.read_bytes():
            path.unlink()
            make(path)

"""


@pytest.mark.parametrize("trick", TRICKS)
async def test_tricks_with_links(tmp_path: Path, trick: str):
    """Whatever lies there, no verb of the host reads, changes or removes a file elsewhere, or hangs."""
    folder, elsewhere = tmp_path / "artifacts", tmp_path / "elsewhere"
    elsewhere.mkdir()
    outside = elsewhere / "x.txt"
    outside.write_text(SECRET)
    store = FileArtifactStore(folder)
    async with CodeExecutor(None, None, store) as executor:
        begin = BEGIN.format(folder=str(folder), outside=str(outside))
        played = await executor.run(begin + TRICKS[trick])
        assert played.error is None, played.error
        said = []
        for name in ("x.txt", "deep/x.txt", "x", "deep/x"):
            for verb in (
                store.load,
                store.get,
                lambda name: store.save(name, "new"),
                store.load,
                store.delete,
            ):
                with contextlib.suppress(ArtifactError):
                    said.append(str(await asyncio.wait_for(asyncio.to_thread(verb, name), 10)))
        with contextlib.suppress(ArtifactError):
            said.append(str(await asyncio.wait_for(asyncio.to_thread(store.list), 10)))
        again = await executor.run("artifacts.save('other', 1)")
    assert [each.name for each in elsewhere.iterdir()] == ["x.txt"]
    assert outside.read_text() == SECRET
    if not trick.startswith(
        "hard link"
    ):  # that is the file itself, which the code may read as well
        assert SECRET not in "".join(said)
    assert again.error is None or again.error.name.startswith("Artifact")
