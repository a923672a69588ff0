"""Build the documentation as a site, and check every link in what was built.

    python tools/build_site.py [DIRECTORY]     default: site/

The site is `docs/` and the pages at the top of the repository, which have links in both directions and must stay
readable where they are. So they are laid out anew in `build/site/`: each page gets its place, and its links follow. A
link to a file of the repository that is no page, such as a program, keeps its text alone.

What is in the navigation, and in which order, stands in `docs/index.md` and nowhere else: its headings are the groups,
its links the pages; a page called `index.md` in a folder brings what it links to in that folder.
"""

from __future__ import annotations

import html
import json
import posixpath
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
LAID_OUT = ROOT / "build" / "site"

CONFIG = {
    "site_name": "Fleuve",
    "site_description": "An event-streaming broker in Python that speaks the Apache Kafka wire protocol",
    "docs_dir": "pages",
    "site_dir": "built",
    # Pages open from a folder, too, without a server.
    "use_directory_urls": False,
    "theme": {
        "name": "material",
        # Nothing is fetched from elsewhere: no fonts, no scripts.
        "font": False,
        "features": [
            "content.code.copy",
            "navigation.footer",
            "navigation.indexes",
            "navigation.tabs",
            "navigation.top",
            "search.highlight",
            "toc.follow",
        ],
        "palette": [
            {
                "media": "(prefers-color-scheme: light)",
                "scheme": "default",
                "toggle": {"icon": "lucide/sun", "name": "Dark colours"},
            },
            {
                "media": "(prefers-color-scheme: dark)",
                "scheme": "slate",
                "toggle": {"icon": "lucide/moon", "name": "Light colours"},
            },
        ],
    },
    "extra_css": ["assets/site.css"],
    "extra_javascript": ["assets/search-in-files.js"],
    "plugins": ["search"],
    "extra": {"generator": False},
    "markdown_extensions": [
        "attr_list",
        "tables",
        {"toc": {"permalink": True}},
        {"pymdownx.highlight": {"pygments_lang_class": True}},
        "pymdownx.superfences",
    ],
}

# ------------------------------------------------------------------------------------------ pages and their places

CODE = re.compile(r"(^(?P<fence>```+|~~~+).*?^(?P=fence)[ ]*$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?P<image>!?)\[(?P<text>(?:[^][]|\[[^][]*\])*)\]\((?P<target>[^)\s]+)\)")


def places(root: Path) -> dict[str, str]:
    """Return where each file of the repository lies in the site: repository path to path below `pages/`."""
    found = {
        path.relative_to(root).as_posix(): path.relative_to(root / "docs").as_posix()
        for path in sorted((root / "docs").rglob("*"))
        if path.is_file()
    }
    for path in sorted(root.glob("*.md")):
        # The index is for the site what README.md is for the repository.
        found[path.name] = "index.md" if path.name == "README.md" else f"project/{path.name.lower()}"
    for path in sorted(root.glob("examples/**/README.md")):
        folder = path.parent.relative_to(root).as_posix()
        found[f"{folder}/README.md"] = f"{folder}/index.md"
    return found


def with_links(text: str, change: Callable[[str, str, str], str]) -> str:
    """Return a page in which every link, those in code apart, is what `change(image, text, target)` returns."""
    # Code is hidden first, so that a link whose text is code stays one piece.
    hidden: list[str] = []

    def hide(match: re.Match[str]) -> str:
        hidden.append(match[0])
        return f"\0{len(hidden) - 1}\0"

    changed = LINK.sub(lambda match: change(match["image"], match["text"], match["target"]), CODE.sub(hide, text))
    return re.sub("\0(\\d+)\0", lambda match: hidden[int(match[1])], changed)


def moved(text: str, *, source: str, root: Path, placed: Mapping[str, str]) -> str:
    """Return the text of the page `source` as it is in the site: its links lead to the new places."""
    here = posixpath.dirname(placed[source])

    def change(image: str, words: str, target: str) -> str:
        address, mark, anchor = target.partition("#")
        if not address or urlsplit(target).scheme:
            return f"{image}[{words}]({target})"
        found = posixpath.normpath(posixpath.join(posixpath.dirname(source), address))
        for name in (found, f"{found}/index.md", f"{found}/README.md"):
            if name in placed:
                return f"{image}[{words}]({posixpath.relpath(placed[name], here or '.')}{mark}{anchor})"
        if (root / found).exists():
            return words
        # Left as it is, for the build to complain about.
        return f"{image}[{words}]({target})"

    # The usual viewers want a bar in a table's code escaped; the site's Markdown shows what stands there.
    rows = re.sub(r"^\|.*$", lambda row: re.sub(r"`[^`]+`", _unescaped, row[0]), text, flags=re.MULTILINE)
    return with_links(rows, change)


def _unescaped(code: re.Match[str]) -> str:
    return code[0].replace(r"\|", "|")


