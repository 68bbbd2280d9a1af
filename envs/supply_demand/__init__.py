"""Supply and demand: agents spread over zones to serve demand, and a mechanism adds bonuses."""

from lawgiver.envs.supply_demand.game import SupplyDemand

__all__ = ["SupplyDemand"]
