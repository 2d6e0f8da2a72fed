"""Content codings are undone to be searched for secrets, within bounds."""

from __future__ import annotations

import gzip
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from relive_capture.explore.scene.content_coding import decoded

PLAIN = b'{"rows": [{"id": 1, "price": null}], "access_token": "tok-9f8e7d6c5b4a"}' * 20
RAW = zlib.compressobj(wbits=-15)
CODED = {
    "gzip": gzip.compress(PLAIN),
    "x-gzip": gzip.compress(PLAIN),
    "deflate": zlib.compress(PLAIN),
    "Deflate": RAW.compress(PLAIN) + RAW.flush(),
    "br": brotli.compress(PLAIN),
    "zstd": zstandard.compress(PLAIN),
    "gzip, br": brotli.compress(gzip.compress(PLAIN)),
    "identity": PLAIN,
}


@pytest.mark.parametrize("coding", CODED)
def test_each_coding_is_undone(coding: str) -> None:
    assert decoded(CODED[coding], coding, 1_000_000) == PLAIN


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, br"])
def test_what_is_larger_than_the_limit_is_not_unpacked(coding: str) -> None:
    assert decoded(CODED[coding], coding, 100) is None


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_bomb_costs_no_more_than_the_limit(coding: str) -> None:
    zeros = bytes(64 * 1_048_576)
    bomb = {
        "gzip": gzip.compress,
        "br": lambda data: brotli.compress(data, quality=1),
        "zstd": zstandard.compress,
    }

    assert decoded(bomb[coding](zeros), coding, 10_000) is None


def test_a_second_stream_behind_the_first_is_read_too() -> None:
    assert decoded(gzip.compress(b"one ") + gzip.compress(b"two"), "gzip", 100) == b"one two"
    assert decoded(gzip.compress(b"one ") + b"token=abc", "gzip", 100) is None


@pytest.mark.parametrize("coding", ["br", "zstd"])
def test_what_was_cut_off_is_left_out(coding: str) -> None:
    assert decoded(CODED[coding][:-3], coding, 1_000_000) is None


def test_what_is_not_known_is_left_out() -> None:
    assert decoded(b"abc", "compress", 100) is None
    assert decoded(b"abc", "gzip, gzip, gzip, gzip, gzip", 100) is None


@given(st.binary(max_size=200), st.sampled_from(sorted(CODED)))
def test_damaged_bodies_never_raise(data: bytes, coding: str) -> None:
    found = decoded(data, coding, 1_000)

    assert found is None or len(found) <= 1_000
