"""The examples in the docstrings of the solvers give what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from lawgiver.envs import solvers

MODULES = [
    module.name for module in pkgutil.walk_packages(solvers.__path__, f"{solvers.__name__}.") if not module.ispkg
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_solvers(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_most_solvers_have_an_example():
    finder = doctest.DocTestFinder()
    shown = [name for name in MODULES if any(one.examples for one in finder.find(importlib.import_module(name)))]
    assert len(shown) >= 16
