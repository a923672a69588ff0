"""How the documentation becomes a site: links follow the pages to their new places, and bad ones are noticed."""

import runpy
from pathlib import Path

import pytest

TOOL = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "build_site.py"))


@pytest.fixture
def repository(tmp_path):
    for name, text in {
        "ARCHITECTURE.md": "See [durability](docs/durability.md#cost) and [the code](src/fleuve/main.py).",
        "README.md": "# Fleuve",
        "src/fleuve/main.py": "pass",
        "examples/taxis/README.md": "Back to [the start](../../README.md).",
        "docs/durability.md": "# D\n\n## Cost\n\nSee [`order`](../ARCHITECTURE.md#laws), [taxis](../examples/taxis/).",
        "docs/formats/index.md": "[Journal](journal.md), [elsewhere](../durability.md)",
        "docs/formats/journal.md": "```\n[no link](nowhere.md)\n```\n\n| to | do |\n|---|---|\n| find | `a \\| b` |\n",
        "docs/index.md": "[First](durability.md)\n\n## Use\n\n[Durability](durability.md), [Formats](formats/index.md)",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    TOOL["lay_out"](tmp_path, tmp_path / "pages")
    return tmp_path / "pages"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("project/architecture.md", "See [durability](../durability.md#cost) and the code."),
        ("durability.md", "[`order`](project/architecture.md#laws), [taxis](examples/taxis/index.md)."),
        ("examples/taxis/index.md", "Back to [the start](../../index.md)."),
        ("formats/journal.md", "[no link](nowhere.md)"),
        ("formats/journal.md", "| find | `a | b` |"),
    ],
)
def test_links_follow_the_pages(repository, page, text):
    assert text in (repository / page).read_text()


def test_the_index_is_the_navigation(repository):
    formats = ["formats/index.md", {"Journal": "formats/journal.md"}]
    groups = [{"Home": "index.md"}, {"Use": [{"Durability": "durability.md"}, {"Formats": formats}]}]
    assert TOOL["navigation"](repository) == groups


@pytest.mark.parametrize(
    ("element", "complaint"),
    [
        ('<a href="nowhere.html">', "index.html: nowhere.html leads nowhere"),
        ('<a href="other.html#gone">', "index.html: other.html#gone names an anchor that is not there"),
        ('<a href="#gone">', "index.html: #gone names an anchor that is not there"),
        ('<a href="http://example.org/">', "index.html: http://example.org/ is no address on the web"),
        ('<a href="https://example/">', "index.html: https://example/ is no address on the web"),
        ('<a href="javascript:go()">', "index.html: javascript:go() has a scheme that is none of the web's"),
        ('<img src="gone.svg">', "index.html: gone.svg leads nowhere"),
        ('<script src="https://example.org/x.js">', "index.html: loads https://example.org/x.js from elsewhere"),
    ],
)
def test_a_bad_link_is_a_complaint(tmp_path, element, complaint):
    (tmp_path / "index.html").write_text(element)
    (tmp_path / "other.html").write_text('<h2 id="there">')
    assert TOOL["complaints"](tmp_path) == [complaint]


def test_good_links_are_none(tmp_path):
    (tmp_path / "index.html").write_text(
        '<a href="other.html#there"><a href="./"><a href="https://example.org/a#b"><a href="http://localhost:9644/">'
    )
    (tmp_path / "other.html").write_text('<h2 id="there"><a href="index.html"><a href="#there">')
    assert TOOL["complaints"](tmp_path) == []
