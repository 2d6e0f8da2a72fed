"""Which headers carry a trace on: OTEL_PROPAGATORS, if it is set for the function or the server."""

from __future__ import annotations

from typing import Any

__all__ = ["Propagation"]

_GROUP = "opentelemetry_propagator"
_VARIABLE = "OTEL_PROPAGATORS"
_DEFAULT = frozenset(("tracecontext", "baggage"))


class Propagation:
    """The API reads the variable when it is imported, which a zygote may do long before it knows the
    function."""

    def __init__(self, names: str) -> None:
        self._names = [name.strip().lower() for name in names.split(",") if name.strip()]
        self._before: Any = None

    def install(self) -> str:
        """Set the API's propagator. Gives what could not be had, or ""."""
        names = self._names
        if not names or set(names) == _DEFAULT:
            return ""
        try:
            from opentelemetry import propagate
            from opentelemetry.propagators.composite import CompositePropagator
        except ValueError as error:  # the function's own environment has a name that nothing has
            return f"{_VARIABLE}: {error}"
        found, missing = _load([name for name in dict.fromkeys(names) if name != "none"])
        self._before = propagate.get_global_textmap()
        propagate.set_global_textmap(CompositePropagator(found))
        if not missing:
            return ""
        return (
            f"{_VARIABLE} names {', '.join(missing)}, which this function cannot import:"
            f" add opentelemetry-propagator-{missing[0].removesuffix('multi')} to its requirements"
        )

    def uninstall(self) -> None:
        """Undo `install`, for tests."""
        if self._before is not None:
            from opentelemetry import propagate

            propagate.set_global_textmap(self._before)


def _load(names: list[str]) -> tuple[list[Any], list[str]]:
    from importlib.metadata import entry_points

    found: list[Any] = []
    missing: list[str] = []
    for name in names:
        try:
            found.append(next(iter(entry_points(group=_GROUP, name=name))).load()())
        except Exception:  # it is not there, or does not fit
            missing.append(name)
    return found, missing
