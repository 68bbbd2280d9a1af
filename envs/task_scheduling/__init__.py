"""Dynamic truthful task scheduling (Curry, Thoma et al. 2024, section 5)."""

from lawgiver.envs.task_scheduling.game import SchedulingState, TaskScheduling

__all__ = ["SchedulingState", "TaskScheduling"]
