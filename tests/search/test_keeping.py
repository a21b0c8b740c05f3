"""An index kept beside its documents: read again, checked, shared."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import pickle
import random
import stat
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from py_code_mode.errors import SkillError
from py_code_mode.search import Document, FileIndexKeeper, Index, IndexKeeper, keeping, segment

DOCUMENTS = [
    Document("scan_ports", "Scan common ports on a target", "uses nmap", tags="network"),
    Document("fetch_page", "Download a web page", source="def run(url): ..."),
    Document("weather.get_alerts", "Severe weather warnings", parameters="state: two letters"),
    Document("\ud800", "A name that is no text"),
]
QUERIES = ["port scanning", "weather", "fetch_page", "nmap of the network", "download a page"]


@pytest.fixture
def keeper(tmp_path) -> FileIndexKeeper:
    return FileIndexKeeper(tmp_path / "folder" / ".search-index")


@pytest.fixture
def indexed(monkeypatch) -> list[str]:
    """Names of documents that are indexed from now on."""
    names: list[str] = []
    real = segment.build

    def build(documents, digests):
        names.extend(document.name for document in documents)
        return real(documents, digests)

    monkeypatch.setattr("py_code_mode.search.index.build", build)
    return names


def test_a_kept_index_is_opened_and_not_made_anew(keeper, indexed):
    """A second index on the same documents finds the same, and indexes nothing."""
    first = Index(DOCUMENTS, keeper=keeper)
    expected = [first.search(query) for query in QUERIES]
    assert len(indexed) == len(DOCUMENTS)
    second = Index(DOCUMENTS, keeper=keeper)
    assert [second.search(query) for query in QUERIES] == expected
    assert len(indexed) == len(DOCUMENTS)
    assert isinstance(keeper, IndexKeeper)


def test_only_what_changed_is_indexed(keeper, indexed):
    """On opening, new and changed documents are indexed, and those that are gone are not found."""
    Index(DOCUMENTS, keeper=keeper).search("x")
    indexed.clear()
    changed = Document("fetch_page", "Convert a currency")
    index = Index([DOCUMENTS[0], changed, Document("new", "Teleport frogs")], keeper=keeper)
    assert [hit.name for hit in index.search("teleport")] == ["new"]
    assert [hit.name for hit in index.search("currency")] == ["fetch_page"]
    assert index.search("weather") == index.search("download") == []
    assert sorted(indexed) == ["fetch_page", "new"]
    indexed.clear()
    again = Index([DOCUMENTS[0], changed], keeper=keeper)
    assert again.search("teleport") == []
    assert indexed == []


def test_what_is_put_and_removed_is_kept(keeper, indexed):
    """Changes to an open index are there for the next one."""
    index = Index(DOCUMENTS, keeper=keeper)
    index.search("x")
    index.put([Document("new", "Teleport frogs")])
    index.remove(["scan_ports"])
    index.search("x")
    indexed.clear()
    again = Index([*DOCUMENTS[1:], Document("new", "Teleport frogs")], keeper=keeper)
    assert [hit.name for hit in again.search("teleport")] == ["new"]
    assert indexed == []


def test_a_large_index_is_not_written_for_every_change(keeper):
    """One change in ten thousand costs no writing of all; one in a hundred does."""
    written: list[int] = []

    class Counting(FileIndexKeeper):
        def write(self, data: bytes) -> None:
            written.append(len(data))
            super().write(data)

    many = [Document(f"d{n}", f"number{n} of them") for n in range(2_000)]
    index = Index(many, keeper=Counting(keeper.path))
    index.search("x")
    for n in range(19):
        index.put([Document(f"e{n}", "apple")])
        assert index.search("apple")
    assert len(written) == 1
    index.put([Document(f"f{n}", "apple") for n in range(5)])
    index.search("apple")
    assert len(written) == 2


def _damage(data: bytes) -> list[bytes]:
    chosen = random.Random(1)
    flips = []
    for _ in range(60):
        position = chosen.randrange(len(data))
        flips.append(data[:position] + bytes([data[position] ^ 0x41]) + data[position + 1 :])
    cuts = [data[: chosen.randrange(len(data))] for _ in range(20)]
    return [b"", b"\0" * 100, b"not an index", *flips, *cuts, data + b"more"]


def test_damaged_files_are_ignored_and_made_anew(keeper):
    """Whatever became of the file, the search finds what it should, and the file is whole again."""
    index = Index(DOCUMENTS, keeper=keeper)
    expected = [index.search(query) for query in QUERIES]
    data = keeper.path.read_bytes()
    for damaged in _damage(data):
        keeper.path.write_bytes(damaged)
        again = Index(DOCUMENTS, keeper=keeper)
        assert [again.search(query) for query in QUERIES] == expected
        assert keeping.unpack(keeper.path.read_bytes()) is not None


def _forged(**changes: object) -> bytes:
    """A file whose checksum is right and whose content is not."""
    import dataclasses

    made = segment.build(DOCUMENTS, [document.digest for document in DOCUMENTS])
    return keeping.pack(keeping.Kept(dataclasses.replace(made, **changes)))


def test_a_forged_file_leads_nowhere():
    """Positions outside of what there is, repeated names and wrong numbers are refused."""
    import numpy as np

    good = segment.build(DOCUMENTS, [document.digest for document in DOCUMENTS])
    words, paired = good.words, good.paired
    far = np.full_like(words.documents, 99)
    wrong = [
        {"words": segment.Postings(words.starts, far, words.counts)},
        {"words": segment.Postings(words.starts[:-1], words.documents, words.counts)},
        {"words": segment.Postings(words.starts[::-1], words.documents, words.counts)},
        {"words": segment.Postings(words.starts, words.documents, words.counts * np.nan)},
        {"paired": segment.Postings(paired.starts, paired.documents - 9, paired.counts)},
        {"pairs": good.pairs[::-1]},
        {"pairs": good.pairs + (1 << 40)},
        {"names": ["same"] * 4},
        {"digests": ["one"]},
        {"terms": [*good.terms[:-1], good.terms[0]]},
        {"forms": [("scan", 99)]},
        {"forms": [("scan", 0.5)]},
        {"lengths": good.lengths[:-1]},
        {"lengths": -good.lengths},
        {"vectors": np.ones((4, 3), np.float32)},  # of no embedder
    ]
    assert keeping.unpack(_forged()) is not None
    assert [each for each in wrong if keeping.unpack(_forged(**each)) is not None] == []


@pytest.mark.parametrize("shape", [[-1], [2**64], [1e30], [None], 5, {}, [10**400], [2, -3]])
def test_a_forged_shape_leads_nowhere(shape):
    """An array of another shape than its bytes is refused, whatever the shape is."""
    data = _forged()
    head, length = keeping._HEAD, keeping._HEAD.unpack_from(data)[2]
    header = json.loads(data[head.size : head.size + length])
    header["arrays"]["words" if shape == {} else "lengths"] = shape
    body = json.dumps(header).encode() + data[head.size + length :]
    forged = head.pack(data[:8], zlib.crc32(body), len(json.dumps(header))) + body
    assert keeping.unpack(forged) is None


def test_nothing_is_unpickled(keeper, tmp_path):
    """A pickle in the file's place is not opened."""

    class Bomb:
        def __reduce__(self) -> object:
            return os.mkdir, (str(tmp_path / "bang"),)

    keeper.path.parent.mkdir()
    keeper.path.write_bytes(pickle.dumps(Bomb()))
    assert Index(DOCUMENTS, keeper=keeper).search("weather")
    assert not (tmp_path / "bang").exists()


