"""What the pages say exists: links lead somewhere, flags and commands are there, and nothing is left out."""

import itertools
import re
import shlex
from pathlib import Path

import pytest

from fleuve.cli.main import main, make_parser
from fleuve.cli.serve import options_of

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def prose(path):
    """Return a page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_that_exist(page):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose(page))
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in local if not (page.parent / link).exists()] == []


def anchors(path):
    """Return the anchors of a page's headings, as the site and the usual viewers make them."""
    headings = re.findall(r"^#+ (.*)$", prose(path), flags=re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_headings_that_exist(page):
    links = [
        (link, anchor)
        for link, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", prose(page))
        if "://" not in link and (not link or link.endswith(".md"))
    ]
    assert [
        (link, anchor) for link, anchor in links if anchor not in anchors((page.parent / link) if link else page)
    ] == []


def test_every_flag_of_serve_is_explained(capsys):
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    flags = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out)) - {"--help"}
    page = (ROOT / "docs/configuration.md").read_text()
    assert sorted(flag for flag in flags if f"`{flag}" not in page) == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/getting-started.md"])
def test_commands_of_make_exist(name):
    commands = set(re.findall(r"\bmake ([a-z]+)\b(?=[ `\n])", (ROOT / name).read_text()))
    text_words = {"them", "it", "is", "and"}
    assert commands - text_words - TARGETS == set()


def blocks(path, language):
    """Return a page's blocks of code in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_fleuve_are_understood(page):
    for line in "".join(blocks(page, "console")).splitlines():
        for part in re.split(r" (?:\||&&|\|\|) ", line.removeprefix("$ ").removesuffix("&")):
            if line.startswith("$ ") and part.startswith("fleuve "):
                words = list(itertools.takewhile(lambda word: word not in {">", "<"}, shlex.split(part, comments=True)))
                parsed = make_parser().parse_args(words[1:])
                if words[1] == "serve":
                    options_of(parsed)


def test_what_each_handler_says_of_its_differences_is_on_the_page():
    page = (ROOT / "docs/differences-from-kafka.md").read_text()
    handlers = [path for path in (ROOT / "src/fleuve/kafka/handlers").glob("*.py") if path.name != "__init__.py"]
    silent = [path.name for path in handlers if "\nDiffers from Apache Kafka:" not in path.read_text()]
    # FindCoordinator (10) and its like; those with nothing but the throttle time to tell are left out.
    assert silent == []
    assert len(re.findall(r"^- \*\*\w+\*\* \(\d+\): ", page, re.MULTILINE)) > len(handlers) // 2


def test_every_page_is_listed_in_the_index():
    index = (ROOT / "docs/index.md").read_text()
    pages = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").glob("**/*.md")]
    single = [str(page) for page in pages if page.parts[0] not in {"decisions", "formats", "index.md"}]
    assert [page for page in single if f"({page})" not in index] == []


@pytest.mark.parametrize("folder", ["decisions", "formats"])
def test_every_page_of_a_folder_is_listed_in_its_index(folder):
    index = (ROOT / "docs" / folder / "index.md").read_text()
    pages = [path.name for path in (ROOT / "docs" / folder).glob("*.md") if path.name != "index.md"]
    assert [page for page in pages if f"({page})" not in index] == []


def test_locked_requirements_name_no_place_to_get_them_from():
    places = re.compile(r"://|--(extra-)?index-url|--find-links")
    files = [*(ROOT / "requirements").glob("*.txt")]
    assert files
    assert [path.name for path in files if places.search(path.read_text())] == []
