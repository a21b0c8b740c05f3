"""Ranking of skills and tools by plain words."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_code_mode.search import CachedIndex, Document, Index, near_names, rank

ROOT = Path(__file__).parents[1]

DOCUMENTS = [
    Document("scan_ports", "Scan common ports on a target", "target: host name; uses nmap"),
    Document("fetchPage", "Download a web page and return its text"),
    Document("base64_encode", "Encode bytes for transport"),
    Document("weather.get_alerts", "Severe weather warnings of a state"),
    Document("summarize", "Condense a long article into a few sentences"),
    Document("scan", "Read a document on paper"),
]


def names(query: str, limit: int = 10) -> list[str]:
    return [DOCUMENTS[position].name for position, _ in rank(query, DOCUMENTS, limit)]


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("port scanning", "scan_ports"),
        ("which ports of a host are open", "scan_ports"),
        ("nmap", "scan_ports"),
        ("downloading pages from the web", "fetchPage"),
        ("storm warnings", "weather.get_alerts"),
        ("condensing articles", "summarize"),
        ("scan paper", "scan"),
    ],
)
def test_plain_words_find_what_they_mean(query, best):
    """A request in plain words puts the document that answers it first, inflected or not."""
    assert names(query)[0] == best


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("scan_ports", "scan_ports"),
        ("scanPorts", "scan_ports"),
        ("scan ports", "scan_ports"),
        ("scan", "scan"),
        ("fetch_page", "fetchPage"),
        ("base64", "base64_encode"),
        ("get_alerts", "weather.get_alerts"),
        ("weather.get_alerts", "weather.get_alerts"),
        ("summ", "summarize"),
    ],
)
def test_a_name_or_its_beginning_comes_first(query, best):
    """A document whose name is the query, in any spelling, or begins with it, comes first."""
    assert names(query)[0] == best


def test_an_exact_name_precedes_names_that_only_begin_with_it():
    """Of two names that begin with the query the one that is the query comes first."""
    assert names("scan")[:2] == ["scan", "scan_ports"]


@pytest.mark.parametrize(
    "query",
    ["", "   ", "the of and", "?!", "zzz qqq", "chocolate cake recipe", "日本語", "\0", "\ud800"],
)
def test_nothing_relevant_gives_an_empty_list(query):
    """A query with nothing to say, or with nothing in common with any document, finds nothing."""
    assert names(query) == []


@pytest.mark.parametrize(
    "documents",
    [[], [Document("")], [Document("the", "of and"), Document("", "", "???")]],
)
def test_documents_without_words_are_no_error(documents):
    """A corpus without a single content word is searched without an exception."""
    assert rank("weather", documents, 5) == []


def test_a_function_word_finds_a_tool_of_that_very_name():
    """Function words say nothing, but a document may be named with one."""
    assert rank("do", [Document("do", "Act"), Document("done", "Rest")], 5)[0][0] == 0
    assert len(rank("do", [Document("do"), Document("done")], 5)) == 1


@pytest.mark.parametrize(("limit", "expected"), [(-1, 0), (0, 0), (1, 1), (2, 2), (100, 2)])
def test_limit_bounds_the_result(limit, expected):
    """No more than ``limit`` documents come back, and none for zero or less."""
    assert len(rank("scan", DOCUMENTS, limit)) == expected


def test_scores_fall_and_equals_keep_their_order():
    """Results are sorted by score; documents that are alike stay in the order they were given."""
    twins = [Document(f"tool{index}", "Resize a picture") for index in "abc"]
    found = rank("picture", [*twins, *DOCUMENTS], 10)
    assert [position for position, _ in found] == [0, 1, 2]
    assert found[0][1] == found[2][1] > 0
    scores = [score for _, score in rank("scan ports", DOCUMENTS, 10)]
    assert scores == sorted(scores, reverse=True)


def test_long_queries_and_documents_are_cut_not_refused():
    """A pasted page as query and a huge document are searched in bounded time."""
    documents = [Document("big", "", "lorem ipsum " * 100_000), *DOCUMENTS]
    assert rank("ports " * 100_000, documents, 3)[0][0] == 1


@given(st.text(max_size=30), st.lists(st.builds(Document, st.text(max_size=8)), max_size=4))
def test_no_text_breaks_it(query, documents):
    """Whatever characters query and names are made of, positions and positive scores come back."""
    found = rank(query, documents, 3)
    assert all(0 <= position < len(documents) and score > 0 for position, score in found)


def test_the_beginning_of_a_name_behind_a_dot_counts():
    """People leave out the server: what a tool's own name begins with comes first."""
    documents = [
        Document("notes", "How to get alerts and what get alerts means: get alerts, get alerts"),
        Document("weather.get_alerts_of_state", "Severe weather"),
        Document("weather.get_alerts", "Severe weather"),
    ]
    found = [documents[position].name for position, _ in rank("get_alerts", documents, 3)]
    assert found == ["weather.get_alerts", "weather.get_alerts_of_state", "notes"]


def test_cached_index_is_made_anew_only_when_the_key_changes():
    """Equal keys give the same index; another key asks for the documents again."""
    cache, calls = CachedIndex(), []

    def documents():
        calls.append(1)
        return DOCUMENTS

    first = cache.get((1, "a"), documents)
    assert cache.get((1, "a"), documents) is first
    assert len(calls) == 1
    assert cache.get(None, documents) is not first
    assert cache.get(None, documents) is not first
    assert len(calls) == 2


def test_an_index_is_fitted_once_for_many_threads():
    """Threads that search at the same time share one index and get the same answer."""
    index, answers = Index(DOCUMENTS), []
    threads = [
        threading.Thread(target=lambda: answers.append(index.search("port scanning", 3)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert all(answer == answers[0] for answer in answers)


def test_importing_and_empty_searches_do_not_load_scikit_learn():
    """scikit-learn takes a second to import, so it is loaded by the first search that needs it."""
    code = (
        "import sys; from py_code_mode.search import *;"
        "rank('x', [], 5); rank('', [Document('a')], 5);"
        "assert 'sklearn' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_near_names_are_those_one_letter_off():
    """A mistyped name gives the names that may have been meant, and a strange one gives none."""
    assert near_names("scan_prots", ["scan_ports", "fetch", "scan"])[0] == "scan_ports"
    assert near_names("zzzz", ["scan_ports", "fetch"]) == []
    assert near_names("x" * 1_000_000, ["scan_ports"]) == []
