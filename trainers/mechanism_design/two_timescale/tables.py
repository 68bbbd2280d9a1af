"""What the numbers of a training on two timescales mean; its tables are those of every announced mechanism."""

MEANINGS = {
    "reply_gap": "probability that a participant acts otherwise than its exact reply, once all have settled under the"
    " learned mechanism",
    "reply_gap_in_training": "the same when the training ended, before participants settled (as in the curves)",
    "score_in_training": "welfare a round of what they played then",
    "agent_updates": "steps of the participants' tables",
    "evaluations": "mechanisms whose welfare was measured",
}
"""What single numbers of a summary mean."""
