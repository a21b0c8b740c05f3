"""A disk that is really full: a small file system of one's own, filled to the last byte."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNSHARE = ("unshare", "--mount", "--map-root-user", "--propagation", "private")
MOUNT = 'mount -t tmpfs -o size=2m small "$1" && shift && exec "$@"'

BEGIN = """
import asyncio, json, sys, tempfile
from pathlib import Path
from py_code_mode import CodeExecutor, FileArtifactStore, FileSkillStore, create_skill_library
from py_code_mode.errors import CodeModeError

disk = Path(sys.argv[1])
SKILL = "def run():\\n    return {0}\\n"

def fill():
    with (disk / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            return error.errno

def make_room():
    (disk / "ballast").unlink()

def files():
    found = (each for each in disk.rglob("*") if each.is_file() and each.name != "ballast")
    # Uses of skills are counted a little later.
    return sorted(str(f.relative_to(disk)) for f in found if not f.name.startswith("usage-"))

async def main():
    said = {}
"""

END = """
    print(json.dumps(said))

asyncio.run(main())
"""

STORES = """
    store = FileArtifactStore(disk / "artifacts")
    skills = create_skill_library(FileSkillStore(disk / "skills"))
    async with CodeExecutor(None, skills, store) as executor:
        said["first"] = (await executor.run(
            "artifacts.save('kept', b'old' * 1000, 'The old one')\\n"
            f"skills.create('kept', {SKILL.format(1)!r}, 'One')\\n"
            "artifacts.load('kept')[:3], skills.kept()"
        )).to_dict()
        before = files()
        said["errno"] = fill()
        for name, code in {
            "artifact": "artifacts.save('kept', b'new' * 100_000, 'The new one')",
            "new artifact": "artifacts.save('other', b'new' * 100_000)",
            "skill": f"skills.create('kept', {SKILL.format(2)!r}, 'Two', replace=True)",
            "new skill": f"skills.create('other', {SKILL.format(2)!r}, 'Two')",
        }.items():
            result = await executor.run(code)
            said[name] = [result.error.name, result.error.message]
        old = await executor.run("artifacts.load('kept') == b'old' * 1000, skills.kept()")
        said["old"] = [old.value, str(old.error)]
        names = await executor.run(
            "[each.name for each in artifacts.list()] + [each['name'] for each in skills.list()]"
        )
        said["names"] = [names.value, str(names.error)]
        said["same files"] = [before, files()]
        make_room()
        new = await executor.run(
            "artifacts.save('kept', b'new')\\n"
            f"skills.create('kept', {SKILL.format(2)!r}, 'Two', replace=True)\\n"
            "artifacts.load('kept'), skills.kept()"
        )
        said["new"] = [str(new.value), str(new.error)]
"""

SESSIONS = """
    tempfile.tempdir = str(disk)
    async with CodeExecutor(default_timeout=60) as executor:
        await executor.run("x = 1")
        said["errno"] = fill()
        flood = await executor.run("print('a' * 5_000_000)\\nx")
        said["flood"] = [flood.value, str(flood.error), len(flood.stdout), flood.stdout[:3]]
        other = await executor.session()
        try:
            await other.run("1")
        except CodeModeError as error:
            said["start"] = [type(error).__name__, str(error)]
        make_room()
        said["again"] = (await other.run("1 + 1")).value
        said["still"] = (await executor.run("x")).value
        fill()
        try:
            executor.export_notebook(disk / "run.ipynb")
        except OSError as error:
            said["export"] = str(error)
        make_room()
        said["left"] = [each for each in files() if each.startswith("run")]
        executor.export_notebook(disk / "run.ipynb")
        said["exported"] = (disk / "run.ipynb").stat().st_size > 100
    said["after"] = files()
"""


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def _on_a_small_disk(tmp_path: Path, disk: Path, body: str) -> dict:
    """Run a program that has a file system of 2 MB; return what it says."""
    script = tmp_path / "program.py"
    script.write_text(f"{BEGIN}{body}{END}")
    inside = ["sh", "-c", MOUNT, "sh", str(disk)]
    probe = [*UNSHARE, *inside, "true"]
    if shutil.which("unshare") is None or _run(probe).returncode:
        pytest.skip("file systems cannot be mounted here, not even in a namespace of one's own")
    command = [*UNSHARE, *inside, sys.executable, str(script), str(disk)]
    done = _run(command)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_stores_on_a_full_disk(tmp_path, own_temporary_directory):
    """What cannot be written is an error that says so; old versions are whole, nothing is added."""
    said = _on_a_small_disk(tmp_path, Path(own_temporary_directory), STORES)
    assert said["errno"] == 28  # ENOSPC
    for name in ("artifact", "new artifact"):
        assert said[name][0] == "ArtifactWriteError"
        assert "No space left" in said[name][1]
    for name in ("skill", "new skill"):
        assert said[name][0] == "SkillError"
        assert "No space left" in said[name][1]
    assert said["old"] == [[True, 1], "None"]
    assert said["names"] == [["kept", "kept"], "None"]
    before, after = said["same files"]
    assert before == after
    assert said["new"] == ["(b'new', 2)", "None"]


def test_sessions_on_a_full_disk(tmp_path, own_temporary_directory):
    """Cells go on; kernels that cannot start say why, and start when there is room again."""
    said = _on_a_small_disk(tmp_path, Path(own_temporary_directory), SESSIONS)
    assert said["errno"] == 28
    assert (said["flood"][0], said["flood"][1]) == (1, "None")
    assert said["flood"][2] > 0
    assert said["flood"][3] == "aaa"
    assert said["start"][0] == "KernelStartError"
    assert "No space left" in said["start"][1]
    assert (said["again"], said["still"]) == (2, 1)
    assert "No space left" in said["export"]
    assert said["left"] == []
    assert said["exported"]
    assert said["after"] == ["run.ipynb"]
