"""The chain of an exception: causes, contexts, groups. Every frame head first, then locals within the
budget."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from relive_base.errors import ReliveError
from relive_base.redaction.redactor import PLACEHOLDER
from relive_base.values import ValueNode

from relive_capture.model import ExceptionView, every_exception
from relive_capture.record.budget import Budget
from relive_capture.record.exceptions.messages import Messages
from relive_capture.record.frames import FrameRecorder, InApp, RawFrame, Stack, raw_frames, without_outer
from relive_capture.record.inspection import (
    class_dict,
    dict_items,
    instance_dict,
    module_name,
    type_name,
)
from relive_capture.record.values import Walker

if TYPE_CHECKING:
    from relive_capture.record.exceptions.details import Details

__all__ = ["ChainRecorder", "error_type"]

_base = class_dict(BaseException)
_cause: Callable[[BaseException], BaseException | None] = _base["__cause__"].__get__
_context: Callable[[BaseException], BaseException | None] = _base["__context__"].__get__
_suppress: Callable[[BaseException], bool] = _base["__suppress_context__"].__get__
_traceback: Callable[[BaseException], Any] = _base["__traceback__"].__get__
_members: Callable[[BaseException], tuple[BaseException, ...]] = class_dict(BaseExceptionGroup)[
    "exceptions"
].__get__


def error_type(error: BaseException) -> str:
    """The exception's class: "KeyError", "shop.OutOfStock"."""
    return type_name(type(error))


_CAUSES: Final = 4  # that tell a failure from others
_MAX_MEMBERS: Final = 1_000  # of a group that are looked at
_MAX_ATTRIBUTES: Final = 1_000  # of an exception that are looked at


