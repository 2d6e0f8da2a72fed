"""Passwords in addresses that are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_base.addresses import names_password, without_password
from relive_base.errors import ReliveError
from relive_store import open_store
from relive_tracer.explore.errors import OtlpSettingsError
from relive_tracer.explore.otlp_settings import endpoint_settings


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("clickhouse://u:sekret@127.0.0.1:9/relive", "clickhouse://u:***@127.0.0.1:9/relive"),
        ("clickhouses://:sekret@h/db", "clickhouses://:***@h/db"),
        ("u:sekret@h:9000", "u:***@h:9000"),
        ("clickhouse:u:sekret@h", "clickhouse:***@h"),
        ("user:////sekret@h", "user:***@h"),
        ("clickhouse://u@h:9000/relive", "clickhouse://u@h:9000/relive"),
        ("clickhouse://h:9000/relive", "clickhouse://h:9000/relive"),
        ("unix:///home/me/run/store.sock", "unix:///home/me/run/store.sock"),
    ],
)
def test_a_password_is_masked_and_all_else_stays(address: str, shown: str) -> None:
    assert without_password(address) == shown
    assert names_password(address) == (address != shown)


@given(st.text("sekret:/@?#%é ", min_size=1), st.sampled_from(["clickhouse://", "http://", ""]))
def test_no_password_shows_however_it_is_written(password: str, scheme: str) -> None:
    # Given a password with the characters that a URL gives a meaning to
    shown = without_password(f"{scheme}user:{password}@host:9000/db")
    # I expect nothing of it
    assert shown == f"{scheme}user:***@host:9000/db"


@pytest.mark.parametrize(
    "url",
    [
        "clickhous://u:sekret@h:9000/db",
        "u:sekret@h:9000/db",
        "clickhouse://u:se/kret@h:9000/db",
        "clickhouse://u:1/sekret@h:9000/db",
        "clickhouse://u:1?sekret@h:9000/db",
        "clickhouse://u:1#sekret@h:9000/db",
        "clickhouse://u:sekret@h:port/db",
        "clickhouse://u:sekret@[h:9000/db",
        "clickhouse://u:sekret@h:9000/a-b",
    ],
)
def test_a_store_url_that_is_wrong_is_an_error_without_its_password(url: str) -> None:
    with pytest.raises(ReliveError) as caught:
        open_store(url)
    assert "kret" not in str(caught.value)
    assert "***" in str(caught.value)


@pytest.mark.parametrize(
    "endpoint", ["ftp://u:sekret@h:4317", "http://u:se/kret@h:4317", "http://u:sekret@[h"]
)
def test_an_otlp_endpoint_that_is_wrong_is_an_error_without_its_password(endpoint: str) -> None:
    with pytest.raises(OtlpSettingsError) as caught:
        endpoint_settings(endpoint)
    assert "kret" not in str(caught.value)
