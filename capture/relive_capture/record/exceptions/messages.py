"""The message of an exception as Python prints it: its own `__str__` is asked, within a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from relive_base.escapes import encodable

from relive_capture.record.exceptions.static_text import StaticText
from relive_capture.record.exceptions.suggestions import suggestion
from relive_capture.record.guard import Guard, TimeIsUp
from relive_capture.record.inspection import (
    class_dict,
    instance_dict,
    is_heap_type,
    is_immutable_type,
    mro,
    named_entry,
    static_lookup,
    type_name,
)
from relive_capture.record.values import Leaves

__all__ = ["MAX_MESSAGE", "Asked", "Messages"]

MAX_MESSAGE: Final = 2_000
_MAX_NOTES: Final = 20
_HUGE_TEXT: Final = 200_000
_HUGE_ITEMS: Final = 20_000
_PRINTED: Final = "<{} {}() failed>"  # what the traceback module prints
_args: Callable[[BaseException], tuple[Any, ...]] = class_dict(BaseException)["args"].__get__
_TEXT_IDS: Final = frozenset(map(id, (str, bytes, bytearray)))
_ITEMS_IDS: Final = frozenset(map(id, (list, tuple, dict, set, frozenset)))
_QUICK: Final = frozenset(map(id, (str, int, float, complex, bool, bytes, type(None))))
_QUICK_NAMES: Final = ("decimal.Decimal", "datetime.date", "datetime.timedelta")  # of C
_QUICK_ITEMS: Final = 8
_QUICK_LEVELS: Final = 3
_SYNTAX: Final = class_dict(SyntaxError)
_SYNTAX_PLACE: Final = ("filename", "lineno", "offset", "text", "end_lineno", "end_offset")


class Asked:
    """What an exception said of itself. `trouble`: why that is not what Python prints, or ""."""

    __slots__ = ("message", "notes", "place", "trouble")

    def __init__(self, message: str, notes: list[str], place: list[str], trouble: str) -> None:
        self.message = message
        self.notes = notes
        self.place = place
        self.trouble = trouble


class Messages:
    """Makes messages, at most 2,000 characters."""

    def __init__(
        self, leaves: Leaves, clean: Callable[[str], str], guard: Guard, file_name: Callable[[str], str]
    ) -> None:
        """`file_name` gives how frames name a file."""
        self._file_name = file_name
        self._static = StaticText(leaves, clean)
        self._clean = clean
        self._guard = guard

    def static(self, error: BaseException) -> str:
        """A message that is made without running the user's code."""
        return self._shown(self._static.text(error))

    def runs_code(self, error: BaseException) -> bool:
        """Whether `ask` may run code of the user's for the message or the notes."""
        own = static_lookup(type(error), "__str__")[0]
        if own is None or is_heap_type(own) or not _plain_args(error):
            return True
        notes = named_entry(instance_dict(error), "__notes__")
        if notes is None:
            return _may_have_notes(type(error))
        return type(notes) is not list or any(type(note) is not str for note in notes[:_MAX_NOTES])

    def ask(self, error: BaseException, hide: Callable[[str], str]) -> Asked:
        """What Python prints of `error`. Runs its `__str__`: whatever else is to be kept of the process was
        kept before. `hide` takes out what the error's own type shows of secrets."""
        trouble = ""
        try:
            message, trouble = self._message(error)
            message = self._shown(hide(message))
        except TimeIsUp:
            message, trouble = self.static(error), "str() took too long: the message is made of its args"
        except BaseException as second:
            message = _PRINTED.format("exception", "str")
            trouble = f"str() raised {type_name(type(second))}: {self.static(second)}"[:MAX_MESSAGE]
        return Asked(message, self._notes(error), self._place(error), trouble)

    def _message(self, error: BaseException) -> tuple[str, str]:
        if issubclass(type(error), SyntaxError):
            return _syntax_message(error), ""
        if _is_huge(error):
            return self._static.text(error), ""
        own = static_lookup(type(error), "__str__")[0]
        quick = own is not None and not is_heap_type(own) and _plain_args(error)
        text = str(error) if quick else self._guard.call(str, error)
        text = str.__getitem__(text, slice(0, MAX_MESSAGE * 2))
        if issubclass(type(error), (NameError, AttributeError, ImportError)):
            try:
                text += self._guard.call(suggestion, error)
            except BaseException:
                return text, ""  # Python prints none if it cannot find one
        return text, ""

    def _shown(self, text: str) -> str:
        return encodable(self._clean(text[: MAX_MESSAGE * 2])[:MAX_MESSAGE])

    # ------------------------------------------------------------ notes

    def _notes(self, error: BaseException) -> list[str]:
        """`__notes__` as Python prints them."""
        notes = named_entry(instance_dict(error), "__notes__")
        if notes is None and not _may_have_notes(type(error)):
            return []
        if type(notes) is list and all(type(note) is str for note in notes[:_MAX_NOTES]):
            return [self._shown(note) for note in notes[:_MAX_NOTES]]
        try:
            found: list[str] = self._guard.call(_printed_notes, error)
        except BaseException:
            return []
        return [self._shown(note) for note in found]

    # ------------------------------------------------------------ where the syntax is wrong

    def _place(self, error: BaseException) -> list[str]:
        """The lines that Python prints before a SyntaxError: file, text, caret."""
        if not issubclass(type(error), SyntaxError):
            return []
        values = [_plain(_SYNTAX[name].__get__(error)) for name in _SYNTAX_PLACE]
        if values[0] is not None:
            values[0] = self._file_name(values[0])
        twin = SyntaxError("", tuple(values))
        try:
            import traceback  # here: few failures need it

            shown = traceback.TracebackException(SyntaxError, twin, None)
            lines = "".join(shown.format_exception_only()).splitlines()[:-1]
        except Exception:  # its fields are not what they should be
            return []
        return [self._shown(line) for line in lines]


