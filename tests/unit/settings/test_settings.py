"""Settings: one declaration, clear errors, a page of documentation that is current."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_platform.settings import (
    Settings,
    SettingsError,
    markdown_table,
    parse_address,
    settings,
    unknown_variables,
)

DOCS = Path(__file__).parents[3] / "docs" / "reference" / "settings.md"


def test_an_empty_environment_gives_the_defaults() -> None:
    built = Settings.from_environment({})

    assert str(built.http_address) == "127.0.0.1:8700"
    assert str(built.api_address) == f"unix://{built.home}/run/api.sock"
    assert built.store_url == f"unix://{built.home}/run/store.sock"
    assert built.embedded
    assert (built.body_limit_bytes, built.async_body_limit_bytes) == (6 << 20, 1 << 20)
    assert (built.retries, built.max_age_s) == (2, 21_600)


def test_variables_set_and_overrides_win() -> None:
    env = {
        "RELIVE_HTTP": "127.0.0.1:1",
        "RELIVE_IDLE_S": "5m",
        "RELIVE_SPOOL_BYTES": "64MiB",
        "RELIVE_HOME": "~/x",
    }

    built = Settings.from_environment(
        env, {"http": "127.0.0.1:2", "idle_s": None, "redact_keys": ["a", "b "]}
    )

    assert built.http == "127.0.0.1:2"
    assert built.idle_s == 300.0
    assert built.spool_bytes == 64 << 20
    assert built.home == Path.home() / "x"
    assert built.redact_keys == ("a", "b")


def test_otlp_is_by_our_own_settings_or_left_to_the_standard_variables() -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    built = Settings.from_environment(env)
    assert (built.otlp, built.otlp_protocol) == ("", "")

    for protocol in ("grpc", "http", "http/protobuf"):
        own = {"RELIVE_OTLP": "http://mine:4317", "RELIVE_OTLP_PROTOCOL": protocol}
        built = Settings.from_environment({**env, **own, "RELIVE_OTLP_HEADERS": "x-key=1, y = 2=3"})
        assert (built.otlp, built.otlp_protocol) == ("http://mine:4317", protocol)
        assert built.header_pairs() == {"x-key": "1", "y": "2=3"}
    with pytest.raises(SettingsError, match="http/json"):
        Settings.from_environment({"RELIVE_OTLP_PROTOCOL": "http/json"})


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("RELIVE_MAX_WORKERS", "many", "not a whole number"),
        ("RELIVE_MAX_WORKERS", "1.5", "not a whole number"),
        ("RELIVE_MAX_WORKERS", "0", "out of range"),
        ("RELIVE_ISOLATION_TIER", "7", "from 0 to 2"),
        ("RELIVE_BODY_LIMIT_BYTES", "1GiB", "from 1 to 50331648 bytes"),
        ("RELIVE_IDLE_S", "5 parsecs", "a time in seconds"),
        ("RELIVE_SPOOL_BYTES", "1XB", "a size such as"),
        ("RELIVE_PROFILE", "always", "sampled, precise, off"),
        ("RELIVE_HTTP", "localhost", "HOST:PORT"),
        ("RELIVE_HTTP", "127.0.0.1:99999", "HOST:PORT"),
        ("RELIVE_API", "unix:relative", "not absolute"),
        ("RELIVE_HTTP", "0.0.0.0:80", "no token"),
        ("RELIVE_API", "[::]:80", "no token"),
        ("RELIVE_TOKEN", "short", "fewer than 16"),
        ("RELIVE_BACKOFF_LIMIT_S", "0.5", "RELIVE_BACKOFF_S"),
        ("RELIVE_IDLE_S", "nan", "a time in seconds"),
    ],
)
def test_a_bad_value_names_variable_fault_and_hint(variable: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        Settings.from_environment({variable: value})

    assert caught.value.where == variable
    assert caught.value.hint


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    built = Settings.from_environment(
        {"RELIVE_TOKEN": "t0ken" * 4, "RELIVE_STORE": "clickhouse://u:pa55@h/db"}
    )

    assert "t0ken" not in repr(built)
    assert "pa55" not in repr(built)


def test_an_open_address_with_a_token_is_fine() -> None:
    built = Settings.from_environment({"RELIVE_HTTP": "0.0.0.0:80", "RELIVE_TOKEN": "t" * 16})

    assert not built.http_address.loopback


@pytest.mark.parametrize(
    "text", ["127.0.0.1:0", "localhost:80", "[::1]:80", "unix:///run/x.sock", ":80", "127.9.9.9:1"]
)
def test_loopback_addresses(text: str) -> None:
    assert parse_address(text).loopback


def test_an_unknown_override_or_variable_gets_a_suggestion() -> None:
    with pytest.raises(SettingsError, match="did you mean retries"):
        Settings.from_environment({}, {"retrys": 1})

    assert unknown_variables({"RELIVE_RETRYS": "1", "RELIVE_SERVER": "x", "PATH": ""}) == [
        ("RELIVE_RETRYS", "RELIVE_RETRIES")
    ]


@given(value=st.text(max_size=20), item=st.sampled_from(settings()))
def test_any_text_is_a_value_or_a_settings_error(value: str, item) -> None:
    caught = None
    try:
        Settings.from_environment({item.variable: value})
    except SettingsError as error:
        caught = error
    assert caught is None or caught.where in (item.variable, "RELIVE_BACKOFF_LIMIT_S")


def test_every_setting_says_what_it_is_and_secrets_are_marked() -> None:
    for item in settings():
        assert item.doc.endswith("."), item.field
        assert (
            not item.default
            or item.type in ("str", "Path")
            or Settings.from_environment({item.variable: item.default})
        )
    assert {item.field for item in settings() if item.secret} == {"token", "store", "otlp_headers"}


def test_the_page_of_documentation_is_current() -> None:
    assert markdown_table() in DOCS.read_text(encoding="utf-8"), (
        "docs/reference/settings.md: paste markdown_table() in"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RELIVE_ALLOWED_HOSTS", "https://shop.example"),
        ("RELIVE_ALLOWED_HOSTS", "a.*.example"),
        ("RELIVE_ALLOWED_HOSTS", "shop.example:80"),
        ("RELIVE_TRUSTED_PROXIES", "10.0.0.0/99"),
        ("RELIVE_TRUSTED_PROXIES", "proxy.example"),
        ("RELIVE_ERROR_DETAILS", "maybe"),
    ],
)
def test_what_the_gateway_cannot_use_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({name: value})
    assert caught.value.where == name


def test_users_that_are_too_few_for_the_gateways_are_refused() -> None:
    """Given fewer users than one dependency set takes in each gateway, when the settings are read, I expect a
    refusal that says how many it takes: without them workers would quietly have no users of their own."""
    with pytest.raises(SettingsError, match="300 users are too few for the workers of 2 gateways") as caught:
        Settings.from_environment({"RELIVE_GATEWAYS": "2", "RELIVE_UID_COUNT": "300"})
    assert "at least 512" in caught.value.hint
    assert Settings.from_environment({"RELIVE_GATEWAYS": "2", "RELIVE_UID_COUNT": "512"}).uid_count == 512
