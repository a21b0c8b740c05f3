"""An index that changes: documents come and go, in one thread or many."""

from __future__ import annotations

import random
import threading

import pytest

from py_code_mode.search import Document, Index

WORDS = ["apple", "river", "mountain", "purple", "whisper", "candle", "velvet", "thunder"]


def made(number: int, seed: int = 0) -> Document:
    """A document of its own few words."""
    chosen = random.Random(number * 1000 + seed)
    return Document(f"d{number}", " ".join(chosen.choices(WORDS, k=6)), f"number{number}")


def scores(index: Index, query: str) -> dict[str, float]:
    return {hit.name: round(hit.score, 5) for hit in index.search(query, 10_000)}


def test_what_is_put_is_found_and_what_is_removed_is_not():
    """A search sees every change that was made before it."""
    index = Index()
    assert index.search("weather") == []
    index.put([Document("forecast", "Weather of tomorrow")])
    assert [hit.name for hit in index.search("weather")] == ["forecast"]
    index.put([Document("forecast", "Stock prices of tomorrow")])
    assert index.search("weather") == []
    assert [hit.name for hit in index.search("stock")] == ["forecast"]
    index.remove(["forecast", "unknown"])
    assert index.search("stock") == []
    assert len(index) == 0


@pytest.mark.parametrize("size", [30, 1_500])
def test_an_index_that_grew_is_like_one_made_at_once(size):
    """After many changes the results are those of an index of what is left, in any order."""
    index, left = Index(made(number) for number in range(size)), {}
    index.search("apple")
    chosen = random.Random(size)
    for step in range(30):
        some = chosen.sample(range(size), size // 20 + 1)
        if step % 3:
            index.put(made(number, seed=step) for number in some)
            left.update(dict.fromkeys(some, step))
        else:
            index.remove(f"d{number}" for number in some)
            left.update(dict.fromkeys(some))
        index.search("purple river")
    kept = [made(n, left.get(n, 0)) for n in range(size) if left.get(n, 0) is not None]
    fresh = Index(reversed(kept))
    assert len(index) == len(fresh) == len(kept)
    index.hold([*kept[1:], made(0, 99)])  # more than an eighth has changed: merged
    index.hold(kept)
    for query in ("apple", "river mountain", "purple whisper candle", "number7"):
        grown, once = scores(index, query), scores(fresh, query)
        assert grown.keys() == once.keys()
        if size <= 1_000:
            assert grown == once


def test_hold_takes_the_place_of_all():
    """What is held is what was given last, and documents that stay are not indexed again."""
    index = Index([Document("a", "apple"), Document("b", "river")])
    index.search("apple")
    index.hold([Document("b", "river"), Document("c", "velvet")])
    assert index.search("apple") == []
    assert [hit.name for hit in index.search("velvet")] == ["c"]
    assert [hit.name for hit in index.search("river")] == ["b"]
    index.hold([])
    assert index.search("river") == []


def test_the_last_of_a_name_counts():
    """Of two documents of one name the later one is found, and once."""
    index = Index([Document("a", "apple"), Document("a", "velvet")])
    assert [hit.name for hit in index.search("velvet")] == ["a"]
    assert index.search("apple") == []


def test_searches_go_on_while_others_put():
    """Threads that search while others put and remove see whole documents, and lose none."""
    index = Index(made(number) for number in range(200))
    wrong: list[object] = []
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            hits = index.search("number7 apple")
            if not hits or any(hit.name not in names for hit in hits):
                wrong.append(hits)

    def change(first: int) -> None:
        for number in range(first, first + 40):
            index.put([made(number)])
            index.search("velvet")
            index.remove([f"d{number}"])
            index.put([made(number)])

    names = {f"d{number}" for number in range(2_000)}
    searchers = [threading.Thread(target=search) for _ in range(3)]
    changers = [threading.Thread(target=change, args=(1_000 + 40 * n,)) for n in range(4)]
    for thread in (*searchers, *changers):
        thread.start()
    for thread in changers:
        thread.join()
    done.set()
    for thread in searchers:
        thread.join()
    assert wrong == []
    assert len(index) == 360
    assert all(index.search(f"number{n}")[0].name == f"d{n}" for n in range(1_000, 1_160, 7))
