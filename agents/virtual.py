"""Virtual participants: the networks of the HCMD-zero paper, fitted to records, as policies and voters."""

from __future__ import annotations

from lawgiver.agents.virtual_networks import ContributionNet as ContributionNet
from lawgiver.agents.virtual_networks import VoteNet as VoteNet
