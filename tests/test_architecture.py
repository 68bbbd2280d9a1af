"""No circles of imports: every module can be read, and moved, after those that it is made of."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import lawgiver

SOURCE = Path(lawgiver.__file__).parent
WINGS = ("envs", "agents", "trainers")


def modules() -> dict[str, Path]:
    """Return the files of all wings by the name under which they are imported."""
    found = {}
    for wing in WINGS:
        root = (SOURCE / wing).resolve()
        for path in root.rglob("*.py"):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(("lawgiver", wing, *(part for part in parts if part != "__init__")))] = path
    return found


def imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield module and name of every import at run time, those inside functions too, those for types alone not."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            continue
        if isinstance(child, ast.Import):
            yield from ((alias.name, "") for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from ((child.module or "", alias.name) for alias in child.names)
        else:
            yield from imported(child)


def test_no_module_imports_itself_by_a_detour():
    files = modules()
    assert len(files) > 200
    graph: dict[str, set[str]] = {}
    for name, path in files.items():
        wanted = {
            f"{module}.{attribute}" if f"{module}.{attribute}" in files else module
            for module, attribute in imported(ast.parse(path.read_text()))
        }
        graph[name] = (wanted & files.keys()) - {name}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise AssertionError(f"modules import each other in a circle: {circle}") from None


def test_imports_inside_functions_count_and_those_for_types_do_not():
    text = "import a\nif TYPE_CHECKING:\n    import b\ndef f():\n    from c import d\n    class C:\n        import e\n"
    assert list(imported(ast.parse(text))) == [("a", ""), ("c", "d"), ("e", "")]
