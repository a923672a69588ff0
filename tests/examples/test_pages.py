"""What the examples' pages say is so: options, rules, fields of results, and the programs that read them."""

import ast
import json
import re

import pytest
from examples.shared.options import parse
from examples.shared.partition import Repeats
from examples.spam.detector import RULES

from support.example_programs import EXAMPLES, ROOT, first_events, results_of

every_example = pytest.mark.parametrize("example", EXAMPLES, ids=str)
INDEX = (ROOT / "examples/README.md").read_text()


def page(example):
    return (ROOT / f"examples/{example}/README.md").read_text()


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def test_every_option_is_explained(capsys):
    with pytest.raises(SystemExit):
        parse("taxis", "About.", "surge", ["--help"], rate=1)
    options = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert sorted(option for option in options if option not in INDEX) == []


@pytest.mark.parametrize("text", [INDEX, *map(page, EXAMPLES)], ids=["index", *map(str, EXAMPLES)])
def test_commands_are_understood(text):
    commands = [line[2:].split() for block in blocks(text, "console") for line in block.splitlines()]
    ours = [words for words in commands if words[:2] == ["python", "-m"]]
    assert ours
    for _, _, module, *arguments in ours:
        name = module.removeprefix("examples.")
        assert name in map(str, EXAMPLES)
        parse(name, "About.", "results", arguments, rate=1)


@every_example
def test_the_page_explains_every_field_of_a_result_and_names_the_topic(example):
    results, _ = results_of(example, first_events(example))
    fields = {field for result in results for field in json.loads(result)}
    assert sorted(field for field in fields if f"`{field}`" not in page(example)) == []
    assert f"Topic `{example}.{example.results}`" in page(example)


@every_example
def test_the_program_that_reads_results_is_python(example):
    [program] = blocks(page(example), "python")
    assert f'"{example}.{example.results}"' in program
    ast.parse(program)


def test_the_reader_on_the_page_leaves_out_what_the_tests_leave_out():
    [program] = blocks(INDEX, "python")
    namespace = {}
    exec(program, namespace)
    results = [json.loads(each) for each in results_of(EXAMPLES[2], first_events(EXAMPLES[2]))[0]]
    written = [*results[:30], *results[10:60], *results[:5], *results[50:]]
    repeats = Repeats()
    assert [each for each in written if namespace["is_new"](each)] == results
    assert [each for each in written if repeats.is_new(each)] == results


def test_every_rule_is_explained():
    spam = page("spam")
    assert [rule for rule in RULES if f"| {rule} |" not in spam] == []


def test_examples_use_clients_alone_and_nothing_of_the_broker():
    sources = {path: path.read_text() for path in (ROOT / "examples").rglob("*.py")}
    assert len(sources) > 20
    assert [
        path.name for path, text in sources.items() if re.search(r"^(from|import) fleuve\b", text, re.MULTILINE)
    ] == []
