"""Pages of the site that stand elsewhere in the repository: a hook of MkDocs.

README.md is the first page, CHANGELOG.md the list of changes, and each CRM's README its page.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changes.md",
    **{
        f"ingestion/sync/{path.parent.name}/README.md": f"crms/{path.parent.name}.md"
        for path in sorted((ROOT / "ingestion" / "sync").glob("*/README.md"))
    },
}
SOURCES = {page: source for source, page in PAGES.items()}
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links lead from where a page stands in the repository to where its target is on the site."""
    here = page.file.src_uri
    folder = posixpath.dirname(SOURCES.get(here, f"docs/{here}"))

    def on_site(found: re.Match[str]) -> str:
        path, mark, anchor = found[1].partition("#")
        target = posixpath.normpath(posixpath.join(folder, path))
        place = PAGES.get(target, posixpath.relpath(target, "docs"))
        return f"]({posixpath.relpath(place, posixpath.dirname(here) or '.')}{mark}{anchor}"

    return LINK.sub(on_site, markdown)
