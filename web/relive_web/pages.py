"""The pages. Each is a function of a request; texts are escaped by the templates."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any, Final
from urllib.parse import parse_qs, quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from relive_base.errors import NotFound, ReliveError, UsageError
from relive_base.terminal import one_line
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)

from relive_web import shaping
from relive_web.guard import COOKIE, SESSION_S, Doorkeeper
from relive_web.questions import RANGES, Question, asked
from relive_web.reader import SPANS, Reader

__all__ = ["Pages"]

_ROWS: Final = 200
_BODY_BYTES: Final = 4_096
_CHARS: Final = 200
_TOGETHER: Final = 5_000  # pieces of a template that are sent at once: some 60 kB


class Pages:
    """Needs a Reader, and the Doorkeeper for the login."""

    def __init__(self, reader: Reader, doorkeeper: Doorkeeper) -> None:
        self._reader = reader
        self._doorkeeper = doorkeeper
        self._templates = Environment(
            loader=PackageLoader("relive_web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True, finalize=shaping.visible,
        )  # fmt: skip
        self._templates.filters |= {
            "duration": shaping.duration, "bytes": shaping.bytes_text, "when": shaping.when, "short": _short,
            "segment": lambda text: quote(str(text), safe=""),
        }  # fmt: skip

    def _page(self, name: str, /, *, answer: int = 200, **values: Any) -> HTMLResponse:
        return HTMLResponse(self._templates.get_template(name).render(**values), answer)

    def _long_page(self, name: str, /, **values: Any) -> StreamingResponse:
        """As it is made, so that a browser shows the beginning of a long one while the rest is still made."""
        parts = self._templates.get_template(name).stream(**values)
        parts.enable_buffering(_TOGETHER)
        return StreamingResponse(parts, media_type="text/html")

    def problem(self, request: Request, error: Exception) -> Response:
        """What a ReliveError says."""
        kinds = (
            (NotFound, 404, "Not found"),
            (UsageError, 400, "Not understood"),
            (Exception, 503, "Not now"),
        )
        status, title = next((code, words) for kind, code, words in kinds if isinstance(error, kind))
        message = error.message if isinstance(error, ReliveError) else type(error).__name__
        hint = error.hint if isinstance(error, ReliveError) else ""
        return self._page("problem.html", answer=status, title=title, message=message, hint=hint or "")

    def nothing(self, request: Request, error: Exception) -> Response:
        """Of an address that no page has."""
        return self._page(
            "problem.html", answer=404, title="Not found", message="there is no such page", hint=""
        )

    # ------------------------------------------------------------ the door

    async def login(self, request: Request) -> Response:
        """A form for the token; a code in the address lets in at once."""
        wanted, code, token = request.query_params.get("next", "/"), request.query_params.get("code", ""), ""
        if request.method == "POST":
            body = b""
            async for part in request.stream():
                body += part
                if len(body) > _BODY_BYTES:
                    return PlainTextResponse("that is too long\n", 413)
            form = parse_qs(body.decode("utf-8", "replace"))
            token, wanted = form.get("token", [""])[0].strip(), form.get("next", ["/"])[0]
        if not wanted.startswith("/") or wanted.startswith(("//", "/\\")):
            wanted = "/"
        session = self._doorkeeper.let_in(code, token) if code or token else None
        if session is None:
            return self._page(
                "login.html",
                answer=403 if code or token else 200,
                title="Sign in",
                next=wanted,
                wrong=bool(code or token),
            )
        answer = RedirectResponse(wanted, 303)
        # Lax: a link in a ticket opens the page; it changes nothing, whoever sends somebody there.
        answer.set_cookie(COOKIE, session, max_age=SESSION_S, httponly=True, samesite="lax", path="/")
        return answer

    def style(self, request: Request) -> Response:
        """The one stylesheet."""
        text = resources.files("relive_web").joinpath("static", "style.css").read_text(encoding="utf-8")
        return Response(text, media_type="text/css", headers={"cache-control": "private, max-age=3600"})

    # ------------------------------------------------------------ what happened

    def failures(self, request: Request) -> Response:
        """Groups of failures; with `group=` the failures of one."""
        what = _asked(request, "function", "range", "group")
        if what.group:
            rows = self._reader.failures(what.function, self._since_ns(what), what.group, _ROWS)
            return self._listed(
                "failure_list.html", what, rows, title="Failures of a group", group=what.group
            )
        groups = self._reader.groups(what.function, self._since_ns(what), _ROWS)
        return self._listed("failures.html", what, groups, title="Failures")

    def _since_ns(self, what: Question) -> int:
        return max(self._reader.now_ns() - what.range_ns, 0)

    def _listed(self, name: str, what: Question, rows: Sequence[Any], **values: Any) -> HTMLResponse:
        """Rows of a time and perhaps a function. Raises NotFound if there is no such function."""
        if not rows and what.function:
            self._reader.check_function(what.function)
        return self._page(
            name,
            rows=rows,
            limit=_ROWS,
            function=what.function,
            range=what.range,
            ranges=list(RANGES),
            **values,
        )

    def failure(self, request: Request) -> Response:
        """One failure: the failing line, its locals, the event, the logs."""
        scene = self._reader.scene(request.path_params["ident"], _asked(request, "attempt").attempt)
        return self._page(
            "failure.html", title=f"{scene.function}: {scene.exceptions[0].type}", scene=scene,
            lines=shaping.source_lines, values=lambda node, name: list(shaping.value_lines(node, name)),
        )  # fmt: skip

    def invocations(self, request: Request) -> Response:
        """Newest first."""
        what = _asked(request, "function", "range", "status")
        rows = self._reader.invocations(what.function, what.status, self._since_ns(what), _ROWS)
        return self._listed("invocations.html", what, rows, title="Invocations", status=what.status)

    def trace(self, request: Request) -> Response:
        """A waterfall."""
        _asked(request)
        trace_id, spans, logs, dropped = self._reader.trace(request.path_params["ident"])
        if not spans:
            raise NotFound(f"no trace has the id {one_line(trace_id, _CHARS)}")
        return self._long_page(
            "trace.html", title=f"Trace {trace_id[:8]}", trace_id=trace_id,
            parts=shaping.waterfall(shaping.bars(spans)), count=len(spans),
            logs=logs, dropped=dropped,
            cut=len(spans) >= SPANS, limit=SPANS,
            start_ns=min(span.start_ns for span in spans),
            total_ns=max(span.end_ns for span in spans) - min(span.start_ns for span in spans),
            failed=sum(span.failed for span in spans),
        )  # fmt: skip

    def flame(self, request: Request) -> Response:
        """A flame graph: a page of its own, which brings what it needs."""
        from relive_profiler.explore.export import to_html

        _asked(request)
        tree = self._reader.flame(request.path_params["subject"])
        if not tree.samples:
            raise NotFound(
                f"there is no profile of {one_line(request.path_params['subject'], _CHARS)}", hint=tree.note
            )
        page = to_html(tree, self._reader.now_ns())
        start = page.index('content="', page.index("Content-Security-Policy")) + len('content="')
        policy = page[start : page.index('"', start)]
        return HTMLResponse(page, headers={"content-security-policy": f"{policy}; frame-ancestors 'none'"})

    def heap(self, request: Request) -> Response:
        """What filled the memory, and who holds it."""
        from relive_views.heaps import findings, suspects

        _asked(request)
        scene, heap = self._reader.heap(request.path_params["ident"])
        return self._page(
            "heap.html", title=f"Heap of {scene.function}", scene=scene, heap=heap, suspects=suspects(heap),
            types=findings.types(heap)[:30],
        )  # fmt: skip

    def metrics(self, request: Request) -> Response:
        """Health of each function."""
        what = _asked(request, "function", "range")
        rows = self._reader.health(self._since_ns(what), what.function)
        return self._listed("metrics.html", what, rows, title="Metrics", spark=shaping.sparkline)


def _asked(request: Request, *known: str) -> Question:
    """Raises UsageError."""
    return asked(request.query_params.multi_items(), known)


def _short(text: str) -> str:
    """The beginning of an id."""
    return text[:13] if text.count("-") == 4 else text[:8]
