"""Words of like meaning: the table, how it is made, and what it changes in a search."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.search_thesaurus import lines, near
from py_code_mode.search import Document, Index
from py_code_mode.search.thesaurus import FILE, synonyms
from py_code_mode.search.words import stem

DOCUMENTS = [
    Document("take_photo", "Open the camera"),
    Document("purchase", "Order a ticket for an event"),
    Document("make_directory", "Add one to a disk"),
]
OTHERS = [
    Document("camera", "Clean the lens of a camera"),
    Document("ticket", "Print a ticket"),
    Document("add", "Add two numbers"),
    Document("beep", "Make a noise"),
]


@pytest.mark.parametrize(
    ("query", "name", "terms"),
    [
        ("could you buy tickets", "purchase", ("tickets",)),
        ("get my pictures from the camera", "take_photo", ("camera",)),
        ("add a folder", "make_directory", ("add",)),
        ("add a dir", "make_directory", ("add",)),
    ],
)
def test_what_is_said_in_other_words_is_found(query, name, terms):
    """A word counts for a document that has another of like meaning, and is none of its terms."""
    (hit, *_) = Index([*DOCUMENTS, *OTHERS]).search(query)
    assert (hit.name, hit.terms) == (name, terms)


def test_the_word_itself_precedes_others_of_like_meaning():
    """Of two documents the one that has the query's own word comes first."""
    index = Index([Document("a", "Resize a photo"), Document("b", "Resize a picture")])
    assert [hit.name for hit in index.search("resize pictures")] == ["b", "a"]
    assert [hit.name for hit in index.search("resize photos")] == ["a", "b"]


def test_a_number_counts_less_than_a_word():
    """What is asked for precedes what happens to have the same number in it."""
    index = Index([Document("a", "Route 66"), Document("b", "Weather"), Document("c", "Noise")])
    assert index.search("weather 66")[0].name == "b"


def test_the_table_is_of_stems_as_searches_make_them():
    """Each line is a stem that a query can have, with others of its kind, the nearest first."""
    told = FILE.read_text("utf-8").splitlines()
    heads = [line.partition(" ")[0] for line in told]
    assert heads == sorted({*heads})
    assert len(heads) > 10_000
    for head in heads:
        found = synonyms(head)
        alike = [value for _, value in found]
        assert found
        assert alike == sorted(alike, reverse=True)
        assert 0.6 <= alike[-1] <= alike[0] <= 1
        assert head not in dict(found)
    assert synonyms("") == synonyms("no such word") == []


def test_the_table_is_made_of_what_is_near():
    """Words whose vectors are near stand beside each other, and words that are like none nowhere."""
    vectors = np.array([[1, 0], [0.8, 0.6], [0, -1]], np.float32)
    words = ["pictures", "photo", "noise"]
    assert lines(words, near(vectors)) == [f"photo {stem('picture')} 80", "pictur photo 80"]
