"""What of a stranger's bytes may reach a terminal, and whether it takes colours."""

from __future__ import annotations

import re
import sys

# Control characters but tab and line end; the C1 ones; and those that turn the direction of what follows.
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def is_terminal() -> bool:
    """Return whether standard output is a terminal."""
    return sys.stdout.isatty()


def takes_colours() -> bool:
    """Return whether standard output is a terminal with colours, and the user has nothing against them (NO_COLOR)."""
    if not is_terminal():
        return False
    from fleuve.cli.output.consoles import console

    shown = console()
    return shown.color_system is not None and not shown.no_color


def harmless(data: bytes) -> str:
    r"""Return bytes as text that a terminal only shows: what would steer it, or is not UTF-8, becomes `\x1b`."""
    return harmless_text(data.decode("utf-8", "backslashreplace"))


def harmless_text(text: str) -> str:
    """Return text that a terminal only shows, as `harmless` does."""
    return _HARMFUL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"


def painted(text: str, style: str) -> str:
    """Return text in a style, such as "36" for cyan: the numbers of ECMA-48."""
    return f"\x1b[{style}m{text}\x1b[0m"
