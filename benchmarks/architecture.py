"""Measure how the code is laid out: what is loose, what is written twice, and what a new part has to edit elsewhere.

    python benchmarks/architecture.py                  this checkout
    python benchmarks/architecture.py BEFORE AFTER     two checkouts side by side

Everything is counted from the source text (Python's ``ast``); nothing of the checkouts is imported.
"""

from __future__ import annotations

import argparse
import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("envs", "agents", "trainers", "src/lawgiver")
NO_FAILURES = ("render", "frame", "anchor_of")
"""Functions whose string is one of two kinds of result: a picture as text, an anchor by name."""


def sources(root: Path, *packages: str) -> Iterator[tuple[Path, str]]:
    """Yield the modules of some packages, each with its text; links are not followed."""
    for package in packages or PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            if not any(part.is_symlink() for part in (path, *path.parents) if root in part.parents):
                yield path.relative_to(root), path.read_text(encoding="utf-8")


def loose(root: Path, package: str) -> int:
    """Count the modules that lie directly in a package."""
    return sum(path.name != "__init__.py" for path in (root / package).glob("*.py"))


def game_classes(root: Path) -> set[str]:
    """Find the names of all classes that derive from Game, directly or not."""
    bases = {
        node.name: {re.split(r"[\[.]", ast.unparse(base))[0] for base in node.bases}
        for _, text in sources(root, "envs")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef)
    }
    found = {"Game"}
    while more := {name for name, above in bases.items() if above & found} - found:
        found |= more
    return found


def isinstance_of_games(root: Path) -> int:
    """Count ``isinstance(x, SomeGame)`` in trainers/."""
    games = game_classes(root)

    def tests_a_game(node: ast.AST) -> bool:
        if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance"):
            return False
        return bool(games & {name.id for name in ast.walk(node.args[1]) if isinstance(name, ast.Name)})

    return sum(tests_a_game(node) for _, text in sources(root, "trainers") for node in ast.walk(ast.parse(text)))


def failures_as_strings(root: Path) -> int:
    """Count the functions that return a result or a string that says why there is none."""

    def parts(annotation: ast.expr) -> Iterator[str]:
        if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
            yield from parts(annotation.left)
            yield from parts(annotation.right)
        else:
            yield ast.unparse(annotation)

    def is_one(node: ast.AST) -> bool:
        if not isinstance(node, ast.FunctionDef) or node.returns is None:
            return False
        found = set(parts(node.returns))
        return "str" in found and bool(found - {"str", "None"}) and node.name not in NO_FAILURES

    return sum(is_one(node) for _, text in sources(root) for node in ast.walk(ast.parse(text)))


def training_loops(root: Path) -> int:
    """Count the places that show the progress of a training, one a loop."""
    return sum(len(re.findall(r"\brun\.progress\(|self\.progress\(", text)) for _, text in sources(root, "trainers"))


def code_lines(root: Path) -> int:
    """Count the lines outside tests that are neither blank nor comments nor docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    total = 0
    for _, text in sources(root):
        said: set[int] = set()
        for node in ast.walk(ast.parse(text)):
            for item in node.body if isinstance(node, documented) else []:
                if isinstance(item, ast.Expr) and isinstance(getattr(item.value, "value", None), str):
                    said |= set(range(item.lineno, (item.end_lineno or item.lineno) + 1))
        total += sum(
            bool(line.strip()) and not line.strip().startswith("#") and number not in said
            for number, line in enumerate(text.splitlines(), 1)
        )
    return total


def lines(root: Path) -> int:
    """Count all lines outside tests."""
    return sum(len(text.splitlines()) for _, text in sources(root))


def longest(root: Path) -> int:
    """Count the modules of more than 400 lines."""
    return sum(len(text.splitlines()) > 400 for _, text in sources(root))


def declared(root: Path, group: str) -> dict[str, str]:
    """Read a group of entry points: what each name points to."""
    groups = tomllib.loads((root / "pyproject.toml").read_text())["project"]["entry-points"]
    return {name: value.split()[0] for name, value in groups.get(f"lawgiver.{group}", {}).items()}


SHARED = re.compile(
    r"trainers/(cli|runs|evaluation|plots|statistics|settings|tables)/|trainers/\w+\.py|envs/(core|views)/"
)
"""Where code stands that serves all games and trainers."""


def shared_that_name(root: Path, group: str) -> dict[str, int]:
    """Count, for each name of a group, the shared modules that import it or hold its name as a string."""
    counts = {}
    for name, target in declared(root, group).items():
        module = Path(*target.split(":")[0].split(".")[1:])
        own = module if (root / module).is_dir() else module.parent
        below = ".".join(("lawgiver", *own.parts))
        counts[name] = sum(
            bool(SHARED.match(str(path))) and own not in path.parents and _names(text, below, name)
            for path, text in sources(root, "envs", "trainers")
        )
    return counts


def _names(text: str, package: str, name: str) -> bool:
    """Check whether a module imports from a package or holds a name as a string."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{package}."):
            return True
        if isinstance(node, ast.Constant) and node.value == name:
            return True
    return False


def rows(root: Path) -> dict[str, str]:
    """Measure one checkout."""
    trainers, games = shared_that_name(root, "trainers"), shared_that_name(root, "games")
    return {
        "modules loose in trainers/": str(loose(root, "trainers")),
        "modules in envs/core": str(loose(root, "envs/core")),
        "isinstance(x, a Game class) in trainers/": str(isinstance_of_games(root)),
        "functions that return `X | str`": str(failures_as_strings(root)),
        "training loops": str(training_loops(root)),
        "modules of more than 400 lines": str(longest(root)),
        "lines outside tests": f"{lines(root):,}",
        "of these lines of code": f"{code_lines(root):,}",
        "shared modules that name a trainer: most": str(max(trainers.values())),
        "shared modules that name a trainer: sum": str(sum(trainers.values())),
        "shared modules that name a game: most": str(max(games.values())),
        "shared modules that name a game: sum": str(sum(games.values())),
        "kinds of learned policies by entry point": str(len(declared(root, "policies"))),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", nargs="*", type=Path, default=[Path(__file__).parents[1]], metavar="CHECKOUT")
    roots = [path.resolve() for path in parser.parse_args().checkouts]
    columns = [rows(root) for root in roots]
    print("| measured |" + "".join(f" {root.name} |" for root in roots))
    print("|---|" + "---|" * len(roots))
    for key in columns[0]:
        print(f"| {key} |" + "".join(f" {column[key]} |" for column in columns))


if __name__ == "__main__":
    main()
