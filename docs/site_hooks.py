"""Hooks of the documentation site: pages for whole folders, and for files of the repository that pages link to."""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).parents[1]
SOURCES = "source"
"""The site's folder for files of the repository, which are not pages of their own."""

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((\.\./[^)\s#]+)\)")
LANGUAGES = {".md": "markdown", ".py": "python", ".yaml": "yaml", ".toml": "toml"}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Replace each folder in the navigation by its pages, so that a new game or result needs no entry."""

    def filled(item: Any) -> Any:
        if isinstance(item, dict):
            return {title: filled(inner) for title, inner in item.items()}
        if isinstance(item, str) and item.endswith("/"):
            pages = sorted((ROOT / "docs" / item).glob("*.md"), key=lambda page: (page.name != "index.md", page.name))
            return [f"{item}{page.name}" for page in pages]
        return item

    config.nav = [filled(item) for item in config.nav or []]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for every file outside docs/ that a page links to."""
    for page in files.documentation_pages():
        for target in outside(page.content_string, page.src_uri):
            name = f"{SOURCES}/{target}.md"
            if files.get_file_from_path(name) is None:
                files.append(File.generated(config, name, content=shown(target), inclusion=InclusionLevel.NOT_IN_NAV))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links that leave docs/ to those pages."""
    folder = str(PurePosixPath(page.file.src_uri).parent)

    def moved(match: re.Match[str]) -> str:
        target = in_repository(match[2], page.file.src_uri)
        return f"[{match[1]}]({relpath(f'{SOURCES}/{target}.md', folder)})" if target else match[0]

    return LINK.sub(moved, markdown)


def outside(markdown: str, page: str) -> list[str]:
    """List the files of the repository outside docs/ that a page links to."""
    targets = [in_repository(match[2], page) for match in LINK.finditer(markdown)]
    return [target for target in targets if target]


def in_repository(link: str, page: str) -> str | None:
    """Resolve a link of a page to a file outside docs/, relative to the repository; None for other links."""
    target = normpath(PurePosixPath("docs") / PurePosixPath(page).parent / link)
    return target if not target.startswith(("docs/", "..")) and (ROOT / target).is_file() else None


def shown(target: str) -> str:
    """Write a file of the repository as a page that the search leaves out."""
    path = ROOT / target
    text = path.read_text()
    fenced = f"``````{LANGUAGES.get(path.suffix, 'text')}\n{text}\n``````"
    return f"---\nsearch: {{exclude: true}}\n---\n\n# {target}\n\n{fenced}\n"
