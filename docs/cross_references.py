"""An extension of griffe that turns roles in docstrings, such as :func:`name`, into links of the documentation site."""

import re
from typing import Any

from griffe import Extension, NameResolutionError, Object

ROLE = re.compile(r":(?:func|class|meth|mod|attr|data|exc):`([^`]+)`")


class CrossReferences(Extension):
    """Writes each role as a link that becomes plain code where its target has no page."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring is not None:
            obj.docstring.value = ROLE.sub(lambda match: link(match[1], obj), obj.docstring.value)


def link(target: str, scope: Object) -> str:
    """Write a reference to a name, which is resolved where the docstring stands."""
    name = target.removeprefix("~")
    shown = name.rpartition(".")[2] if target.startswith("~") else name
    try:
        path = name if name.startswith("lawgiver") else scope.resolve(name)
    except NameResolutionError:
        path = name
    return f'<autoref identifier="{path}" optional><code>{shown}</code></autoref>'
