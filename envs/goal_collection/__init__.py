"""Goals on a torus, each worth something to one participant, once: a world whose states do not fit into a table."""

from lawgiver.envs.goal_collection.game import GoalCollection, GoalCollectionState

__all__ = ["GoalCollection", "GoalCollectionState"]
