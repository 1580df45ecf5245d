"""A setting of telemetry that a library would refuse, or pass over, is told by name before any library reads it."""

import pytest

from shared.errors import BadSetting
from shared.readiness.own_settings import setting_facts
from shared.telemetry.settings import (
    APPLICATION_INSIGHTS,
    BATCH_SIZE,
    ENDPOINT,
    QUEUE_SIZE,
    SAMPLER,
    SAMPLER_ARGUMENT,
    SIGN_IN,
    wrong_settings,
)
from shared.telemetry.setup import configure_telemetry
from tests.unit.readiness.builders import GOOD

KEY = "00000000-0000-4000-8000-000000000001"
CONNECTION = f"InstrumentationKey={KEY};IngestionEndpoint=https://uksouth-1.in.applicationinsights.azure.com/"
INSIGHTS = {APPLICATION_INSIGHTS: CONNECTION}
COLLECTOR = {ENDPOINT: "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        INSIGHTS,
        COLLECTOR,
        {**INSIGHTS, SIGN_IN: f"ClientId={KEY};Authorization=AAD"},
        {**INSIGHTS, SIGN_IN: ""},
        {**INSIGHTS, SAMPLER: "parentbased_trace_id_ratio", SAMPLER_ARGUMENT: "0.1"},
        {**INSIGHTS, SAMPLER: "microsoft.rate_limited", SAMPLER_ARGUMENT: "5"},
        {**COLLECTOR, SAMPLER: "parentbased_traceidratio", SAMPLER_ARGUMENT: "1"},
        {**COLLECTOR, QUEUE_SIZE: "512"},
        {**COLLECTOR, QUEUE_SIZE: "100", BATCH_SIZE: "50"},
        {SAMPLER: "foo", QUEUE_SIZE: "none"},
    ],
)
def test_what_the_libraries_take_is_right_and_where_nothing_is_sent_nobody_reads(environment: dict[str, str]) -> None:
    assert list(wrong_settings(environment)) == []


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({APPLICATION_INSIGHTS: "junk"}, APPLICATION_INSIGHTS),
        ({APPLICATION_INSIGHTS: "InstrumentationKey=nope"}, APPLICATION_INSIGHTS),
        ({APPLICATION_INSIGHTS: "IngestionEndpoint=https://example.org"}, APPLICATION_INSIGHTS),
        ({APPLICATION_INSIGHTS: f"{CONNECTION};"}, APPLICATION_INSIGHTS),
        ({APPLICATION_INSIGHTS: f"{CONNECTION};Authorization=AAD"}, APPLICATION_INSIGHTS),
        ({**INSIGHTS, SIGN_IN: "foo"}, SIGN_IN),
        ({**INSIGHTS, SIGN_IN: f"ClientId={KEY}"}, SIGN_IN),
        ({**INSIGHTS, SAMPLER: "foo"}, SAMPLER),
        ({**COLLECTOR, SAMPLER: "trace_id_ratio"}, SAMPLER),
        ({**COLLECTOR, SAMPLER: "traceidratio", SAMPLER_ARGUMENT: "ten"}, SAMPLER_ARGUMENT),
        ({**COLLECTOR, SAMPLER: "traceidratio", SAMPLER_ARGUMENT: "10"}, SAMPLER_ARGUMENT),
        ({**COLLECTOR, QUEUE_SIZE: "100"}, QUEUE_SIZE),
        ({**COLLECTOR, QUEUE_SIZE: "many"}, QUEUE_SIZE),
        ({**COLLECTOR, BATCH_SIZE: "20000"}, BATCH_SIZE),
        ({**COLLECTOR, "OTEL_METRIC_EXPORT_INTERVAL": "1 min"}, "OTEL_METRIC_EXPORT_INTERVAL"),
        ({ENDPOINT: "127.0.0.1:4318"}, ENDPOINT),
        ({ENDPOINT: "http://[::1"}, ENDPOINT),
    ],
)
def test_what_a_library_would_refuse_or_pass_over_is_named(
    environment: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [(told, sentence)] = wrong_settings(environment)
    assert told == name
    assert sentence.startswith(f"{name} is malformed: it should be ")
    for key, value in {**GOOD, **environment}.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(BadSetting) as refused:
        configure_telemetry()
    assert str(refused.value) == sentence
    assert setting_facts({**GOOD, **environment}).wrong == {name: sentence}
