"""What the parsers of all commands have in common: errors of one line, and examples under each help.

Little more than argparse is loaded here; a command imports what it needs when it runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from fleuve.cli.output.standard_output import flush, write

EXIT_USAGE = 2

Commands = Any
"""What `ArgumentParser.add_subparsers` returns."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, and which takes no abbreviated flags.

    Flags may stand between words: `produce orders --whole a.txt b.txt`.
    """

    def __init__(self, **keywords: Any) -> None:
        keywords.setdefault("allow_abbrev", False)
        super().__init__(**keywords)
        self._between = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return what flags and words say; whoever takes a rest, such as a command line, has argparse's own way.

        A command refuses what it does not know itself: its own help is the one to look at.
        """
        has_commands = any(action.nargs == argparse.PARSER for action in self._actions)
        if has_commands or self._between:
            return super().parse_known_args(args, namespace)
        self._between = True
        try:
            takes_rest = any(action.nargs == argparse.REMAINDER for action in self._actions)
            parse = super().parse_known_args if takes_rest else self.parse_known_intermixed_args
            parsed, unknown = parse(args, namespace)
        finally:
            self._between = False
        if unknown:
            flags = [flag for flag in self._option_string_actions if flag.startswith("--")]
            self.error(f"unrecognized arguments: {' '.join(unknown)}{_meant(unknown[0].partition('=')[0], flags)}")
        return parsed, unknown

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices = [str(choice) for choice in action.choices or ()]
        if choices and value not in choices:
            there = _meant(str(value), choices) or f"; there are {', '.join(choices)}"
            if action.nargs == argparse.PARSER:
                raise argparse.ArgumentError(None, f"there is no command {value!r}{there}")
            raise argparse.ArgumentError(action, f"want another value than {value!r}{there}")

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is not None and file is sys.stdout:
            write(message)
            flush()
        else:
            super()._print_message(message, file)

    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong, and exit with 2."""
        for action in self._actions:
            if action.nargs == argparse.PARSER and message.endswith("required: COMMAND"):
                message = f"name a command: {', '.join(action.choices or ())}"
        self.exit(EXIT_USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _meant(typed: str, known: Sequence[str]) -> str:
    """Return a question after what was meant, or nothing if nothing known is like what was typed."""
    import difflib

    near = difflib.get_close_matches(typed, known, n=1, cutoff=0.7)
    return f"; did you mean {near[0]}?" if near else ""


class _Formatter(argparse.HelpFormatter):
    """Fits paragraphs to the terminal, and leaves those with indented lines as they are: examples are to be copied."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = text.strip().split("\n\n")
        return "\n\n".join(
            paragraph
            if "\n  " in paragraph or paragraph.startswith("  ")
            else super(_Formatter, self)._fill_text(paragraph, width, indent)
            for paragraph in paragraphs
        )


def add_command(
    commands: Commands,
    name: str,
    *,
    summary: str,
    description: str,
    examples: Sequence[str],
    run: Callable[[argparse.Namespace], int],
    prints_data: bool = True,
) -> argparse.ArgumentParser:
    """Add a command and return its parser.

    `summary` is its line in the list of commands. `examples` are command lines for a shell, each of which works
    when it is typed behind the ones above it, at a broker with nothing in it; `--help` shows them. A command that
    prints data has failed where it cannot be written.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog="examples:\n" + "\n".join(f"  $ {example}" for example in examples),
        formatter_class=_Formatter,
    )
    parser.set_defaults(run=run, prints_data=prints_data)
    return parser


def add_group(commands: Commands, name: str, *, summary: str) -> Commands:
    """Add a word that has commands of its own below it, such as `topic`, and return these."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
