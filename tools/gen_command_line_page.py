"""Write `docs/reference/command-line.md` from the parsers of the commands.

python tools/gen_command_line_page.py           write it
python tools/gen_command_line_page.py --check   exit with 1 if it is not what would be written
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fleuve.cli.main import make_parser
from generated_page import finish

PAGE = "reference/command-line.md"
CONNECTION = "connection"

HEAD = """\
# Command line

Every command with its options, as `--help` tells them. How they are used together, what they print and how they end is
said in [Command line](../command-line.md).

{list}

`fleuve --version` prints the version. Flags may stand before or behind other words; they cannot be abbreviated.

## Options of every client

All commands that talk to a cluster, with any broker that speaks Kafka's protocol, have these:

{connection}
"""


def commands(parser: argparse.ArgumentParser) -> Iterator[tuple[argparse.ArgumentParser, str]]:
    """Yield the parser of each command, and its line in the list of commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            summaries = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, below in action.choices.items():
                has_commands = any(isinstance(one, argparse._SubParsersAction) for one in below._actions)
                yield from commands(below) if has_commands else [(below, summaries[name])]


def of_connection(parser: argparse.ArgumentParser) -> Sequence[argparse.Action]:
    """Return the options by which a command finds its cluster."""
    return [action for group in parser._action_groups if group.title == CONNECTION for action in group._group_actions]


def own_actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return what is particular to a command: what it takes, then its flags."""
    shared = of_connection(parser)
    found = [one for one in parser._actions if one not in shared and one.dest != "help"]
    return sorted(found, key=lambda action: bool(action.option_strings))


def value_of(action: argparse.Action) -> str:
    """Return what stands for an action's value."""
    if action.nargs == 0:
        return ""
    if action.metavar is None and action.choices:
        return " or ".join([", ".join(list(action.choices)[:-1]), list(action.choices)[-1]])
    name = str(action.metavar or action.dest.upper())
    several = name.removesuffix(" ...")
    several += "…" if action.nargs in {"+", "*", argparse.REMAINDER} else ""
    return f"[{several}]" if action.nargs in {"*", "?"} else several


def told(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    """Return the help of an action."""
    return (action.help or "") % {**vars(action), "prog": parser.prog}


def cell(text: str) -> str:
    """Return text that may stand in a table."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def table(parser: argparse.ArgumentParser, actions: Sequence[argparse.Action]) -> str:
    """Return a table of what a command takes."""
    lines = ["| | |", "|---|---|"]
    for action in actions:
        if not action.option_strings:
            name = f"`{value_of(action)}`"
        else:
            value = value_of(action)
            flags = ", ".join(f"`{flag}`" for flag in action.option_strings)
            # Choices are words to be typed, not one long code that cannot be broken.
            name = f"{flags} {value if action.choices and action.metavar is None else f'`{value}`'}" if value else flags
        lines.append(f"| {cell(name)} | {cell(told(parser, action))} |")
    return "\n".join(lines)


def section(parser: argparse.ArgumentParser) -> str:
    """Return the part of the page about a command."""
    actions = own_actions(parser)
    words = [value_of(action) for action in actions if not action.option_strings]
    flags = ["[OPTION…]"] if any(action.option_strings for action in actions) else []
    description, _, rest = (parser.description or "").strip().partition("\n\n")
    parts = [f"## {parser.prog}", " ".join(description.split())]
    # What is indented is to be copied as it is.
    parts += [f"```text\n{rest}\n```" if rest.startswith("  ") else " ".join(rest.split())] if rest else []
    parts += [f"```text\n{' '.join([parser.prog, *flags, *words])}\n```"]
    parts += [table(parser, actions)] if actions else []
    parts += ["It has the [options of every client](#options-of-every-client)."] if of_connection(parser) else []
    examples = (parser.epilog or "").removeprefix("examples:\n")
    parts += ["```console\n" + "\n".join(line.removeprefix("  ") for line in examples.splitlines()) + "\n```"]
    return "\n\n".join(parts)


def page() -> str:
    """Return the page's text."""
    found = list(commands(make_parser()))
    client = next(parser for parser, _ in found if of_connection(parser))
    lines = ["| command | what it does |", "|---|---|"]
    for parser, summary in found:
        lines.append(f"| [`{parser.prog}`](#{parser.prog.replace(' ', '-')}) | {cell(summary)} |")
    head = HEAD.format(list="\n".join(lines), connection=table(client, of_connection(client)))
    return "\n\n".join([head.rstrip(), *(section(parser) for parser, _ in found)])


if __name__ == "__main__":
    sys.exit(finish(PAGE, page()))
