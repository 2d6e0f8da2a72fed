"""`relive demo` finds its functions wherever its own file lies."""

from __future__ import annotations

from relive.commands.start.demo import shop_folder


def test_the_shop_is_found() -> None:
    assert (shop_folder() / "relive.toml").is_file()
