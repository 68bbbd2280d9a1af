"""Language models: probabilities that sum to one, replies drawn by them, folders that are none."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import pytest

from lawgiver.agents.ngram import NGram
from lawgiver.envs.core import registry
from lawgiver.envs.core.errors import MissingExtraError, ParameterError, PluginError, UnknownNameError
from lawgiver.envs.core.language import LanguageModel, candidate_sets, make_language_model

VOCABULARY = {"[UNK]": 0, "[EOS]": 1, "a": 2, "b": 3, "c": 4}
BRIEFS = ("#specialnames", "#compound", "#types")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a small model with random weights, and a tokenizer of five words."""
    torch = pytest.importorskip("torch")
    transformers, tokenizers = pytest.importorskip("transformers"), pytest.importorskip("tokenizers")
    place = tmp_path_factory.mktemp("model")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", eos_token="[EOS]").save_pretrained(
        place
    )
    size = {"vocab_size": 5, "n_positions": 16, "n_embd": 8, "n_layer": 1, "n_head": 1, "initializer_range": 1.0}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = transformers.GPT2LMHeadModel(transformers.GPT2Config(**size, bos_token_id=1, eos_token_id=1))
    network.save_pretrained(place)
    # what a folder would like to have cut off, which would make replies another distribution's
    cuts = {"do_sample": True, "temperature": 0.3, "top_k": 1, "repetition_penalty": 5.0, "eos_token_id": 1}
    (place / "generation_config.json").write_text(json.dumps(cuts))
    return place


def loaded(folder: Path) -> Any:
    return make_language_model({"name": "transformers", "path": str(folder)})


# -- words of Python's documentation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", ["", "the class", "zebra", "class zebra", "#compound the class"])
def test_probabilities_of_the_next_word_sum_to_one(prompt: str) -> None:
    model = NGram()
    logs = model.log_probabilities(prompt, [(word,) for word in range(3_000)])
    least = np.exp(logs.min())
    rest = 0
    while True:  # to the last word, whose number depends on Python's version
        try:
            logs = np.append(logs, model.log_probabilities(prompt, [(len(logs),)]))
        except ParameterError as error:
            assert f"allowed: 0 to {len(logs) - 1}" in str(error)
            break
        rest += 1
    assert np.exp(logs).sum() == pytest.approx(1, abs=1e-9) and least >= 0.03 / len(logs) * (1 - 1e-9)


def test_a_trigram_by_hand() -> None:
    """All counts of one word after two others, in plain Python."""
    model = NGram()
    (reply,) = model.sample("the value", 1, np.random.default_rng(0), 1)
    word = model.text(reply)
    from lawgiver.agents.ngram import WORD

    texts = [WORD.findall(text.lower()) for text in topics.values()]
    runs = [Counter(tuple(text[i : i + k]) for text in texts for i in range(len(text) - k + 1)) for k in (1, 2, 3)]
    after = [sum(count for run, count in runs[k].items() if run[:k] == ("the", "value")[2 - k :]) for k in (0, 1, 2)]
    expected = 0.03 / len(runs[0]) + sum(
        weight * runs[k][(*("the", "value")[2 - k :], word)] / after[k] for k, weight in enumerate((0.12, 0.25, 0.6))
    )
    assert np.exp(model.log_probabilities("the value", [reply])[0]) == pytest.approx(expected, rel=1e-12)


def test_replies_are_drawn_by_their_probabilities() -> None:
    model, count = NGram(), 40_000
    drawn = Counter(model.sample("the class", count, np.random.default_rng(1), 1))
    common = [reply for reply, _ in drawn.most_common(20)]
    chances = np.exp(model.log_probabilities("the class", common))
    errors = (np.array([drawn[reply] for reply in common]) / count - chances) / np.sqrt(chances * (1 - chances) / count)
    assert np.abs(errors).max() < 4.5
    assert model.sample("the class", 3, np.random.default_rng(2), 12) == model.sample(
        "the class", 3, np.random.default_rng(2), 12
    )


