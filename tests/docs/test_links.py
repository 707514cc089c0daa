"""Links between the project's pages lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
PAGES = [REPO / "README.md", REPO / "CHANGELOG.md", *sorted((REPO / "docs").rglob("*.md"))]

_CODE = re.compile(r"^(```+).*?^\1[ \t]*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


def links_of(markdown: str) -> list[str]:
    """The targets of a page's links and pictures that lie in the project."""
    targets = _LINK.findall(_CODE.sub("", markdown))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors_of(markdown: str) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    headings = _HEADING.findall(re.sub(r"^(```+).*?^\1[ \t]*$", "", markdown, flags=re.MULTILINE | re.DOTALL))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    """The links of a page whose file or heading does not exist."""
    return [link for link in links_of(page.read_text(encoding="utf-8")) if not _leads_somewhere(page, link)]


def _leads_somewhere(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.exists() or not target.is_relative_to(REPO):
        return False
    return not anchor or anchor in anchors_of(target.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_link_to_nowhere_is_found() -> None:
    """On a page that is not written to disk: the check itself can fail."""
    page = REPO / "README.md"
    assert not _leads_somewhere(page, "docs/none.md")
    assert not _leads_somewhere(page, "docs/format.md#none")
    assert not _leads_somewhere(page, "../../etc/passwd")
    assert _leads_somewhere(page, "docs/format.md#4-blocks")


def test_links_in_code_and_to_other_sites_are_not_followed() -> None:
    assert links_of("[a](b.md) `[c](d)` [e](https://x.org)\n```\n[f](g)\n```\n![h](i.svg)") == [
        "b.md",
        "i.svg",
    ]
