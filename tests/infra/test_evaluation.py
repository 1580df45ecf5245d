"""What expressions come to before a deployment, and what stays unknown."""

from pathlib import Path

import pytest

from local.infra_checks.deployment import Instance
from local.infra_checks.parsing import check_syntax, read_source
from local.infra_checks.template import Template, read_template
from local.infra_checks.values import Value, is_known, write_value
from tests.infra.kit import a_checkout

DECLARED = """
param given string
param queues array = ['a', 'b']
param none array = []
var settings = { one: 'x', two: { deep: true } }
"""

KNOWN: dict[str, Value] = {
    "'a${1 + 2}b'": "a3b",
    "'it\\'s \\${given}'": "it's ${given}",
    "'''\nas it is ${given}'''": "as it is ${given}",
    "-4": -4,
    "settings.two.deep": True,
    "settings['one']": "x",
    "queues[1]": "b",
    "empty(none) ? 'none' : 'some'": "none",
    "!(empty(none) && true) || false": False,
    "concat(queues, ['c'])": ["a", "b", "c"],
    "union({ a: { x: 1 } }, { a: { y: 2 } })": {"a": {"x": 1, "y": 2}},
    "[for (item, number) in queues: '${item}${number}']": ["a0", "b1"],
    "map(queues, item => toUpper(item))": ["A", "B"],
    "flatten(map(queues, item => [item, '${item}-poison']))": ["a", "a-poison", "b", "b-poison"],
    "toObject(queues, item => 'KEY_${toUpper(item)}', item => 1)": {"KEY_A": 1, "KEY_B": 1},
    "filter(queues, item => item != 'a')": ["b"],
    "json('{\"a\": [1]}')": {"a": [1]},
    "settings.?three ?? 'else'": "else",
    "contains(queues, 'a') && length(queues) == 2": True,
    "join(split('a,b', ','), '-')": "a-b",
    "replace('south-norfolk', '-', '_')": "south_norfolk",
    "string(3)": "3",
    "items({ b: 1, a: 2 })": [{"key": "a", "value": 2}, {"key": "b", "value": 1}],
    "given == 'x' || true": True,
    "given == 'x' ? 1 : 1": 1,
}


def template(folder: Path, text: str) -> Template:
    source = read_source(a_checkout(folder, {"infra/main.bicep": text}) / "infra/main.bicep", folder)
    return read_template(source)


def value_of(folder: Path, expression: str) -> Value:
    main = template(folder, f"{DECLARED}var found = {expression}\n")
    return Instance({main.source.path: main}, main, {}).named("found")


@pytest.mark.parametrize("expression", KNOWN)
def test_what_is_known_is_computed(expression: str, tmp_path: Path) -> None:
    assert value_of(tmp_path, expression) == KNOWN[expression]


@pytest.mark.parametrize(
    "expression",
    ["given", "subscription().id", "uniqueString('x')", "given == 'x'", "given == 'x' ? 1 : 2", "toUpper(given)"],
)
def test_what_only_azure_knows_stays_unknown(expression: str, tmp_path: Path) -> None:
    assert not is_known(value_of(tmp_path, expression))


def test_a_text_with_an_unknown_part_keeps_the_rest(tmp_path: Path) -> None:
    assert write_value(value_of(tmp_path, "'https://${given}/x'")) == "https://«given»/x"


def test_a_list_with_an_unknown_member_keeps_the_others(tmp_path: Path) -> None:
    assert [write_value(each) for each in (value_of(tmp_path, "concat(queues, [given])"),)] == [
        "['a', 'b', Unknown(text='given')]"
    ]


MAIN = """
targetScope = 'subscription'
param names array = ['a', 'b']
param closed bool = false
module inner 'inner.bicep' = [for name in names: {
  name: name
  params: { name: name, closed: closed }
}]
output first string = inner[0].outputs.id
"""

INNER = """
param name string
param closed bool
param people array = []
resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  name: 'st${name}'
  resource service 'queueServices' = {
    name: 'default'
    resource queue 'queues' = if (closed) {
      name: '${name}-queue'
    }
  }
}
resource lock 'Microsoft.Authorization/locks@2020-05-01' = [for person in people: {
  name: person
  scope: account
}]
output id string = 'id-${account.name}'
"""


def deployed(folder: Path) -> Instance:
    a_checkout(folder, {"infra/main.bicep": MAIN, "infra/inner.bicep": INNER})
    sources = [read_source(folder / "infra" / name, folder) for name in ("main.bicep", "inner.bicep")]
    templates = {source.path: read_template(source) for source in sources}
    return Instance(templates, templates[sources[0].path], {})


def test_modules_and_loops_are_followed_and_nested_resources_named(tmp_path: Path) -> None:
    found = [(each.type, each.name, each.within) for each in deployed(tmp_path).resources() if each.certain]
    assert found == [
        row
        for name in ("sta", "stb")
        for row in (
            ("Microsoft.Storage/storageAccounts", name, ()),
            ("Microsoft.Storage/storageAccounts/queueServices", "default", (name,)),
        )
    ]


def test_what_a_switch_or_an_empty_list_keeps_out_is_seen_and_marked(tmp_path: Path) -> None:
    kept_out = [each for each in deployed(tmp_path).resources() if not each.certain]
    assert [each.type.rpartition("/")[2] for each in kept_out] == ["queues", "locks"] * 2
    assert kept_out[0].name == "a-queue"


def test_an_output_of_one_of_many_modules_is_known(tmp_path: Path) -> None:
    outputs = deployed(tmp_path).outputs()
    assert outputs == {"first": "id-sta"}


@pytest.mark.parametrize("text", ["var a = {\n  b: \n}\n", "param x\nstring\n", "var a = [for x in y: if (x) {\n}]\n"])
def test_what_one_parser_cannot_read_is_found(text: str, tmp_path: Path) -> None:
    (finding, *_) = check_syntax(template(tmp_path, text).source)
    assert (finding.file, finding.rule) == ("infra/main.bicep", "syntax")
