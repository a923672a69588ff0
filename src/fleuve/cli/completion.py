"""`fleuve completion`: what makes a shell complete this command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from fleuve.cli.output.standard_output import write
from fleuve.cli.parsers import Commands, add_command

SHELLS = ("bash", "zsh", "fish", "tcsh", "powershell")

_DESCRIPTION = """\
Print what makes a shell complete commands, flags, choices and file names. To have it in every shell that starts:

  bash        fleuve completion bash > ~/.local/share/bash-completion/completions/fleuve
  zsh         fleuve completion zsh > ~/.zfunc/_fleuve; above compinit in ~/.zshrc: fpath=(~/.zfunc $fpath)
  fish        fleuve completion fish > ~/.config/fish/completions/fleuve.fish
  tcsh        fleuve completion tcsh > ~/.fleuve.tcsh; in ~/.tcshrc: source ~/.fleuve.tcsh
  powershell  fleuve completion powershell > fleuve.ps1; in $PROFILE: . PATH/fleuve.ps1
"""


def add_to(commands: Commands) -> None:
    """Add `completion` to the commands of the parser."""
    parser = add_command(
        commands,
        "completion",
        summary="print completions for a shell",
        description=_DESCRIPTION,
        examples=(
            "fleuve completion bash",
            "source <(fleuve completion bash)",
        ),
        run=run,
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))


def run(parsed: argparse.Namespace) -> int:
    """Print the completions."""
    write(completions(parsed.parser, parsed.shell))
    return 0


def completions(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script that makes a shell complete what a parser takes."""
    import shtab

    for action in _actions(parser):
        # What a flag takes is said by its metavar, in the helps and here.
        if action.metavar == "FILE":
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.metavar == "DIR":
            action.complete = shtab.DIR  # type: ignore[attr-defined]
    return shtab.complete(parser, shell) + "\n"


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield all actions of all commands, and cut their descriptions down to their summaries."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            summaries = {choice.dest: choice.help for choice in action._choices_actions}
            for name, below in action.choices.items():
                # Shells that show what a command does have one line for it.
                below.description = summaries[name]
                yield from _actions(below)