def lay_out(root: Path, directory: Path) -> None:
    """Write the pages, and all that lies beside them, below `directory`."""
    placed = places(root)
    for source, place in placed.items():
        if source == "README.md":
            continue
        target = directory / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".md":
            target.write_text(moved((root / source).read_text(), source=source, root=root, placed=placed))
        else:
            shutil.copyfile(root / source, target)


# ------------------------------------------------------------------------------------------ navigation


def links_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield the text and the target of each link to a page, in order."""
    found: list[tuple[str, str]] = []

    def change(image: str, words: str, target: str) -> str:
        address = target.partition("#")[0]
        if not image and not urlsplit(target).scheme and address.endswith(".md"):
            found.append((words, address))
        return ""

    with_links(text, change)
    yield from found


def navigation(pages: Path) -> list[object]:
    """Return what `docs/index.md`, laid out in `pages`, says of the order of all pages."""
    text = (pages / "index.md").read_text()
    shown = {"index.md"}
    groups: list[object] = [{"Home": "index.md"}]
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        entries: list[object] = []
        for words, target in links_of(body):
            if target in shown:
                continue
            shown.add(target)
            folder, _, name = target.rpartition("/")
            if folder and name == "index.md":
                inside = [(words, target), *_inside(pages, target)]
                shown.update(one for _, one in inside)
                entries.append({words: [target if one == target else {name: one} for name, one in inside]})
            else:
                entries.append({words: target})
        groups.append({title.strip(): entries})
    return groups


def _inside(pages: Path, index: str) -> Iterator[tuple[str, str]]:
    """Yield the pages that a folder's index links to in its folder."""
    folder = posixpath.dirname(index)
    seen = {index}
    for words, target in links_of((pages / index).read_text()):
        page = posixpath.normpath(posixpath.join(folder, target))
        if page.startswith(f"{folder}/") and page not in seen:
            seen.add(page)
            yield words, page


# ------------------------------------------------------------------------------------------ what was built


LOADS = frozenset({("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")})


class Page(HTMLParser):
    """A page of the site: where it links to, what it loads, and which anchors it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors = {""}
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value or "")
            elif (tag, name) == ("a", "href"):
                self.links.append(html.unescape(value or ""))
            elif (tag, name) in LOADS:
                self.loads.append(html.unescape(value or ""))


def complaints(site: Path) -> list[str]:
    """Return what is wrong with the links of a built site, one line each."""
    pages = {path.relative_to(site).as_posix(): Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    wrong = []
    for name, page in pages.items():
        if name == "404.html":
            # Served under any address; its links are the navigation's, which are in every page.
            continue
        wrong += [f"{name}: loads {url} from elsewhere" for url in page.loads if urlsplit(url).netloc]
        for link in [*page.links, *(url for url in page.loads if not urlsplit(url).netloc)]:
            if reason := _wrong(link, name, site, pages):
                wrong.append(f"{name}: {link} {reason}")
    return wrong


def _wrong(link: str, name: str, site: Path, pages: Mapping[str, Page]) -> str:
    """Return what is wrong with a link of a page; empty if nothing is."""
    parts = urlsplit(link)
    if parts.scheme in {"http", "https"}:
        local = parts.hostname in {"localhost", "127.0.0.1"}
        if not local and (parts.scheme != "https" or not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.netloc)):
            return "is no address on the web"
        return ""
    if parts.scheme:
        return "" if parts.scheme in {"mailto", "data"} else "has a scheme that is none of the web's"
    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path))) if parts.path else name
    if target == ".":
        target = "index.html"
    if not (site / target).is_file():
        return "leads nowhere"
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
        return "names an anchor that is not there"
    return ""


# ------------------------------------------------------------------------------------------ the whole


def build(site: Path) -> list[str]:
    """Build the site; return the complaints."""
    shutil.rmtree(LAID_OUT, ignore_errors=True)
    lay_out(ROOT, LAID_OUT / "pages")
    # JSON is YAML.
    config = {**CONFIG, "nav": navigation(LAID_OUT / "pages")}
    (LAID_OUT / "mkdocs.yml").write_text(json.dumps(config, indent=1))
    command = [str(Path(sys.executable).with_name("zensical")), "build", "--clean", "--strict", "-f", "mkdocs.yml"]
    done = subprocess.run(command, cwd=LAID_OUT, capture_output=True, text=True, check=False)
    if done.returncode:
        plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
        return [line for line in plain.splitlines() if line.strip() and not line.startswith((" ", "Traceback"))] or [
            "the site could not be built"
        ]
    shutil.rmtree(site, ignore_errors=True)
    shutil.copytree(LAID_OUT / str(CONFIG["site_dir"]), site)
    # What is fetched from a server, a page that was opened from a folder loads as a script.
    (site / "search.js").write_text(f"var __index = {(site / 'search.json').read_text()}")
    return complaints(site)


def main(arguments: list[str]) -> int:
    """Build and check; return the exit code."""
    site = Path(arguments[0] if arguments else ROOT / "site").resolve()
    found = build(site)
    for line in found:
        print(line, file=sys.stderr)
    if not found:
        print(f"The documentation is in {site}; open {site / 'index.html'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
