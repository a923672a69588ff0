"""`fleuve completion`: what a shell offers behind a half-typed command line."""

import shutil
import subprocess

import pytest

SHELLS = ["bash", "zsh", "fish", "tcsh", "powershell"]
# Asks for completions as bash does when Tab is pressed behind these words.
ASK_BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
offer=$(complete -p fleuve | sed 's/.*-F \\([^ ]*\\).*/\\1/')
$offer fleuve "${@: -1}" "${@: -2:1}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def bash_script(tmp_path_factory):
    from fleuve.cli.completion import completions
    from fleuve.cli.main import make_parser

    script = tmp_path_factory.mktemp("completion") / "fleuve"
    script.write_text(completions(make_parser(), "bash"))
    return script


@pytest.fixture
def offered(bash_script, tmp_path):
    (tmp_path / "client.properties").touch()
    (tmp_path / "data").mkdir()

    def offered(*words):
        command = ["bash", "--norc", "-c", ASK_BASH, "bash", bash_script, "fleuve", *words]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=20, check=True)
        assert ran.stderr == ""
        return set(ran.stdout.split())

    return offered


@pytest.mark.parametrize(
    ("words", "some"),
    [
        ([""], {"serve", "topic", "group", "info", "top", "completion"}),
        (["topic", ""], {"create", "list", "describe", "alter", "trim", "delete"}),
        (["topic", "de"], {"describe", "delete"}),
        (["group", "reset", "--"], {"--to", "--topic", "--dry-run", "--yes", "--bootstrap-server"}),
        (["topic", "list", "--output", ""], {"table", "json"}),
        (["info", "--client-config", "cl"], {"client.properties"}),
        (["serve", "--data-dir", ""], {"data"}),
        (["completion", ""], set(SHELLS)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bash_offers_commands_flags_choices_and_files(offered, words, some):
    assert some <= offered(*words)


def test_bash_offers_only_what_fits(offered):
    assert offered("topic", "list", "--output", "j") == {"json"}
    assert offered("serve", "--data-dir", "") == {"data"}


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_its_script(shell, capsys):
    from fleuve.cli.main import main

    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "group" in script
    assert "reset" in script
    interpreter = shutil.which(shell)
    # What is not there cannot check its script; bash, which CI has, is asked above.
    checks = {"bash": ["-n"], "zsh": ["-n"], "fish": ["--no-execute"]}
    if interpreter and shell in checks:
        checked = subprocess.run(
            [interpreter, *checks[shell]], input=script, text=True, capture_output=True, check=False
        )
        assert (checked.returncode, checked.stderr) == (0, "")


def test_an_unknown_shell_is_one_line_with_those_there_are(capsys):
    from fleuve.cli.main import main

    with pytest.raises(SystemExit) as exit_:
        main(["completion", "cmd"])
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert all(shell in error for shell in SHELLS)
