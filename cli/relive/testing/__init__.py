"""For tests that `relive scene ID --to-test` writes: an invocation as it was, run in the test's own process.

    INVOCATION = Invocation(handler="cart:handler", source="functions/checkout", event={"sku": "A1"})

    def test_it() -> None:
        INVOCATION.run()

The handler is called as a worker calls it: the same context, time limit, event loop and rules for results.
Calls to the outside are answered from `calls`, clock and chance stand where they stood. Everything is put
back afterwards. No server is needed.
"""

from __future__ import annotations

from relive.testing.errors import FunctionDied
from relive.testing.invocation import Invocation

__all__ = ["FunctionDied", "Invocation"]
