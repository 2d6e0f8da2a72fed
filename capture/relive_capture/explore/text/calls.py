"""What a failed function called, from its recording: outgoing calls as text, and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from relive_base.terminal import one_line

from relive_capture.explore.text.lines import Line
from relive_capture.recording_format import Body, RecordedCall
from relive_capture.typed_bodies import answer_text, values_text

__all__ = ["call_lines", "calls_json"]

_LAST_WORDS = 200  # characters of an answer that ended in an error
_BAD_STATUS = 400


def call_lines(calls: Sequence[RecordedCall], width: int, limit: int, *, bodies: bool = False) -> list[Line]:
    """The last `limit` calls, in their order: what was called, its answer, how long that took. `bodies`: with
    what was sent and answered. Of a call that failed the answer is shown in any case."""
    if not calls:
        return []
    told = calls[-limit:]
    title = "Calls" if len(told) == len(calls) else f"Calls, the last {len(told)} of {len(calls)}"
    lines = [Line(""), Line(title, "heading")]
    for call in told:
        failed = _failed(call)
        mark = "✖" if failed else " "
        parts = (_target(call), _error(call)) if call.failure is not None else (_answer(call), _target(call))
        text = f"{mark} {_took(call.took_ns):>9}  {parts[0]}  {parts[1]}"
        if call.kind == "values":
            text = f"{mark} {_took(call.took_ns):>9}  {_values(call)}"
        lines.append(Line(one_line(text, width), "error" if failed else "local"))
        if bodies and (sent := _body(call.request_body)):
            lines.append(Line(one_line(f"    sent      {sent}", width), "dim"))
        if (bodies or failed) and (answered := _body(call.response_body)):
            shown = answered if bodies else answered[:_LAST_WORDS]
            lines.append(Line(one_line(f"    answered  {shown}", width), "dim"))
    return lines


def calls_json(calls: Sequence[RecordedCall]) -> list[dict[str, Any]]:
    """The same for machines. `error` is null for a call that was answered; bodies as text, or null."""
    return [
        {
            "kind": call.kind,
            "library": call.library,
            "phase": call.phase,
            "method": call.method,
            "url": call.url,
            "statement": call.statement or None,
            "status": call.status,
            "started_ns": call.started_ns,
            "took_ns": call.took_ns,
            "error": _error(call) or None,
            "request_body": call.request_body.text or None,
            "response_body": call.response_body.text or None,
        }
        for call in calls
    ]


def _failed(call: RecordedCall) -> bool:
    return call.failure is not None or call.status >= _BAD_STATUS


def _error(call: RecordedCall) -> str:
    failure = call.failure
    if failure is None:
        return ""
    said = ", ".join(str(argument) for argument in failure.arguments if argument is not None)
    place = f" ({failure.where})" if failure.where else ""
    name = failure.type.removeprefix("builtins.")
    return f"{name}: {said}{place}" if said else f"{name}{place}"


def _answer(call: RecordedCall) -> str:
    if call.kind == "invoke":
        return "ok " if call.status == 200 else "failed"  # relive.invoke answers 200
    return str(call.status) if call.status else "no answer"


def _target(call: RecordedCall) -> str:
    if call.kind == "invoke":
        return f"relive.invoke {call.url}"
    return f"{call.method} {call.url}".strip()


def _values(call: RecordedCall) -> str:
    """A statement before whom it went to: it is what one looks for."""
    told = values_text(call)
    if call.failure is not None:
        return f"{told}  {_error(call)}"
    return f"{answer_text(call.response_body.text) or 'ok':<7}  {told}"


def _took(took_ns: int) -> str:
    return f"{took_ns / 1e6:.1f} ms" if took_ns else "-"


def _body(body: Body) -> str:
    if body.text:
        cut = f" … {body.cut} bytes more" if body.cut else ""
        return body.text + cut
    return f"{len(body.base64) * 3 // 4} bytes" if body.base64 else ""