def test_the_logarithm_of_a_reply_is_the_sum_of_its_words() -> None:
    model = NGram()
    first, second, third = model.sample("in python the", 1, np.random.default_rng(0), 3)[0]
    parts = [
        model.log_probabilities(prompt, [(word,)])[0]
        for prompt, word in (
            ("in python the", first),
            (f"python the {model.text((first,))}", second),
            (f"the {model.text((first, second))}", third),
        )
    ]
    whole = model.log_probabilities("in python the", [(first, second, third), (), (first,)])
    np.testing.assert_allclose(whole, [sum(parts), 0, parts[0]], rtol=1e-12)


def test_a_topic_writes_about_itself() -> None:
    model, rng = NGram(), np.random.default_rng(0)
    of_types, plain = (model.sample(prompt, 50, rng, 12) for prompt in ("#types the", "the"))
    gain = [
        (model.log_probabilities("#types the", r) - model.log_probabilities("the", r)).mean() for r in (of_types, plain)
    ]
    assert gain[0] > 5 > -5 > gain[1]
    with pytest.raises(UnknownNameError, match=r"unknown topic 'type' in the prompt: did you mean 'types'\?"):
        model.sample("#type", 1, rng, 1)


# -- a model in a folder ---------------------------------------------------------------------------------------------


def test_a_folders_replies_are_drawn_by_their_probabilities(folder: Path) -> None:
    torch = pytest.importorskip("torch")
    model, count = loaded(folder), 20_000
    before = torch.random.get_rng_state()
    drawn = Counter(model.sample("a b", count, np.random.default_rng(0), 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    every = [(1,), *((first, second) for first in (0, 2, 3, 4) for second in range(5))]
    assert set(drawn) <= set(every)
    chances = np.exp(model.log_probabilities("a b", every))
    assert chances.sum() == pytest.approx(1, abs=1e-6)
    errors = (np.array([drawn[reply] for reply in every]) / count - chances) / np.sqrt(chances * (1 - chances) / count)
    assert np.abs(errors).max() < 4.5


def test_replies_of_several_lengths_are_scored_as_one_by_one(folder: Path) -> None:
    model = loaded(folder)
    replies = [(2, 3, 4), (1,), (), (4, 4), (0, 1), (3,), (2,), (4, 3), (2, 2, 2, 1), (0,)]
    together = model.log_probabilities("c a", replies)
    apart = [model.log_probabilities("c a", [reply])[0] if reply else 0.0 for reply in replies]
    np.testing.assert_allclose(together, apart, atol=1e-6)
    assert model.text((2, 3, 1)) == "a b"


def test_a_chat_template_is_used(folder: Path, tmp_path: Path) -> None:
    chatty = tmp_path / "chatty"
    shutil.copytree(folder, chatty)
    (chatty / "chat_template.jinja").write_text("a {{ messages[0].content }} c")
    replies = [(2,), (3, 1)]
    np.testing.assert_array_equal(
        loaded(chatty).log_probabilities("b", replies), loaded(folder).log_probabilities("a b c", replies)
    )


def write_gguf(path: Path, embedding: np.ndarray, output: np.ndarray) -> None:
    """Write a model of one layer that adds nothing: the next token depends on the last one alone."""
    gguf = pytest.importorskip("gguf")
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]  # the letters for bytes, as GPT-2 has them
    others = [byte for byte in range(256) if byte not in shown]
    letters = {byte: chr(byte) for byte in shown} | {byte: chr(256 + k) for k, byte in enumerate(others)}
    tokens = [*(letters[byte] for byte in range(256)), "<|end|>", "ab"]
    width = embedding.shape[1]
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(width)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // 2)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_merges(["a b"])
    writer.add_token_types([1] * 256 + [3, 1])
    writer.add_bos_token_id(256)
    writer.add_eos_token_id(256)
    one, nothing = np.ones(width, np.float32), np.zeros((width, width), np.float32)
    tensors = {"token_embd": embedding, "output": output, "output_norm": one}
    tensors |= {f"blk.0.{name}": one for name in ("attn_norm", "ffn_norm")}
    layers = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    tensors |= {f"blk.0.{name}": nothing for name in layers}
    for name, numbers in tensors.items():
        writer.add_tensor(f"{name}.weight", numbers)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_gguf_file_is_read_with_its_tokenizer(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    rng = np.random.default_rng(0)
    embedding, output = (rng.normal(size=(258, 32)).astype(np.float32) for _ in range(2))
    write_gguf(tmp_path / "model.gguf", embedding, output)
    model = make_language_model({"name": "transformers", "path": str(tmp_path / "model.gguf")})
    last = embedding[257]  # "ab" is one token
    logits = output @ (last / np.sqrt((last**2).mean() + 1e-5))
    found = model.log_probabilities("ab", [(token,) for token in range(258)])
    np.testing.assert_allclose(found, logits - np.logaddexp.reduce(logits), atol=1e-4)
    assert model.text((257, 99, 256)) == "abc"
    assert all(len(reply) == 5 or reply[-1] == 256 for reply in model.sample("ab", 20, rng, 5))


def test_nothing_is_looked_up_elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection was asked for")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    assert loaded(folder).sample("a", 2, np.random.default_rng(0), 3)


def spoilt(folder: Path, kind: str) -> None:
    """Make a folder one that must not be loaded."""
    torch = pytest.importorskip("torch")
    settings = json.loads((folder / "config.json").read_text())
    if kind == "pickle":
        (folder / "model.safetensors").unlink()
        torch.save({"transformer.wte.weight": torch.zeros(5, 8)}, folder / "pytorch_model.bin")
    elif kind == "code":
        settings |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}}
        (folder / "own.py").write_text(f"open({str(folder / 'ran')!r}, 'w').close()")
    elif kind == "layers":
        settings["n_layer"] = 2
    elif kind == "cut short":
        whole = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    elif kind == "no tokenizer":
        for file in ("tokenizer.json", "tokenizer_config.json"):
            (folder / file).unlink()
    elif kind == "no config":
        (folder / "config.json").unlink()
        return
    (folder / "config.json").write_text("{" if kind == "no json" else json.dumps(settings))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("pickle", "cannot be loaded: OSError"),
        ("code", "cannot be loaded: "),
        ("layers", "lacks 12 of its weights, such as transformer.h.1"),
        ("cut short", "cannot be loaded: "),
        ("no tokenizer", "has no tokenizer"),
        ("no config", "is none, allowed: a folder with config.json"),
        ("no json", "cannot be loaded: "),
    ],
)
def test_a_folder_that_is_no_whole_model_is_one_line(folder: Path, tmp_path: Path, kind: str, said: str) -> None:
    bad = tmp_path / "bad"
    shutil.copytree(folder, bad)
    spoilt(bad, kind)
    with pytest.raises(ParameterError) as error:
        loaded(bad)
    assert said in str(error.value) and str(bad) in str(error.value)
    assert "\n" not in str(error.value) and len(str(error.value)) < 600
    assert not (bad / "ran").exists()