class ChainRecorder:
    """Walks the chain iteratively, so that neither length nor cycles matter."""

    def __init__(
        self,
        budget: Budget,
        recorder: FrameRecorder,
        walker: Walker,
        messages: Messages,
        details: Details,
        in_app: InApp,
        skip: tuple[str, ...],
    ) -> None:
        self._budget = budget
        self._recorder = recorder
        self._walker = walker
        self._messages = messages
        self._details = details
        self._views: list[ExceptionView] = []  # the chain
        self._asked = 0  # exceptions that were asked for their messages
        self._in_app = in_app
        self._skip = skip
        self._seen: set[int] = set()
        self._pending: list[tuple[BaseException, ExceptionView, list[RawFrame], str]] = []
        self._members: list[tuple[BaseException, ExceptionView, str]] = []
        self.left_out = 0
        self.root_frames: list[RawFrame] = []

    def record(self, error: BaseException) -> list[ExceptionView]:
        """The raised exception first, then what it was raised from. What members of groups were raised from
        comes after all of these, so that it never takes their place."""
        views = self._views = self._links(error, "", "exception")
        for member, view, path in self._members:  # grows meanwhile: a cause may be a group itself
            following, relation = _next(member, view)
            view.chain = self._links(following, relation, f"{path}.chain")
        return views

    def causes(self) -> list[tuple[ExceptionView, list[RawFrame]]]:
        """The raised exception, and what it was raised `from`, with the frames that are kept of them."""
        found = [
            (view, frames)
            for number, (view, frames) in enumerate(map(self._with_frames, self._views[:_CAUSES]))
            if number == 0 or view.relation == "cause"
        ]
        return [pair for number, pair in enumerate(found) if number == 0 or pair[0] is self._views[number]]

    def leaves(self) -> list[tuple[ExceptionView, list[RawFrame]]]:
        """The exceptions in the raised group that are no groups themselves; none if it is no group."""
        members = [view for view, depth in every_exception(self._views[:1]) if depth and not view.group]
        return [self._with_frames(view) for view in members if view.relation == "group"]

    def _with_frames(self, view: ExceptionView) -> tuple[ExceptionView, list[RawFrame]]:
        return view, next((frames for _, known, frames, _ in self._pending if known is view), [])

    def _links(self, error: BaseException | None, relation: str, path: str) -> list[ExceptionView]:
        """`error` and what it was raised from, as far as it is not known already."""
        views: list[ExceptionView] = []
        while error is not None and id(error) not in self._seen:
            if len(self._seen) >= self._budget.exceptions:
                self.left_out += 1
                break
            views.append(self._head(error, relation, f"{path}[{len(views)}]"))
            error, relation = _next(error, views[-1])
        return views

    def fill_locals(self) -> None:
        """Locals of the user's own frames recorded so far, then attributes of the exceptions, then locals of
        libraries' frames; the raised exception's first."""
        # A group only says where it was put together: its members come first.
        pending = sorted(self._pending, key=lambda one: bool(one[1].group))
        stacks = [Stack(view.frames, frames, path) for _, view, frames, path in pending]
        self._recorder.fill_own(stacks)
        for error, view, _, path in self._pending:
            view.attributes, view.attributes_more = self._attributes(error, path)
        self._recorder.fill_others(stacks)

    def runs_code(self) -> bool:
        """Whether `ask` may run code of the user's."""
        errors = (error for error, _, _, _ in self._pending)
        return any(not issubclass(type(one), ReliveError) and self._messages.runs_code(one) for one in errors)

    def ask(self) -> None:
        """Messages as Python prints them, notes and details. The first step that runs code of the user's:
        frames and locals are known by now."""
        for error, view, _, _ in self._pending[self._asked :]:
            self._asked += 1
            secrets: list[str] = []
            if self._recorder.values:
                view.details, secrets = self._details.of(error)
            asked = self._messages.ask(error, partial(_without, secrets))
            view.message, view.notes, view.place = asked.message, asked.notes, asked.place
            if asked.trouble:
                view.details.append(("message", asked.trouble))

    def knows(self, error: BaseException) -> bool:
        """Whether it is one of the chain, or of its groups."""
        return id(error) in self._seen

    def message_of(self, error: BaseException) -> str:
        """What Python prints of an exception beside those of the chain."""
        secrets = self._details.of(error)[1] if self._recorder.values else []
        return self._messages.ask(error, partial(_without, secrets)).message

    def frames_of(self, error: BaseException) -> list[RawFrame]:
        """The frames of one exception without Relive's own at the outer end."""
        return without_outer(raw_frames(_traceback(error)), self._skip, self._in_app)

    def _head(self, error: BaseException, relation: str, path: str) -> ExceptionView:
        first = not self._seen
        self._seen.add(id(error))
        raw = self.frames_of(error)
        if first:
            self.root_frames = raw
        frames, kept, cut, at = self._recorder.heads(raw)
        cls = type(error)
        view = ExceptionView(
            type=type_name(cls).removeprefix(f"{module_name(cls)}."),
            module=module_name(cls),
            message=self._messages.static(error),
            relation=relation,
            frames=frames,
            frames_cut=cut,
            frames_cut_at=at,
        )
        self._pending.append((error, view, kept, path))
        if issubclass(cls, BaseExceptionGroup):
            self._add_members(view, error, path)
        return view

    def _attributes(self, error: BaseException, path: str) -> tuple[list[tuple[str, ValueNode]], int]:
        """(attributes, how many are not named)."""
        if not self._recorder.values or issubclass(type(error), ReliveError):
            return [], 0  # those of Relive's own say nothing that the message does not
        items = [
            (key, value)
            for key, value in dict_items(instance_dict(error) or {}, _MAX_ATTRIBUTES)
            if type(key) is str and not key.startswith("__")
        ]
        return self._walker.frame_locals(items, f"{path}.attributes") if items else ([], 0)

    def _add_members(self, view: ExceptionView, error: BaseException, path: str) -> None:
        members = _members(error)
        for number, member in enumerate(members[:_MAX_MEMBERS]):
            if id(member) in self._seen:
                continue  # of a group that was made of another one's members, the others are new
            if len(self._seen) >= self._budget.exceptions:
                self.left_out += 1
                break
            place = f"{path}.group[{number}]"
            view.group.append(self._head(member, "group", place))
            self._members.append((member, view.group[-1], place))
        view.group_more = len(members) - len(view.group)


def _without(secrets: list[str], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, PLACEHOLDER)
    return text


def _next(error: BaseException, view: ExceptionView) -> tuple[BaseException | None, str]:
    cause = _cause(error)
    if cause is not None:
        return cause, "cause"
    context = _context(error)
    if context is not None and _suppress(error):
        view.suppressed = True  # kept all the same: what was hidden is often the root cause
    return context, "context"
