"""Bounds as users write them, the levels they come to, and what a confined session is like."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from py_code_mode import CodeExecutor, ConfigError, KernelConfig, Sandbox
from py_code_mode.sandbox import choose_level
from py_code_mode.sandbox.cgroup import find_parents, read_mounts


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"level": "jail"}, "level must be one of none, landlock, bwrap, gvisor, auto"),
        ({"network": "some"}, "network must be one of none, loopback, all"),
        ({"memory": "much"}, "memory must be a size such as '512MiB'"),
        ({"file_size": -1}, "file_size must be a size"),
        ({"processes": 0}, "processes must be a positive number"),
        ({"read": "/tmp"}, "read must be a list of paths"),
        ({"level": "landlock", "network": "loopback"}, None),
    ],
)
def test_bounds_that_are_none_are_refused(words, said):
    """A wrong value is an error that says which values there are."""
    if said is None:
        with pytest.raises(ConfigError, match="needs level='bwrap'"):
            choose_level(Sandbox(**words), sys.executable)
        return
    with pytest.raises(ConfigError, match=said):
        Sandbox(**words)


def test_sizes_are_read():
    """Sizes are bytes, or texts with a unit of 1024."""
    sandbox = Sandbox(memory="1.5GiB", file_size="500 KB")
    assert (sandbox.memory, sandbox.file_size) == (3 * 2**29, 500 * 2**10)
    assert Sandbox.of({"level": "none", "read": ["a"]}, Path("/x")).read == ("/x/a",)
    with pytest.raises(ConfigError, match="a sandbox has no 'cpu'"):
        Sandbox.of({"cpu": 1})


async def test_a_level_that_cannot_be_had_is_an_error_by_name():
    """Other provisioners than ours, and bwrap without a template, are refused before anything runs."""
    for config in (
        KernelConfig(provisioner="local-provisioner", sandbox="landlock"),
        KernelConfig(provisioner="py-code-mode-local", sandbox="bwrap"),
    ):
        async with CodeExecutor(kernel=config) as executor:
            with pytest.raises(ConfigError, match=r"provisioner|template"):
                await executor.run("1")


async def test_a_session_lives_in_its_own_directories(can_confine, make_executor, tmp_path):
    """Working, home and temporary directory are its own; what is granted is there; all is gone after."""
    can_confine("landlock")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "data.txt").write_text("42")
    (tmp_path / "out").mkdir()
    sandbox = Sandbox(level="landlock", read=[tmp_path / "in"], write=[tmp_path / "out"])
    executor = await make_executor(kernel=KernelConfig(sandbox=sandbox))
    code = f"""
        import os, tempfile, pathlib
        pathlib.Path({str(tmp_path / "out")!r}, "made").write_text(pathlib.Path({str(tmp_path / "in")!r}, "data.txt").read_text())
        try: pathlib.Path({str(tmp_path / "in")!r}, "data.txt").write_text("x")
        except PermissionError: print("read only")
        open("mine", "w").close()
        os.getcwd(), tempfile.gettempdir(), os.path.expanduser("~")
    """
    result = await executor.run(code)
    assert result.stdout == "read only\n"
    assert (tmp_path / "out" / "made").read_text() == "42"
    places = [Path(each) for each in result.value]
    assert len({each.parent for each in places}) == 1
    branch = await executor.fork()
    assert (await branch.run("os.path.exists('mine')")).value is True
    assert executor.sandbox.name == "landlock"
    await executor.aclose()
    assert not places[0].parent.exists()


async def test_tools_skills_and_children_work_inside(can_confine, make_executor):
    """Calls to the host, forked children that print, subprocesses and pools of processes work."""
    can_confine("landlock")
    executor = await make_executor(kernel=KernelConfig(sandbox="landlock"))
    result = await executor.run("""
        import multiprocessing, subprocess, sys
        child = multiprocessing.get_context("fork").Process(target=print, args=("from a child",))
        child.start(); child.join()
        print(subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True).stdout)
        artifacts.save("kept", [1, 2]), artifacts.load("kept")
    """)
    assert result.error is None
    assert "from a child\n" in result.stdout
    assert "42\n" in result.stdout
    assert result.value[1] == [1, 2]


V2 = "29 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
V1 = "30 1 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"


def test_mounts_of_both_versions_are_read():
    """Each controller of version 1 has its place, version 2 one for all."""
    found = dict(read_mounts(V1 + V2))
    assert found["memory"] == Path("/sys/fs/cgroup/memory")
    assert found[""] == Path("/sys/fs/cgroup")


def test_where_nothing_can_be_written_there_is_no_cgroup(tmp_path):
    """A system without cgroups, or with those of others only, has no place for one."""
    own = tmp_path / "own"
    own.write_text("0::/user.slice\n1:memory:/x\n")
    mounts = tmp_path / "mounts"
    mounts.write_text(V2.replace("/sys/fs/cgroup", str(tmp_path / "none")))
    assert find_parents(str(mounts), str(own)) == {}
    assert find_parents("/nonexistent", "/nonexistent") == {}


def test_a_group_of_version_two_is_made_beside_ours(tmp_path):
    """In version 2 the place is beside this process's group, if the controllers reach it."""
    group = tmp_path / "a" / "b"
    group.mkdir(parents=True)
    (tmp_path / "a" / "cgroup.subtree_control").write_text("memory pids\n")
    (tmp_path / "a" / "cgroup.procs").write_text("")
    own, mounts = tmp_path / "own", tmp_path / "mounts"
    own.write_text("0::/a/b\n")
    mounts.write_text(V2.replace("/sys/fs/cgroup", str(tmp_path)))
    assert find_parents(str(mounts), str(own)) == {"memory": group.parent, "pids": group.parent}
