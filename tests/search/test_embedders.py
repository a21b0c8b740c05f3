"""Embedders that fail, change or are none."""

from __future__ import annotations

import math

import pytest

from py_code_mode import ConfigError, ToolRegistry, create_skill_library
from py_code_mode.search import Document, FileIndexKeeper, Index
from tests.search.models import TopicEmbedder

DOCUMENTS = [
    Document("alerts", "Severe weather of a state: storm and rain"),
    Document("shorten", "Condense a long article into a few sentences"),
    Document("beep", "Make a noise"),
]


def names(index: Index, query: str) -> list[str]:
    return [hit.name for hit in index.search(query)]


class Flaky(TopicEmbedder):
    """Can be switched off."""

    up = False

    def embed_documents(self, texts):
        if not self.up:
            raise ConnectionError("no answer")
        return super().embed_documents(texts)

    def embed_query(self, text):
        if not self.up:
            raise ConnectionError("no answer")
        return super().embed_query(text)


class Wider(TopicEmbedder):
    """Has one number more in each vector."""

    documents_up = True

    def embed_documents(self, texts):
        if not self.documents_up:
            raise ConnectionError("too many")
        return super().embed_documents(texts)

    def embed_query(self, text):
        return [*super().embed_query(text), 0.0]


def test_while_an_embedder_fails_words_alone_find(caplog):
    """A search goes on without it, the log says why once, and it is asked again at each search."""
    embedder = Flaky()
    index = Index(DOCUMENTS, embedder=embedder)
    assert names(index, "storm") == ["alerts"]
    assert names(index, "umbrella") == []
    assert caplog.text.count("failed: ConnectionError: no answer") == 1
    embedder.up = True
    assert names(index, "umbrella")[0] == "alerts"
    embedder.up = False
    index.put([Document("dinner", "Recipes with walnuts")])
    index.remove(["beep"])
    assert names(index, "walnuts") == ["dinner"]
    assert names(index, "noise") == []
    assert caplog.text.count("no answer") == 2
    embedder.up = True
    assert names(index, "umbrella")[0] == "alerts"
    assert names(index, "walnuts")[0] == "dinner"


def test_a_kept_index_serves_while_its_embedder_fails(tmp_path):
    """What is kept is found by words, and by meaning again without embedding it anew."""
    keeper, embedder = FileIndexKeeper(tmp_path / "index"), Flaky()
    Index(DOCUMENTS, keeper=keeper, embedder=TopicEmbedder()).search("storm")
    kept = keeper.read()
    index = Index(DOCUMENTS, keeper=keeper, embedder=embedder)
    assert names(index, "storm") == ["alerts"]
    assert keeper.read() == kept
    embedder.up = True
    assert names(index, "umbrella")[0] == "alerts"
    assert embedder.embedded == []


def test_another_model_of_the_same_name_makes_its_own_embeddings(tmp_path):
    """Vectors of another width than the kept ones count as those of another model."""
    keeper = FileIndexKeeper(tmp_path / "index")
    Index(DOCUMENTS, keeper=keeper, embedder=TopicEmbedder()).search("storm")
    embedder = Wider()
    index = Index([*DOCUMENTS, Document("new", "Frogs")], keeper=keeper, embedder=embedder)
    for embedder.documents_up in (False, False, True):
        assert names(index, "storm")[0] == "alerts"
    assert names(index, "umbrella")[0] == "alerts"
    again = Wider()
    index = Index(DOCUMENTS, keeper=keeper, embedder=again)
    assert names(index, "umbrella")[0] == "alerts"
    assert again.embedded == []


@pytest.mark.parametrize(
    "vectors", [[[1.0]], [1.0, 2.0], [["a"]] * 8, [[math.nan]] * 8, [[1.0], [1.0, 2.0]] * 4, [[]]]
)
def test_an_embedder_that_gives_something_else_is_named(vectors):
    """Too few vectors, none, or no numbers: the error says which embedder gave them."""

    class Wrong(TopicEmbedder):
        def embed_documents(self, texts):
            return vectors

    with pytest.raises(ConfigError, match="embedder 'wrong'"):
        Index(DOCUMENTS, embedder=Wrong("wrong")).search("x")


def test_an_embedder_whose_vectors_differ_in_width_is_named():
    """Queries in other vectors than documents: an error in our words."""

    class Torn(TopicEmbedder):
        def embed_documents(self, texts):
            return [[1.0, 2.0, 3.0] for _ in texts]

        def embed_query(self, text):
            return [1.0, 2.0]

    with pytest.raises(ConfigError, match="embedder 'torn': a vector has 2 numbers"):
        Index(DOCUMENTS, embedder=Torn("torn")).search("storm")


@pytest.mark.parametrize("given", ["all-MiniLM-L6-v2", object(), TopicEmbedder("")])
def test_what_is_no_embedder_is_refused_at_once(given):
    """Neither a library nor a registry is made with it; the error says what is missing."""
    with pytest.raises(ConfigError, match="embedder"):
        create_skill_library(embedder=given)
    with pytest.raises(ConfigError, match="embedder"):
        ToolRegistry(embedder=given)
