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
        return "str" in found and bool(found - {"str", "None", "Path", "int", "float", "bool"} or "float" in found)

    return sum(is_one(node) for _, text in sources(root) for node in ast.walk(ast.parse(text)))


def training_loops(root: Path) -> int:
    """Count the places that show the progress of a training, one a loop."""
    return sum(len(re.findall(r"\brun\.progress\(|self\.progress\(", text)) for _, text in sources(root, "trainers"))


def code_lines(root: Path) -> int:
    """Count the lines outside tests that are neither blank nor comments nor docstrings."""
    total = 0
    for _, text in sources(root):
        tree = ast.parse(text)
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        said: set[int] = set()
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            for item in body if isinstance(body, list) and isinstance(node, documented) else []:
                if isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant) and isinstance(item.value.value, str):
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
    points = tomllib.loads((root / "pyproject.toml").read_text())["project"]["entry-points"].get(f"lawgiver.{group}", {})
    return {name: value.split()[0] for name, value in points.items()}


def naming(root: Path, modules: tuple[str, ...], names: tuple[str, ...], own: tuple[str, ...]) -> set[str]:
    """Find the modules outside of ``own`` folders that import from given modules or hold one of the names as a string."""
    found = set()
    for path, text in sources(root, "envs", "agents", "trainers"):
        if str(path).startswith(own):
            continue
        for node in ast.walk(ast.parse(text)):
            imported = node.module if isinstance(node, ast.ImportFrom) else None
            if imported is not None and any(imported == m or imported.startswith(m + ".") for m in modules):
                found.add(str(path))
            if isinstance(node, ast.Constant) and node.value in names:
                found.add(str(path))
    return found


SHARED = re.compile(r"trainers/(cli|runs|evaluation|plots|statistics|settings)/|trainers/\w+\.py|envs/(core|views)/")


def shared_that_name(root: Path, group: str) -> dict[str, int]:
    """Count, for each name of a group, the shared modules that know it: those a new one like it might have to edit."""
    result = {}
    for name, target in declared(root, group).items():
        module = target.split(":")[0]
        folder = module.removeprefix("lawgiver.").replace(".", "/")
        own = folder if (root / folder).is_dir() else folder.rsplit("/", 1)[0]
        scope = (module,) if own.count("/") < 1 or own == "trainers" else (own.replace("/", ".").join(("lawgiver.", "")),)
        known = naming(root, scope, (name,), (own + "/",))
        result[name] = sum(bool(SHARED.match(path)) for path in known)
    return result


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
