"""What a search finds, in which order, and when it finds nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_code_mode.search import Document, Index, near_names

ROOT = Path(__file__).parents[2]

DOCUMENTS = [
    Document("scan_ports", "Scan common ports on a target", "target: host name; uses nmap"),
    Document("fetchPage", "Download a web page and return its text"),
    Document("base64_encode", "Encode bytes for transport"),
    Document("weather.get_alerts", "Severe weather warnings of a state"),
    Document("summarize", "Condense a long article into a few sentences"),
    Document("scan", "Read a document on paper"),
]


def found(query: str, documents: list[Document], limit: int = 10) -> list[str]:
    return [hit.name for hit in Index(documents).search(query, limit)]


def names(query: str, limit: int = 10) -> list[str]:
    return found(query, DOCUMENTS, limit)


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
    assert found("weather", documents) == []


def test_a_function_word_finds_a_tool_of_that_very_name():
    """Function words say nothing, but a document may be named with one."""
    assert found("do", [Document("do", "Act"), Document("done", "Rest")]) == ["do"]


@pytest.mark.parametrize(("limit", "expected"), [(-1, 0), (0, 0), (1, 1), (2, 2), (100, 2)])
def test_limit_bounds_the_result(limit, expected):
    """No more than ``limit`` documents come back, and none for zero or less."""
    assert len(names("scan", limit)) == expected


def test_scores_fall_and_equals_come_by_name():
    """Results are sorted by score, and documents that are alike by name, however they came in."""
    twins = [Document(f"qzk{letter}", "Resize a picture") for letter in "zxy"]
    hits = Index([*twins, *DOCUMENTS]).search("picture")
    assert [hit.name for hit in hits] == ["qzkx", "qzky", "qzkz"]
    assert hits[0].score == hits[2].score > 0
    scores = [hit.score for hit in Index(DOCUMENTS).search("scan ports")]
    assert scores == sorted(scores, reverse=True)


def test_hits_say_which_words_matched():
    """Terms are the words of the query a document has, as written, in the query's order."""
    (hit,) = Index(DOCUMENTS).search("Which weather warnings does a zebra get?", 1)
    assert (hit.name, hit.terms) == ("weather.get_alerts", ("weather", "warnings", "get"))
    assert 0 < hit.score < 1
    exact, beginning = Index(DOCUMENTS).search("scan")
    assert exact.score > 2 > beginning.score > 1
    assert exact.terms == beginning.terms == ("scan",)


def test_every_field_is_looked_at():
    """A word is found in any field, and weighs most in the name and least in the source."""
    told = [
        Document("frobnicate"),
        Document("b", "frobnicate"),
        Document("c", "", "frobnicate"),
        Document("d", parameters="frobnicate"),
        Document("e", tags="frobnicate"),
        Document("f", source="frobnicate()"),
        Document("g", "something else"),
    ]
    hits = Index(told).search("frobnicate the thing")
    assert hits[0].name == "frobnicate"
    assert {hit.name for hit in hits} == {"frobnicate", *"bcdef"}
    by_name = {hit.name: hit.score for hit in hits}
    assert by_name["frobnicate"] > by_name["b"] > by_name["c"]


def test_words_of_nearly_the_same_letters_are_found():
    """A typing error and another part of speech find the word that was meant."""
    assert names("summarise an article")[0] == "summarize"
    assert found("authenticate", [Document("x", "Authentication of users"), *DOCUMENTS]) == ["x"]
    assert found("databse", [Document("x", "Query a database"), *DOCUMENTS]) == ["x"]


def test_long_queries_and_documents_are_cut_not_refused():
    """A pasted page as query and a huge document are searched in bounded time."""
    documents = [Document("big", "", "lorem ipsum " * 100_000), *DOCUMENTS]
    assert found("ports " * 100_000, documents)[0] == "scan_ports"
    page = " ".join(f"word{number}" for number in range(5_000)) + " ports"
    assert found(page, documents) == []


@given(st.text(max_size=30), st.lists(st.builds(Document, st.text(max_size=8)), max_size=4))
def test_no_text_breaks_it(query, documents):
    """Whatever characters query and names are made of, positive scores come back."""
    hits = Index(documents).search(query, 3)
    assert {hit.name for hit in hits} <= {document.name for document in documents}
    assert all(hit.score > 0 for hit in hits)