def test_what_is_no_file_of_ours_is_left_alone(keeper, tmp_path):
    """A symbolic link is not followed, and a pipe or folder in the file's place is no error."""
    keeper.path.parent.mkdir()
    other = tmp_path / "other"
    other.write_text("precious")
    keeper.path.symlink_to(other)
    assert Index(DOCUMENTS, keeper=keeper).search("weather")
    assert other.read_text() == "precious"
    keeper.path.unlink()
    os.mkfifo(keeper.path)
    assert Index(DOCUMENTS, keeper=keeper).search("weather")
    keeper.path.unlink()
    keeper.path.mkdir()
    assert Index(DOCUMENTS, keeper=keeper).search("weather")


def test_a_keeper_that_fails_costs_no_search(caplog):
    """A search goes on without what is kept, and the log says why."""

    class Down:
        def read(self) -> bytes | None:
            raise SkillError("the server is down")

        def write(self, data: bytes) -> None:
            raise OSError("the server is down")

    with caplog.at_level("INFO"):
        assert Index(DOCUMENTS, keeper=Down()).search("weather")
    assert caplog.text.count("the server is down") == 2


def test_the_file_is_whole_and_readable_by_others(keeper):
    """A write leaves nothing beside the file, and others may read it as they read the skills."""
    Index(DOCUMENTS, keeper=keeper).search("x")
    assert [path.name for path in keeper.path.parent.iterdir()] == [".search-index"]
    assert stat.S_IMODE(keeper.path.stat().st_mode) == 0o644
    former = os.umask(0o077)
    try:
        keeper.write(b"private")
    finally:
        os.umask(former)
    assert stat.S_IMODE(keeper.path.stat().st_mode) == 0o600


def _write_often(path: Path, first: int) -> None:
    own = [Document(f"p{n}", f"number{n} apple") for n in range(first, first + 20)]
    for n in range(20):
        index = Index(own[: n + 1], keeper=FileIndexKeeper(path))
        assert len(index.search("apple", 100)) == n + 1


def test_what_dead_writers_left_is_removed(keeper):
    """A write removes half-written files that are old, and no others."""
    keeper.write(b"1")
    folder = keeper.path.parent
    old, fresh, other = ".search-index.a.tmp", ".search-index.b.tmp", "notes.tmp"
    for name in (old, fresh, other):
        (folder / name).write_bytes(b"half")
    for name in (old, other):
        os.utime(folder / name, (1, 1))
    keeper.write(b"2")
    assert sorted(path.name for path in folder.iterdir()) == [".search-index", fresh, other]


def test_a_version_says_what_is_kept():
    """If this fails, what is kept is not what it was: raise the number in keeping._MAGIC."""
    documents = DOCUMENTS[:3]
    made = segment.build(documents, [document.digest for document in documents])
    # What numbers come to in the last digit is the machine's business.
    data = keeping.pack(keeping.Kept(replace(made, meant=np.zeros_like(made.meant))))
    assert hashlib.sha256(data).hexdigest()[:16] == "0645bb9896b62402"


def test_several_processes_share_one_file(keeper):
    """Writers of different documents never break the file, and each finds its own."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write_often, args=(keeper.path, 100 * n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert keeping.unpack(keeper.path.read_bytes()) is not None
    assert [path.name for path in keeper.path.parent.iterdir()] == [".search-index"]
