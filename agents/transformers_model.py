"""Language models out of a local folder or a GGUF file, by the package transformers.

Nothing is downloaded, no code of a folder runs, and weights are read as safetensors or GGUF, never from a pickle.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from lawgiver.envs.core.errors import ParameterError, brief
from lawgiver.envs.core.language import Reply

ROWS = 8
"""Replies that are scored at once: logits of all tokens of a large vocabulary take memory."""
SAFE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
"""What every loader is told."""


class TransformersModel:
    """A model from a local folder or GGUF file.

    It is sampled as it is: at temperature 1, nothing cut off. A prompt is what a user says where the model has a chat
    template, else the beginning of the text.

    Args:
        path: folder with ``config.json``, the weights in ``.safetensors`` and the tokenizer; or a ``.gguf`` file, which
            holds all of these (needs the packages gguf and accelerate, and is converted to float32 when it is loaded).
        device: of torch.

    Raises:
        ParameterError: one line that names the path, if it is neither, or does not hold a whole model.
    """

    def __init__(self, path: str | os.PathLike[str], device: str = "cpu") -> None:
        try:
            place = torch.device(device)
        except RuntimeError as error:
            raise ParameterError(f"device is {device!r}, allowed: a device of torch, such as cpu or cuda") from error
        self.tokenizer, self.network = _loaded(path)
        self.network.to(place).eval().requires_grad_(False)
        self.size = self.network.get_input_embeddings().num_embeddings
        self.ends = _ends(self.tokenizer, self.network)
        self.plain = transformers.GenerationConfig(
            do_sample=True, top_k=0, eos_token_id=self.ends or None, pad_token_id=(self.ends or [0])[0]
        )
        self.network.generation_config = self.plain  # the folder's own would cut unlikely tokens off

    def sample(self, prompt: str, count: int, rng: np.random.Generator, length: int) -> list[Reply]:
        """Draw ``count`` independent replies of at most ``length`` tokens; the token that ends one is part of it."""
        begin = self._prompt(prompt, length)
        places = [begin.device] if begin.device.type == "cuda" else []
        with torch.random.fork_rng(places), torch.inference_mode(), _quietly():  # transformers draws from torch's own
            torch.manual_seed(int(rng.integers(2**63)))
            whole = self.network.generate(
                begin,
                attention_mask=torch.ones_like(begin),
                generation_config=self.plain,
                num_return_sequences=count,
                max_new_tokens=length,
            )
        return [self._cut(reply) for reply in whole[:, begin.shape[1] :].tolist()]

    def log_probabilities(self, prompt: str, replies: Sequence[Reply]) -> np.ndarray:
        """Compute the logarithm of the probability of each reply, (count,); of an unended one, that of its beginning.

        Raises:
            ParameterError: if a reply has a number that is no token's.
        """
        for reply in replies:
            if not all(0 <= token < self.size for token in reply):
                raise ParameterError(f"a reply has tokens {brief(reply)}, allowed: 0 to {self.size - 1}")
        begin = self._prompt(prompt, max(map(len, replies), default=0))
        parts = [self._scored(begin, replies[k : k + ROWS]) for k in range(0, len(replies), ROWS)]
        return np.concatenate([np.zeros(0), *parts])

    def text(self, reply: Reply) -> str:
        """Write a reply as text, without marks such as that of its end."""
        return str(self.tokenizer.decode(reply, skip_special_tokens=True))

    def _scored(self, begin: torch.Tensor, replies: Sequence[Reply]) -> np.ndarray:
        length = max(map(len, replies))
        padded = torch.tensor([[*reply, *[0] * (length - len(reply))] for reply in replies], dtype=torch.long)
        there = torch.tensor([[k < len(reply) for k in range(length)] for reply in replies], dtype=torch.bool)
        padded, there = padded.to(begin.device), there.to(begin.device)
        with torch.inference_mode():
            whole = torch.cat([begin.expand(len(replies), -1), padded], 1)
            logits = self.network(whole, use_cache=False).logits[:, begin.shape[1] - 1 : -1]
            logs = logits.double().log_softmax(-1).gather(-1, padded[..., None])[..., 0]
        found: np.ndarray = (logs * there).sum(1).cpu().numpy()
        return found

    def _prompt(self, prompt: str, length: int) -> torch.Tensor:
        """Cut a prompt into tokens, (1, T); refuse one that has none, or that leaves no room for ``length`` more."""
        if self.tokenizer.chat_template is not None:
            said = [{"role": "user", "content": prompt}]
            prompt = self.tokenizer.apply_chat_template(said, add_generation_prompt=True, tokenize=False)
            tokens = self.tokenizer(prompt, add_special_tokens=False).input_ids
        else:
            tokens = self.tokenizer(prompt).input_ids
        if not tokens:
            raise ParameterError(f"the prompt {brief(prompt)} has no token, allowed: one at least")
        if max(tokens) >= self.size:
            raise ParameterError(f"the prompt {brief(prompt)} has tokens that the network does not know")
        most = getattr(self.network.config, "max_position_embeddings", None)
        if most is not None and len(tokens) + length > most:
            raise ParameterError(
                f"a prompt of {len(tokens)} tokens and a reply of {length} are too long, allowed: {most} together"
            )
        return torch.tensor([tokens], device=self.network.device)

    def _cut(self, reply: list[int]) -> Reply:
        end = next((k + 1 for k, token in enumerate(reply) if token in self.ends), len(reply))
        return tuple(reply[:end])


def _loaded(path: str | os.PathLike[str]) -> tuple[Any, Any]:
    """Load tokenizer and network; see :class:`TransformersModel`."""
    place = Path(path)
    of_file = place.is_file() and place.suffix.lower() == ".gguf"
    if not of_file and not (place / "config.json").is_file():
        raise ParameterError(
            f"language model {str(path)!r} is none, allowed: a folder with config.json, .safetensors and a tokenizer,"
            " or a .gguf file"
        )
    folder = str(place.parent if of_file else place)
    within: dict[str, Any] = {"gguf_file": place.name} if of_file else {"use_safetensors": True}
    try:
        with _quietly():
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder, **SAFE, **({"gguf_file": place.name} if of_file else {})
            )
            network, report = transformers.AutoModelForCausalLM.from_pretrained(
                folder,
                **SAFE,
                **within,
                dtype=torch.float32,
                attn_implementation="eager",
                output_loading_info=True,
            )
    except Exception as error:  # whatever a file that was made elsewhere leads to
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ParameterError(f"language model {str(path)!r} cannot be loaded: {reason[:300]}") from error
    absent = sorted({*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])})
    if absent:  # transformers would draw them at random
        raise ParameterError(f"language model {str(path)!r} lacks {len(absent)} of its weights, such as {absent[0]}")
    if len(tokenizer) <= len(tokenizer.all_special_tokens):  # made up by transformers in place of missing files
        raise ParameterError(f"language model {str(path)!r} has no tokenizer")
    return tokenizer, network


def _ends(tokenizer: Any, network: Any) -> list[int]:
    """List the numbers of the tokens that end a reply."""
    said = getattr(network.generation_config, "eos_token_id", None)
    listed = said if isinstance(said, list) else [said]
    return [token for token in {*listed, tokenizer.eos_token_id} if token is not None]


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep transformers from printing bars and remarks."""
    logs = transformers.utils.logging
    level, bars = logs.get_verbosity(), logs.is_progress_bar_enabled()
    logs.set_verbosity_error()
    logs.disable_progress_bar()
    try:
        yield
    finally:
        logs.set_verbosity(level)
        if bars:
            logs.enable_progress_bar()
