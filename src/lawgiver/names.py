"""List what is installed, by name, without importing it."""

from __future__ import annotations

from lawgiver.envs.core.registry import GAMES, LEARNED, OBJECTIVES, POLICIES, TRAINERS, VOTERS, names
from lawgiver.trainers.runs.packaged_configs import config_names


def list_games() -> list[str]:
    """List the installed games, with their versions: what :func:`lawgiver.make_game` takes.

    Example:
        >>> import lawgiver
        >>> "public_investment-v0" in lawgiver.list_games()
        True
    """
    return names(GAMES)


def list_mechanisms() -> list[str]:
    """List the installed mechanisms: what ``mechanism=`` and :func:`lawgiver.tournament` take.

    Example:
        >>> import lawgiver
        >>> "libertarian" in lawgiver.list_mechanisms()
        True
    """
    return names(POLICIES["mechanism"])


def list_participants() -> list[str]:
    """List the installed participants: what ``participants=`` takes.

    Example:
        >>> import lawgiver
        >>> "conditional_cooperators" in lawgiver.list_participants()
        True
    """
    return names(POLICIES["participant"])


def list_voters() -> list[str]:
    """List the installed voters of elections: what :func:`lawgiver.make_voter` takes.

    Example:
        >>> import lawgiver
        >>> "experience" in lawgiver.list_voters()
        True
    """
    return names(VOTERS)


def list_objectives() -> list[str]:
    """List the installed objectives of mechanisms: what a game's ``objective`` takes.

    Example:
        >>> import lawgiver
        >>> "surplus" in lawgiver.list_objectives()
        True
    """
    return names(OBJECTIVES)


def list_policies() -> list[str]:
    """List the installed kinds of learned policies: what can be saved and loaded.

    Example:
        >>> import lawgiver
        >>> "table" in lawgiver.list_policies()
        True
    """
    return names(LEARNED)


def list_configs() -> list[str]:
    """List the packaged configs: what :func:`lawgiver.train` takes.

    Example:
        >>> import lawgiver
        >>> "public_investment" in lawgiver.list_configs()
        True
    """
    return config_names()


def list_trainers() -> list[str]:
    """List the installed trainers: what a config's ``trainer.name`` takes.

    Example:
        >>> import lawgiver
        >>> "two_timescale" in lawgiver.list_trainers()
        True
    """
    return names(TRAINERS)
