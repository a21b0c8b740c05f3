"""What every store of artifacts promises about quotas and expiry, and about finding things."""

from __future__ import annotations

import datetime as dt
import time

import pytest

from py_code_mode.errors import ArtifactNotFoundError, ArtifactWriteError, ConfigError


def wait_until(moment: float) -> None:
    while time.time() < moment:
        time.sleep(0.005)


def test_one_artifact_may_have_so_many_bytes(open_store):
    """An artifact over max_artifact_bytes is refused, saying both numbers; nothing is kept."""
    store = open_store(max_artifact_bytes=1_000)
    store.save("x", b"a" * 1_000)
    with pytest.raises(ArtifactWriteError, match=r"1,001 bytes or more; 1,000 are allowed"):
        store.save("x", b"a" * 1_001)
    writer = store.open_write("y")
    writer.write(b"a" * 600)
    with pytest.raises(ArtifactWriteError, match="max_artifact_bytes"):
        writer.write(b"a" * 600)
    assert writer.closed
    assert [info.size for info in store.list()] == [1_000]


def test_all_artifacts_may_have_so_many_bytes(open_store):
    """What does not fit beside the others is refused; what it replaces does not count."""
    store = open_store(max_bytes=1_000)
    store.save("a/x", b"a" * 600)
    with pytest.raises(ArtifactWriteError, match=r"use 600 of the 1,000 bytes .*max_bytes"):
        store.save("y", b"a" * 401)
    store.save("y", b"a" * 400)
    store.save("a/x", b"b" * 600)
    with pytest.raises(ArtifactWriteError, match="use 400 of the 1,000"):
        store.save("a/x", b"b" * 601)
    assert store.load("a/x") == b"b" * 600
    store.delete("a/x")
    store.save("z", b"c" * 600)
    assert [info.name for info in store.list()] == ["y", "z"]


def test_writers_at_once_never_hold_more_than_there_is_room_for(open_store):
    """What is being written takes room before it is kept; what is given up gives it back."""
    store = open_store(max_bytes=1_000)
    store.save("old", b"a" * 100)
    one, two = store.open_write("1"), store.open_write("2")
    one.write(b"a" * 600)
    with pytest.raises(ArtifactWriteError, match=r"use 100 and those being written 600 of the 1,0"):
        two.write(b"a" * 301)
    assert two.closed
    store.save("2", b"a" * 300)
    one.abort()
    with store.open_write("3") as three:
        three.write(b"a" * 500)
        three.write(b"a" * 100)
    assert [info.size for info in store.list()] == [300, 600, 100]
    with store.open_write("3") as three:  # what it replaces does not count, however it comes
        for _ in range(6):
            three.write(b"b" * 100)
    store.delete("3")
    store.save("4", b"a" * 600)


def test_the_last_word_is_at_the_commit(open_store):
    """Room that another process has taken meanwhile is gone, and the error says so."""
    store, other = open_store(max_bytes=1_000), open_store(max_bytes=1_000)
    if store.save("old", b"a" * 100) not in other.list():
        pytest.skip("nobody else can see this store")
    writer = store.open_write("1")
    writer.write(b"a" * 500)
    another = open_store()  # one that knows no bound
    another.save("2", b"a" * 500)
    with pytest.raises(ArtifactWriteError, match="use 600 of the 1,000"):
        writer.commit()
    assert [info.name for info in other.list()] == ["2", "old"]


@pytest.mark.parametrize("bad", [-1, 1.5, "1 GB", True])
def test_a_quota_is_a_number_of_bytes(open_store, bad):
    """A quota that is no number of bytes is refused, naming the argument."""
    with pytest.raises(ConfigError, match=r"'max_bytes'.*number of bytes"):
        open_store(max_bytes=bad)
    with pytest.raises(ConfigError, match="'max_artifact_bytes'"):
        open_store(max_artifact_bytes=bad)


def test_what_has_expired_is_not_there(store):
    """After its time an artifact is not found by any verb, and its name is free."""
    info = store.save("a/x", 1, ttl=0.3)
    later = store.save("y", 1, expires=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
    assert store.load("a/x") == 1
    assert later.expires == pytest.approx(time.time() + 3_600, abs=60)
    wait_until(info.expires)
    assert store.get("a/x") is None
    assert store.exists("a/x") is False
    for read in (store.load, store.load_packed, store.read_chunks):
        with pytest.raises(ArtifactNotFoundError):
            read("a/x")
    assert store.delete("a/x") is False
    assert store.list() == [later]
    assert store.search("x") == []
    assert store.save("a/x", 2).created >= info.expires
    assert store.load("a/x") == 2
    assert store.get("a/x").expires is None


def test_what_has_expired_gives_its_room_back(open_store):
    """Bytes of expired artifacts do not count against the quota."""
    store = open_store(max_bytes=1_000)
    info = store.save("x", b"a" * 900, ttl=0.2)
    wait_until(info.expires)
    store.save("y", b"a" * 900)
    assert [info.name for info in store.list()] == ["y"]


def test_what_has_expired_is_in_nobody_s_way(store):
    """An expired artifact keeps no folder of its name from being made, nor the other way round."""
    info = store.save("a", 1, ttl=0.2)
    inner = store.save("b/c", 1, ttl=0.2)
    wait_until(max(info.expires, inner.expires))
    store.save("a/x", 2)
    store.save("b", 3)
    assert [found.name for found in store.list()] == ["a/x", "b"]


def test_ttl_and_expires_exclude_each_other(store):
    """Saying both when it ends and how long it lasts is refused, as is a time that has passed."""
    with pytest.raises(ArtifactWriteError, match="either ttl or expires"):
        store.save("x", 1, ttl=1, expires=2)
    for over in ({"ttl": 0}, {"ttl": -1}, {"expires": time.time() - 1}):
        with pytest.raises(ArtifactWriteError, match="expired already"):
            store.save("x", 1, **over)
    assert store.list() == []


def test_a_listing_can_be_narrowed(store):
    """By the beginning of their names, by a tag, or by both."""
    store.save("scans/e\u0301.json", 1, tags=["raw"])
    store.save("scans/b.json", 1, tags=["raw", "old"])
    store.save("scan.txt", "x", tags=["old"])

    def names(*args, **kwargs):
        return [info.name for info in store.list(*args, **kwargs)]

    assert names("scans/") == names(prefix="scans/") == ["scans/b.json", "scans/\u00e9.json"]
    assert names("scans/e\u0301") == ["scans/\u00e9.json"]
    assert names(tag="old") == ["scan.txt", "scans/b.json"]
    assert names("scans/", tag="old") == ["scans/b.json"]
    assert names("none") == names(tag="none") == names(tag="ra") == []


def test_search_finds_by_name_description_and_tag(store):
    """Plain words find what they are about, best first; what has nothing to do with them is not."""
    store.save("scans/monday.json", 1, "Open ports of the office network")
    store.save("weather.csv", "x", "Temperatures in Oslo", tags=["climate"])
    store.save("notes.txt", "x", "What is left to do")
    assert [info.name for info in store.search("open ports")] == ["scans/monday.json"]
    assert [info.name for info in store.search("oslo temperature")] == ["weather.csv"]
    assert [info.name for info in store.search("climate")] == ["weather.csv"]
    assert [info.name for info in store.search("monday", limit=1)] == ["scans/monday.json"]
    assert store.search("quantum chromodynamics") == []
    assert store.search("") == []
    store.delete("weather.csv")
    assert store.search("oslo") == []
