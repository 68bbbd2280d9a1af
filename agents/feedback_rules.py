"""Rules by name that make a policy of annotators' feedback; those that count votes are in :mod:`.voting`."""

from __future__ import annotations

from lawgiver.agents.reporting import rule_by_name

mean = rule_by_name(
    "mean", "the rule that goes by the mean of what is reported of each alternative; it pays to exaggerate"
)
trimmed_mean = rule_by_name(
    "trimmed_mean",
    "the rule that goes by the mean of what is reported without a quarter of the participants at either end",
)
bradley_terry = rule_by_name(
    "bradley_terry", "the rule that goes by the rewards that fit everybody's comparisons best, as RLHF and DPO do"
)
nash_lottery = rule_by_name(
    "nash_lottery", "the rule that makes the policy that no other is preferred to, at a price on leaving the reference"
)
maxmin = rule_by_name("maxmin", "the rule that makes the policy that is best for whoever is worst off")
mosaic = rule_by_name(
    "mosaic", "the rule that makes the best policy, and charges everybody what the others lose by its presence"
)