def test_the_beginning_of_a_name_behind_a_dot_counts():
    """People leave out the server: what a tool's own name begins with comes first."""
    documents = [
        Document("notes", "How to get alerts and what get alerts means: get alerts, get alerts"),
        Document("weather.get_alerts_of_state", "Severe weather"),
        Document("weather.get_alerts", "Severe weather"),
    ]
    expected = ["weather.get_alerts", "weather.get_alerts_of_state", "notes"]
    assert found("get_alerts", documents) == expected


def test_a_search_can_be_among_some_only():
    """Documents that do not count are not there: not in results, and not as evidence."""
    index = Index(DOCUMENTS)
    assert index.search("scan ports", among=lambda name: name != "scan_ports")[0].name == "scan"
    assert index.search("storm warnings", among=lambda name: name == "fetchPage") == []
    assert index.search("scan_ports", among=lambda name: False) == []


SMALL = [
    Document("send_mail", "Send an email to somebody"),
    Document("resize_image", "Make a picture smaller or larger"),
    Document("query_sql", "Run a query in the sales database"),
    Document("plot_series", "Draw a chart of numbers over time"),
    Document("translate", "Translate a text into another language"),
]
LARGE = [
    Document(
        f"{verb}_{noun}_{number}",
        f"{verb.title()} the {noun} of a {place}, number {number}",
        parameters=f"{place}: which one; limit: how many at most",
    )
    for number in range(30)
    for verb in ("list", "delete", "update", "export", "merge")
    for noun in ("invoice", "ticket", "branch", "report")
    for place in ("customer", "team", "region", "project", "folder")
]
OFF_TOPIC = [
    "How do I make a chocolate cake with walnuts and cream?",
    "Is it going to rain in Lisbon this weekend?",
    "My grandmother feels lonely since her cat died last week",
    "What are the rules of cricket?",
    "glacier walnut saddle tulip",
    "Why do cats purr when you stroke them?",
    "My knee hurts when I climb the stairs",
    "Write a love letter to my girlfriend for our anniversary",
    "Who won the world cup in 1998?",
    "How long should I boil eggs for breakfast?",
    "oyster parrot quilt",
    "What vaccines does a puppy need?",
    "Explain the causes of the French Revolution",
    "Sing me a lullaby",
    "How many calories are in a banana?",
    "Should I repaint the bedroom blue or green",
    "Who painted the ceiling of the Sistine chapel",
    "velvet thunder marble lantern pepper saddle",
    "Give me a joke about lawyers",
    "What is the capital of Mongolia?",
]


@pytest.mark.parametrize("size", [0, 100, 1_000, 3_000])
def test_off_topic_requests_find_nothing_in_libraries_of_any_size(size):
    """Of requests for which there is nothing four in five find nothing; true ones find theirs."""
    index = Index([*SMALL, *LARGE[:size]])
    noisy = [query for query in OFF_TOPIC if index.search(query)]
    assert len(noisy) <= len(OFF_TOPIC) // 5
    for query, name in (
        ("draw a chart of sales", "plot_series"),
        ("email", "send_mail"),
        ("I have to say this in another language", "translate"),
        ("Could you please make this picture a bit smaller?", "resize_image"),
        ("which sales were there last month? It is all in the database", "query_sql"),
    ):
        assert index.search(query)[0].name == name


def test_importing_and_indexing_load_nothing_heavy():
    """Numpy is loaded by the first search that has something to look at, scikit-learn by none."""
    code = (
        "import sys; from py_code_mode.search import *;"
        "index = Index([Document('a', 'b')]); index.put([Document('c')]); index.remove(['c']);"
        "Index().search('x'); index.search('');"
        "assert 'numpy' not in sys.modules;"
        "assert index.search('a');"
        "assert 'sklearn' not in sys.modules and 'scipy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_near_names_are_those_one_letter_off():
    """A mistyped name gives the names that may have been meant, and a strange one gives none."""
    assert near_names("scan_prots", ["scan_ports", "fetch", "scan"])[0] == "scan_ports"
    assert near_names("zzzz", ["scan_ports", "fetch"]) == []
    assert near_names("x" * 1_000_000, ["scan_ports"]) == []