def test_wrong_input_is_one_line(folder: Path, tmp_path: Path) -> None:
    model = loaded(folder)
    for path in (tmp_path / "nowhere", tmp_path / "model.gguf"):
        with pytest.raises(ParameterError, match="is none, allowed: a folder with config"):
            loaded(path)
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + bytes(30))
    with pytest.raises(ParameterError, match=r"model\.gguf' cannot be loaded: "):
        loaded(tmp_path / "model.gguf")
    with pytest.raises(ParameterError, match="has no token"):
        model.sample("", 1, np.random.default_rng(0), 1)
    with pytest.raises(
        ParameterError, match="a prompt of 1 tokens and a reply of 16 are too long, allowed: 16 together"
    ):
        model.sample("a", 1, np.random.default_rng(0), 16)
    with pytest.raises(ParameterError, match=r"a reply has tokens \(5,\), allowed: 0 to 4"):
        model.log_probabilities("a", [(5,)])
    with pytest.raises(ParameterError, match="device is 'gpu', allowed: a device of torch"):
        make_language_model({"name": "transformers", "path": str(folder), "device": "gpu"})


# -- by name ---------------------------------------------------------------------------------------------------------


class Constant:
    """A model that says the same whatever it is asked."""

    def __init__(self, word: int = 7) -> None:
        self.word = word

    def sample(self, prompt: str, count: int, rng: np.random.Generator, length: int) -> list[tuple[int, ...]]:
        return [(self.word,)] * count

    def log_probabilities(self, prompt: str, replies: Any) -> np.ndarray:
        return np.zeros(len(replies))

    def text(self, reply: tuple[int, ...]) -> str:
        return str(reply)


