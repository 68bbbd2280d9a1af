"""List what is installed, by name, without importing it."""

from __future__ import annotations

from lawgiver.envs.core.registry import (
    GAMES,
    LANGUAGE_MODELS,
    OBJECTIVES,
    POLICY_KINDS,
    ROLES,
    TRAINERS,
    VOTERS,
    names,
)
from lawgiver.trainers.runs.packaged_configs import config_names


def list_games() -> list[str]:
    """List the installed games, with their versions, for :func:`lawgiver.make_game`.

    Example:
        >>> import lawgiver
        >>> "public_investment-v0" in lawgiver.list_games()
        True
    """
    return names(GAMES)


def list_mechanisms() -> list[str]:
    """List the installed mechanisms, for ``mechanism=`` and :func:`lawgiver.tournament`.

    Example:
        >>> import lawgiver
        >>> "libertarian" in lawgiver.list_mechanisms()
        True
    """
    return names(ROLES["mechanism"])


def list_participants() -> list[str]:
    """List the installed participants, for ``participants=``.

    Example:
        >>> import lawgiver
        >>> "conditional_cooperators" in lawgiver.list_participants()
        True
    """
    return names(ROLES["participant"])


def list_voters() -> list[str]:
    """List the installed voters of elections, for :func:`lawgiver.make_voter`.

    Example:
        >>> import lawgiver
        >>> "experience" in lawgiver.list_voters()
        True
    """
    return names(VOTERS)


def list_objectives() -> list[str]:
    """List the installed objectives of mechanisms, for a game's ``objective``.

    Example:
        >>> import lawgiver
        >>> "surplus" in lawgiver.list_objectives()
        True
    """
    return names(OBJECTIVES)


def list_policies() -> list[str]:
    """List the installed kinds of learned policies.

    Example:
        >>> import lawgiver
        >>> "table" in lawgiver.list_policies()
        True
    """
    return names(POLICY_KINDS)


def list_configs() -> list[str]:
    """List the packaged configs, for :func:`lawgiver.train`.

    Example:
        >>> import lawgiver
        >>> "public_investment" in lawgiver.list_configs()
        True
    """
    return config_names()


def list_trainers() -> list[str]:
    """List the installed trainers, for a config's ``trainer.name``.

    Example:
        >>> import lawgiver
        >>> "two_timescale" in lawgiver.list_trainers()
        True
    """
    return names(TRAINERS)


def list_language_models() -> list[str]:
    """List the installed language models, for a game's ``model``.

    Example:
        >>> import lawgiver
        >>> "ngram" in lawgiver.list_language_models()
        True
    """
    return names(LANGUAGE_MODELS)
