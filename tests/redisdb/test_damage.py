"""What somebody else has spoilt, or put beside ours, is told and stops nothing else."""

from __future__ import annotations

import pytest

from py_code_mode.errors import ArtifactError, SkillError
from py_code_mode.skills import SkillUsage
from tests.redisdb.conftest import TOOL, Stores, skill


def test_damage_is_told_and_hides_nothing_else(stores, server, caplog):
    """A record or content that somebody else spoilt is named; it can be replaced and deleted."""
    stores.fill()
    base = f"{{{stores.prefix}}}:"
    stores.skills.save(skill("b"))
    with server.client() as client:
        client.hset(f"{base}skills:present", "b", "rubbish")
        client.hset(f"{base}artifacts:index", "deep/odd", "rubbish")
        client.hset(f"{base}tools:files", "odd", b"\xff\xfe")
        for key in client.scan_iter(f"{base}artifacts:content:*"):
            client.hset(key, "0", b"y")
        client.delete(f"{base}skills:version")
    fresh = Stores(server.client(), stores.prefix)
    with pytest.raises(SkillError, match="skill 'b': what Redis holds of it is damaged"):
        fresh.skills.load("b")
    assert fresh.skills.load("a").number == 2
    with pytest.raises(ArtifactError, match=r"artifact 'deep/large' is damaged: Redis at .*socket"):
        fresh.artifacts.load("deep/large")
    assert [info.name for info in fresh.artifacts.list()] == ["deep/large", "deep/small"]
    assert "record in Redis is damaged" in caplog.text
    with pytest.raises(ArtifactError, match="record in Redis is damaged"):
        fresh.artifacts.load("deep/odd")
    fresh.artifacts.save("deep/odd", 1)
    assert fresh.artifacts.load("deep/odd") == 1
    assert fresh.tools.documents()[1].keys() == {"hello", "odd"}
    fresh.artifacts.save("deep/large", b"x" * 3_000_000)
    assert fresh.artifacts.load("deep/large") == b"x" * 3_000_000
    assert fresh.skills.save(skill("b", 7))
    assert fresh.skills.load("b") == skill("b", 7)
    assert fresh.skills.delete("b")


def test_what_others_put_beside_ours_stops_nothing(stores, server):
    """Names that are no text, counts and versions that are none: everything else goes on."""
    base = f"{{{stores.prefix}}}:"
    stores.fill()
    stores.skills.add_usage({"a": SkillUsage(1)})
    with server.client() as client:
        for key in ("skills:present", "skills:uses", "artifacts:index", "tools:files"):
            client.hset(base + key, b"\xff", b"rubbish")
        client.hset(f"{base}skills:uses", "a", "rubbish")
        client.hset(f"{base}skills:former:a", "rubbish", "rubbish")
        for key in ("skills:version", "artifacts:bytes", "tools:version"):
            client.set(base + key, "rubbish")
    other = Stores(server.client(), stores.prefix)
    assert other.skills.names() == ["a", "\N{REPLACEMENT CHARACTER}"]
    assert other.skills.save(skill("a", 3), creator="half a pair: \ud800")
    assert [version.number for version in stores.skills.versions("a")] == [3, 2, 1]
    other.skills.add_usage({"a": SkillUsage(2, 1, 0.5, 3.0)})
    assert other.skills.usage("a") == {"a": SkillUsage(2, 1, 0.5, 3.0)}
    other.artifacts.save("b", 1)
    assert other.artifacts.delete("b")
    assert other.tools.put("b", TOOL.replace("hello", "b"))
    assert other.tools.get("\ud800") is None
    assert not other.tools.delete("\ud800")
