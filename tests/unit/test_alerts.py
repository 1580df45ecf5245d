"""Alarms and workbook ask for what the code tells, and for nothing else; each alarm has its entry in the runbook."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pycep import BicepParser

from shared import names
from shared.model.lifecycle import RowState, State
from shared.telemetry import metrics, spans

ROOT = Path(__file__).parent.parent.parent
ALERTS = (ROOT / "infra" / "modules" / "alerts.bicep").read_text(encoding="utf-8")
WORKBOOK: dict[str, Any] = json.loads((ROOT / "infra" / "workbook.json").read_text(encoding="utf-8"))
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
DECLARED: Mapping[str, Any] = BicepParser().parse(text=ALERTS)
RULES: list[dict[str, Any]] = DECLARED["variables"]["rules"]["value"]
BY_NAME = {metric.name: metric for metric in metrics.METRICS}
METRIC = re.compile(r'"(migration\.[a-z.]*)"')
PROPERTY = re.compile(r"Properties\.([a-z_]+)")
OF_LOGS = {"account", "step", "cause"}
"""What our log lines have beside them, as far as the workbook shows it."""


def workbook_queries() -> dict[str, str]:
    return {item["name"]: item["content"]["query"] for item in WORKBOOK["items"] if item["type"] == 3}


def alarm_queries() -> dict[str, str]:
    return {rule["name"]: rule["query"] for rule in RULES}


def runbook_queries() -> dict[str, str]:
    return {str(n): text for n, text in enumerate(re.findall(r"```kusto\n(.*?)```", RUNBOOK, re.DOTALL))}


QUERIES = [
    *(pytest.param(text, id=f"alarm {name}") for name, text in alarm_queries().items()),
    *(pytest.param(text, id=f"workbook {name}") for name, text in workbook_queries().items()),
    *(pytest.param(text, id=f"runbook {name}") for name, text in runbook_queries().items()),
]


def asked_for(query: str) -> list[metrics.Metric]:
    """The metrics of a query; a mere beginning of their names stands for none."""
    return [BY_NAME[name] for name in METRIC.findall(query) if not name.endswith(".")]


def values_of(query: str, attribute: str) -> Iterator[str]:
    """What a query compares an attribute with."""
    yield from re.findall(rf'\b{attribute}\)? == "([^"]*)"', query)
    for listed in re.findall(rf"\b{attribute}\)? in \(([^)]*)\)", query):
        yield from re.findall(r'"([^"]*)"', listed)


def test_there_are_alarms_and_pictures() -> None:
    assert len(alarm_queries()) > 10
    assert len(workbook_queries()) > 10
    assert len(runbook_queries()) >= len(alarm_queries())


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_names_only_metrics_of_the_table(query: str) -> None:
    assert {name for name in METRIC.findall(query) if not name.endswith(".")} <= set(BY_NAME)


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_uses_only_attributes_that_are_given(query: str) -> None:
    used = set(PROPERTY.findall(query))
    if "AppTraces" in query and used:
        assert used <= OF_LOGS
    elif "AppDependencies" in query:
        assert used <= set(spans.ATTRIBUTES)
    elif used:
        asked = asked_for(query)
        given = set(metrics.TIMER_RUNS.attributes) if not asked else set().union(*(m.attributes for m in asked))
        assert used <= given


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_compares_with_words_that_occur(query: str) -> None:
    assert set(values_of(query, "state")) <= {*State, *RowState}
    assert set(values_of(query, "result")) <= set(metrics.Result)
    assert set(values_of(query, "queue")) <= set(names.EVERY_QUEUE)


def test_the_workbook_shows_every_metric_and_every_metric_it_shows_is_told() -> None:
    shown = {metric.name for query in workbook_queries().values() for metric in asked_for(query)}
    assert shown == set(BY_NAME)


def test_the_workbook_splits_every_metric_by_all_its_attributes() -> None:
    shown: dict[str, set[str]] = {name: set() for name in BY_NAME}
    for query in workbook_queries().values():
        for metric in asked_for(query):
            shown[metric.name] |= set(PROPERTY.findall(query)) & set(metric.attributes)
    missing = {name: set(BY_NAME[name].attributes) - given for name, given in shown.items()}
    missing = {name: left for name, left in missing.items() if left}
    # Told and provisioned are shown together over all councils, by what became of them.
    assert missing == {metrics.PROVISIONED.name: {"authority"}, metrics.TOLD.name: {"authority"}}


def test_the_workbook_shows_an_account_with_every_span_and_attribute() -> None:
    queries = workbook_queries()
    assert re.findall(r'"([a-z-]+)"', queries["attempts"].split("in (")[1].split(")")[0]) == list(spans.SPANS)
    assert set(PROPERTY.findall(queries["trace"])) == set(spans.ATTRIBUTES)


def test_the_workbook_orders_every_state() -> None:
    assert set(values_of(workbook_queries()["states"], "state")) == {*State, *RowState}


def test_every_timer_has_an_alarm_and_the_alarm_knows_no_other() -> None:
    [query] = [rule["query"] for rule in RULES if rule["name"] == "a-timer-does-not-run"]
    expected = re.findall(r'"(\w+)", (\d+)', query.split("];")[0])
    assert {name: timedelta(minutes=int(minutes)) for name, minutes in expected} == metrics.LONGEST_TIMER_SILENCE
    files = [file.read_text(encoding="utf-8") for file in (ROOT / "functions").glob("*.py")]
    timers = {name for text in files for name in re.findall(r"timer_trigger\(.*?\)\nasync def (\w+)", text, re.DOTALL)}
    assert timers == set(metrics.LONGEST_TIMER_SILENCE)


def test_a_timers_heart_beats_under_its_own_name() -> None:
    # The alarm asks for the name of the function; the heartbeat tells that of the step.
    for name in metrics.LONGEST_TIMER_SILENCE:
        text = " ".join((ROOT / "functions" / f"{name}.py").read_text().split())
        assert re.search(rf'(run|repeat)_timer\( ?wiring.get_ports\(\), "{name}", step\.', text)


def anchors(markdown: str) -> list[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", markdown, flags=re.DOTALL), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def alarm_anchors() -> set[str]:
    lost = [event["name"] for event in DECLARED["variables"]["lostEvents"]["value"]]
    return {rule["name"] for rule in RULES} | set(lost) | set(re.findall(r"\$\{runbookUrl\}#([a-z-]+)", ALERTS))


def test_every_alarm_has_its_entry_in_the_runbook() -> None:
    there = anchors(RUNBOOK)
    assert {anchor: there.count(anchor) for anchor in alarm_anchors()} == dict.fromkeys(alarm_anchors(), 1)


def test_every_alarm_says_where_its_entry_is_and_goes_to_the_mailbox() -> None:
    said = re.findall(r"description: '\$\{\w+\.means\} What to do: \$\{runbookUrl\}#\$\{\w+\.name\}'", ALERTS)
    kinds = re.findall(
        r"^resource \w+ '(Microsoft.Insights/\w+Rules|Microsoft.Insights/metricAlerts)@", ALERTS, re.MULTILINE
    )
    assert len(said) == len(kinds) == 2
    assert ALERTS.count("people.id") == 3, "two kinds of alarms and the vault's"
    assert "emailAddress: alertMailbox" in ALERTS


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["name"])
def test_an_alarm_rings_once_for_each_of_what_it_tells_apart(rule: dict[str, Any]) -> None:
    last = rule["query"].strip().splitlines()
    for column in rule["by"]:
        assert re.search(rf"\b{column}\b", " ".join(last))
    assert "TimeGenerated" in rule["query"]
    assert re.sub(r"[^\w\- ]", "", rule["title"].lower()).replace(" ", "-") == rule["name"]
    assert rule["severity"] in {1, 2, 3}


def test_what_must_ring_rings() -> None:
    asked = {metric.name for query in alarm_queries().values() for metric in asked_for(query)}
    assert {
        metrics.QUEUE_DEPTH.name,
        metrics.QUEUE_AGE.name,
        metrics.FAILURES.name,
        metrics.PAUSED.name,
        metrics.DIRECTORY_REQUESTS.name,
        metrics.MESSAGE_REQUESTS.name,
        metrics.TIMER_RUNS.name,
        metrics.CERTIFICATE_DAYS.name,
    } <= asked
    assert "DeadLetteredCount" in ALERTS
    assert "StorageQueueLogs" in ALERTS
    assert "CertificateNearExpiry" in ALERTS