def test_models_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(make_language_model("ngram"), NGram) and isinstance(Constant(), LanguageModel)
    own = Constant()
    assert make_language_model(own) is own
    with pytest.raises(UnknownNameError, match="unknown language model 'gram': did you mean 'ngram'"):
        make_language_model("gram")
    with pytest.raises(ParameterError, match="language model 'ngram' has no parameter 'order'"):
        make_language_model({"name": "ngram", "order": 4})
    with pytest.raises(ParameterError, match=r"language model 'transformers' needs a value .*: path missing"):
        make_language_model("transformers")
    with pytest.raises(ParameterError, match="model is 3, allowed: a registered name"):
        make_language_model(3)
    monkeypatch.setattr("lawgiver.envs.core.language.lookup", lambda group, name: lambda: 3)
    with pytest.raises(PluginError, match="language model 'third' is 3, allowed: an object with sample"):
        make_language_model("third")


def test_without_transformers_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = registry.find_spec
    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == "transformers" else found(name))
    with pytest.raises(MissingExtraError, match=r"language model 'transformers' needs transformers: .*lawgiver\[lm\]"):
        make_language_model({"name": "transformers", "path": "anywhere"})


def test_asking_for_words_needs_no_torch() -> None:
    code = (
        "import sys; from lawgiver.envs.core.language import make_language_model; make_language_model('ngram');"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# -- candidates ------------------------------------------------------------------------------------------------------


def test_candidates_and_what_advertisers_think_of_them() -> None:
    model, queries = NGram(), ["the value of", "a function is", "the value of"]
    begin = time.perf_counter()
    for aware in (False, True):
        sets = candidate_sets(
            model, queries, BRIEFS, np.random.default_rng(0), count=20, length=12, aware=aware, limit=8
        )
        assert sets.log_reference.shape == sets.log_weights.shape == (3, 20) and sets.rewards.shape == (3, 3, 20)
        assert np.abs(sets.rewards).max() <= 8 and sets.replies[0] != sets.replies[2]
        reply = sets.replies[1][4]
        plain = model.log_probabilities(queries[1], [reply])[0]
        assert sets.log_reference[1, 4] == plain
        own = model.log_probabilities(f"{BRIEFS[2]}\n{queries[1]}", [reply])[0]
        assert sets.rewards[1, 2, 4] == np.clip(own - plain, -8, 8)
        writer = model.log_probabilities("\n".join([*BRIEFS, queries[1]]), [reply])[0]
        assert sets.log_weights[1, 4] == (plain - writer if aware else 0)
    assert time.perf_counter() - begin < 5
    for wrong in ({"queries": []}, {"briefs": []}, {"count": 0}, {"length": 0}, {"limit": 0.0}):
        with pytest.raises(ParameterError, match=f"{next(iter(wrong))} (is|are) "):
            candidate_sets(**{"model": model, "queries": queries, "briefs": BRIEFS, "rng": None, **wrong})


def test_writing_for_all_advertisers_helps_them(folder: Path) -> None:
    """The paper's main finding: candidates from a prompt that names all advertisers are worth more to them."""
    rng = np.random.default_rng(0)
    naive, aware = (
        candidate_sets(NGram(), ["the value of"] * 40, BRIEFS, rng, count=10, length=12, aware=aware)
        for aware in (False, True)
    )
    values = []
    for sets in (naive, aware):
        z = sets.log_weights + sets.rewards.sum(1)
        chances = np.exp(z - z.max(1, keepdims=True))
        values.append((chances / chances.sum(1, keepdims=True) * sets.rewards.sum(1)).sum(1))
    gain = values[1] - values[0]
    assert gain.mean() > 4 * gain.std(ddof=1) / np.sqrt(len(gain))
