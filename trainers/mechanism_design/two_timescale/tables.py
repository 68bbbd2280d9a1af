"""Meanings of the numbers in a summary of the trainer ``two_timescale``."""

MEANINGS = {
    "reply_gap": "probability that a participant acts otherwise than its exact reply, once all have settled under the"
    " learned mechanism",
    "reply_gap_in_training": "the same when the training ended, before participants settled (as in the curves)",
    "score_in_training": "welfare a round of what they played then",
    "agent_updates": "steps of the participants' tables",
    "evaluations": "mechanisms whose welfare was measured",
}
"""One line by key of the summary."""