def _may_have_notes(cls: type) -> bool:
    """Whether `__notes__` may come from elsewhere than the exception's own `__dict__`."""
    if static_lookup(cls, "__notes__")[0] is not None:
        return True
    owners = (static_lookup(cls, name)[0] for name in ("__getattr__", "__getattribute__"))
    return any(owner is not None and is_heap_type(owner) for owner in owners)


def _printed_notes(error: Any) -> list[str]:
    notes = getattr(error, "__notes__", None)
    if notes is None:
        return []
    if not isinstance(notes, Sequence) or isinstance(notes, str | bytes):
        return [_printed(notes, "__notes__", repr)]
    return [_printed(note, "note", str) for note in notes[:_MAX_NOTES]]


def _printed(value: object, what: str, function: Callable[[Any], str]) -> str:
    try:
        return str.__getitem__(function(value), slice(0, MAX_MESSAGE * 2))
    except TimeIsUp:
        raise
    except BaseException:
        return _PRINTED.format(what, function.__name__)


def _syntax_message(error: BaseException) -> str:
    text, file, line = (_SYNTAX[name].__get__(error) for name in ("msg", "filename", "lineno"))
    shown = text if type(text) is str and text else "<no detail available>"
    return f"{shown} ({file})" if line is None and type(file) is str else shown


def _plain(value: Any) -> Any:
    """A field of a SyntaxError as the twin may have it."""
    return value if value is None or type(value) is int else (value[:2_000] if type(value) is str else None)


def _plain_args(error: BaseException) -> bool:
    """Whether printing the args runs none of the user's code, and takes no time."""
    args = _args(error)
    return len(args) <= _QUICK_ITEMS and all(_is_quick(arg, _QUICK_LEVELS) for arg in args)


def _is_quick(value: Any, levels: int) -> bool:
    """Whether the repr of `value` is C code alone, and short."""
    cls: Any = type(value)
    if id(cls) in _QUICK:
        return True
    if cls is list or cls is tuple:
        return levels > 0 and len(value) <= _QUICK_ITEMS and all(_is_quick(one, levels - 1) for one in value)
    if cls is dict:
        return (
            levels > 0
            and len(value) <= _QUICK_ITEMS
            and all(_is_quick(one, levels - 1) for item in list(value.items()) for one in item)
        )
    return is_immutable_type(cls) and type_name(cls) in _QUICK_NAMES


def _is_huge(error: BaseException) -> bool:
    """Whether an argument is so large that its text would take much memory."""
    for arg in _args(error)[:8]:
        bases: tuple[Any, ...] = mro(type(arg))
        for base in bases:
            if id(base) in _TEXT_IDS and base.__len__(arg) > _HUGE_TEXT:
                return True
            if id(base) in _ITEMS_IDS and base.__len__(arg) > _HUGE_ITEMS:
                return True
    return False
