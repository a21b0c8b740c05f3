"""What words mean in numbers: the table, how it is made, and what it changes in a search."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.search_vectors import sentences, solve
from py_code_mode.search import Document, Index
from py_code_mode.search.segment import build
from py_code_mode.search.words import stem
from py_code_mode.search.wordvectors import TERMS, VECTORS, WIDTH, of_documents, of_words

TOOLS = [
    Document("rent_flat", "Find an apartment to live in"),
    Document("cure", "Ask about a disease and its treatment"),
    Document("pay", "Transfer money between bank accounts"),
    Document("route", "Plan how to drive from one town to another"),
]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("symptoms of an illness that doctors know", "cure"),
        ("a new home with two bedrooms in the neighbourhood", "rent_flat"),
        ("the shortest journey by car on the motorway", "route"),
    ],
)
def test_what_has_no_word_in_common_is_found(query, name):
    """Documents are found whose words mean nearly what the query's do."""
    (hit, *_) = Index(TOOLS).search(query)
    assert hit.name == name


def test_texts_that_say_the_same_have_vectors_of_like_direction():
    """Vectors are of length 1, whatever the order of the words, and tell alike from unlike."""
    here, also, other = (
        of_words(map(stem, text.split()))
        for text in ("book a cheap hotel", "hotel cheap book a", "compile kernel module")
    )
    assert np.linalg.norm(here) == pytest.approx(1)
    assert here @ also == pytest.approx(1)
    assert here @ other < 0.3
    assert here @ of_words(["motel"]) > 0.3 + here @ of_words(["kernel"])


def test_words_that_nobody_knows_say_nothing():
    """Without a known word a vector is of zeros, and so is that of no document at all."""
    assert not of_words(["qzkx", "xkzq"]).any()
    assert not of_words([]).any()
    assert not build([Document("qzkx")], [""]).meant.any()
    assert build([], []).meant.shape == (0, WIDTH)


def test_a_document_is_the_sum_of_its_words(monkeypatch):
    """However many occurrences are added up at a time, words count as often as they are there."""
    segment = build(TOOLS, [each.digest for each in TOOLS])
    monkeypatch.setattr("py_code_mode.search.wordvectors._AT_ONCE", 3)
    slowly = of_documents(segment.terms, segment.words, len(TOOLS))
    assert np.allclose(segment.meant, slowly, atol=1e-3)
    words = [stem(word) for word in ("pay", "transfer", "money", "bank", "accounts")]
    assert segment.meant[2] @ of_words(words) > 0.9


def test_the_table_is_of_stems_as_searches_make_them():
    """Each row of bytes is of one stem, and small enough to be shipped."""
    terms = TERMS.read_text("utf-8").split()
    vectors = np.load(VECTORS, mmap_mode="r")
    assert terms == sorted({*terms})
    assert vectors.shape == (len(terms), WIDTH)
    assert vectors.dtype == np.int8
    assert len(terms) > 10_000
    assert {stem(word) for word in ("weather", "directories", "compiling")} <= {*terms}
    assert VECTORS.stat().st_size < 7_000_000


def test_the_table_is_made_so_that_sums_are_what_a_model_says():
    """Vectors are solved for, and words of few sentences stay near to what they are alone."""
    # Two sentences: "a b" and "a c". Word d is in none.
    owner, words = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 2])
    wanted = np.array([[4, 0], [0, 4]], np.float32)
    alone = np.array([[0, 0], [0, 0], [0, 0], [1, 2]], np.float32)
    found = solve(owner, words, wanted, alone)
    matrix = np.array([[1, 1, 0], [1, 0, 1]]) / 2**0.5
    best = np.linalg.solve(matrix.T @ matrix + np.eye(3), matrix.T @ wanted)
    assert np.allclose(found[:3], best, atol=1e-4)
    assert found[3].tolist() == [1, 2]


def test_sentences_come_from_wordnet_and_packages(tmp_path):
    """What words mean, examples of their use, and what packages say of themselves is learned."""
    (tmp_path / "data.noun").write_text(
        "  a licence\n"
        '00001 03 n 02 take_in 0 eat(p) 0 000 | put food in the mouth; "she eats an apple"; "so"\n'
    )
    (tmp_path / "Translation-en").write_text(
        "Package: foo-bar\nDescription-en: draw charts\n Draws charts of many kinds from files.\n"
        " .\n Too short.\n"
    )
    assert sentences(tmp_path) == [
        "take in, eat: put food in the mouth",
        "she eats an apple",
        "foo bar: draw charts",
        "Draws charts of many kinds from files.",
    ]
