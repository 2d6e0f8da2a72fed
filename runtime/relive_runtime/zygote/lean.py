"""How a zygote imports Relive: without the collections of garbage that there is none of, and msgspec without
typing_extensions; a tenth of its CPU time each. Standard library only: this runs before anything of Relive is
imported."""

from __future__ import annotations

import gc
import sys
import typing
from types import ModuleType
from typing import Any, Final

__all__ = ["begin", "end"]

_EXTENSIONS: Final = "typing_extensions"
_OF_MSGSPEC: Final = "msgspec."


def begin() -> None:
    """Before Relive's modules are imported. Raises what msgspec's import raises."""
    gc.disable()
    _import_msgspec()


def end() -> None:
    """Before any code of others is imported."""
    gc.enable()


def _import_msgspec() -> None:
    """Import msgspec, whoever's it is. What it takes from typing_extensions, it takes when it first needs it.

    For a process with one thread, before any code of others. A version of msgspec that uses typing_extensions
    in another way than those that we know is imported as ever.
    """
    if "msgspec" in sys.modules or _EXTENSIONS in sys.modules:
        return
    if not _imported_without():
        for name in [one for one in sys.modules if f"{one}.".startswith(_OF_MSGSPEC)]:
            del sys.modules[name]
        import msgspec  # noqa: F401


def _imported_without() -> bool:
    sys.modules[_EXTENSIONS] = None  # type: ignore[assignment]  # to import it raises ImportError
    try:
        import msgspec._utils as utils
    except Exception:
        return False
    finally:
        del sys.modules[_EXTENSIONS]
    return _hints_later(utils)


def _hints_later(utils: ModuleType) -> bool:
    """Whether `utils` has taken the standard library's function, which is now replaced."""
    if getattr(utils, "_get_type_hints", None) is not typing.get_type_hints:
        return False

    def hints(*args: Any, **kwargs: Any) -> Any:
        try:
            from typing_extensions import get_type_hints
        except Exception:  # as msgspec does
            from typing import get_type_hints
        utils._get_type_hints = get_type_hints  # type: ignore[attr-defined]
        return get_type_hints(*args, **kwargs)

    utils._get_type_hints = hints  # type: ignore[attr-defined]
    return True
