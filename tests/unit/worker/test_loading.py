"""How handlers are named."""

from __future__ import annotations

import pytest
from relive_runtime.worker.start.loading import HandlerError, split_handler


@pytest.mark.parametrize(
    ("handler", "module", "attribute"),
    [
        ("cart:handler", "cart", "handler"),
        ("cart.handler", "cart", "handler"),
        ("shop.cart.handler", "shop.cart", "handler"),
        ("shop.cart:Box.handler", "shop.cart", "Box.handler"),
        ("src/app.handler", "src.app", "handler"),
        ("src/app.py:handler", "src.app", "handler"),
    ],
)
def test_module_and_attribute(handler: str, module: str, attribute: str) -> None:
    assert split_handler(handler) == (module, attribute)


@pytest.mark.parametrize("handler", ["", "handler", ":handler", "cart:", ".handler"])
def test_names_without_module_or_attribute_are_refused(handler: str) -> None:
    with pytest.raises(HandlerError, match="names no module and attribute"):
        split_handler(handler)
