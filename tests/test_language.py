"""Docstrings begin by naming an object: "Compute the regret ...", not "Return what ..."."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("agents", "envs", "src/lawgiver", "trainers")
CLAUSE = re.compile(r"(Return (how|that|what|when|where|whether|which|who|whom|whose)|Say|Tell|What|How)\b")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_docstring_begins_with_a_clause_in_place_of_a_noun(package):
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, DOCUMENTED) and CLAUSE.match(ast.get_docstring(node) or ""):
                found.append(f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}")
    assert not found, f"docstrings that do not name what they return: {', '.join(found)}"
