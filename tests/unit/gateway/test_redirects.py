"""Redirects of event functions that are called at /fn/NAME/."""

from __future__ import annotations

import pytest
from relive_platform.triggers.http.redirects import below


@pytest.mark.parametrize(
    ("location", "placed"),
    [
        ("/slash/", "/fn/shop/slash/"),
        ("/", "/fn/shop/"),
        ("/a?b=/c#d", "/fn/shop/a?b=/c#d"),
        ("http://localhost:8700/slash/", "http://localhost:8700/fn/shop/slash/"),
        ("http://localhost:8700", "http://localhost:8700/fn/shop/"),
        ("/fn/shop/slash/", "/fn/shop/slash/"),
        ("/fn/shop", "/fn/shop"),
        ("/fn/shopping", "/fn/shop/fn/shopping"),
        ("/route", "/route"),
        ("next", "next"),
        ("?page=2", "?page=2"),
        ("", ""),
        ("//other.example/x", "//other.example/x"),
        ("https://other.example/x", "https://other.example/x"),
        ("mailto:a@b", "mailto:a@b"),
    ],
)
def test_a_redirect_stays_below_the_functions_url(location: str, placed: str) -> None:
    head = f"x-a: 1\r\nlocation: {location}\r\nx-location: /b\r\n".encode()

    moved = below(head, "/fn/shop", b"localhost:8700", lambda path: path == "/route")

    assert moved.decode() == f"x-a: 1\r\nlocation: {placed}\r\nx-location: /b\r\n"
