"""The commands of a read-only session: those of pdb that need no process, and what a scene has besides."""

from __future__ import annotations

import cmd
import io
import json
import re
from typing import Final

from relive_base.values import ValueNode, render, render_lines

from relive_capture.explore.parts import RELATIONS
from relive_capture.explore.postmortem.evaluate import CannotEvaluate, Evaluator, Result
from relive_capture.explore.postmortem.place import (
    Entry,
    Place,
    exception_entries,
    function_at,
    source_of,
    title,
    type_title,
)
from relive_capture.explore.postmortem.trees import CutAtCapture, Trees
from relive_capture.explore.scene import SceneFile
from relive_capture.model import ExceptionView, FrameView

__all__ = ["PostMortem"]

_LIST_LINES: Final = 11
_LOG_LINES: Final = 20
_TEXT_CHARS: Final = 65_536
_WIDTH: Final = 1_000
_COMPLETIONS: Final = 200
_EXCEPTION: Final = re.compile(r"\$_exception\b")  # pdb's name for what is looked at
_NEEDS_PROCESS: Final = (
    "interact", "step", "s", "next", "n", "return", "r", "until", "unt", "jump", "j", "debug", "display",
    "undisplay", "break", "b", "tbreak", "clear", "cl", "ignore", "condition", "commands", "run", "restart",
    "alias", "unalias", "retval", "rv",
)  # fmt: skip


class PostMortem(cmd.Cmd):
    """One session on one scene. `run` takes a line and gives the text of the answer; it raises only what
    reading the scene's members raises (SceneError)."""

    prompt = "(scene) "

    def __init__(self, scene: SceneFile) -> None:
        self._out = io.StringIO()
        super().__init__(stdout=self._out)
        self._scene = scene
        self._place = Place(exception_entries(scene))
        frames = [frame for entry in self._place.entries for frame in entry.view.frames]
        self._trees = Trees(node for frame in frames for _, node in frame.locals)
        self._listed = 0
        self.done = False

    def banner(self) -> str:
        """What is said before the first prompt."""
        view = self._place.view
        hint = "read-only: values as they were captured; h lists the commands"
        return f"{title(view)}\n({hint})\n{self._where_now()}"

    def run(self, line: str) -> str:
        """The answer to one line."""
        self._out.seek(0)
        self._out.truncate()
        try:
            self.done = bool(self.onecmd(line)) or self.done
        except CannotEvaluate as problem:
            self._error(str(problem))
            heap = self._scene.parts.get("heap")
            if isinstance(problem, CutAtCapture) and heap is not None and heap.state in ("ok", "partial"):
                self._say(f"    (the heap may have it: relive heap {self._scene.invocation_id})")
        return self._out.getvalue()

    def complete_line(self, line: str) -> tuple[int, list[str]]:
        """Where the replaced part of a line that is typed begins, and what may replace it."""
        start = len(line)
        while start and (line[start - 1].isalnum() or line[start - 1] == "_"):
            start -= 1
        part, before = line[start:], line[:start]
        names: list[str] = []
        if before.endswith("."):
            owner = before[:-1].rpartition(" ")[2].lstrip("!(")
            try:
                found = self._evaluator().evaluate(owner)
            except CannotEvaluate:
                return start, []
            if isinstance(found, ValueNode):
                names = [label for label, _ in self._trees.whole(found).children]
        else:
            names = [name for name, _ in self._locals()]
            if not before.strip():
                names += [name[3:] for name in self.get_names() if name.startswith("do_")]
        fitting = {name for name in names if name.startswith(part) and name.isidentifier()}
        return start, sorted(fitting)[:_COMPLETIONS]

    # ------------------------------------------------------------ helpers

    def _say(self, text: str = "") -> None:
        self._out.write(text + "\n")

    def _error(self, text: str) -> None:
        self._say(f"*** {text}")

    def _locals(self) -> list[tuple[str, ValueNode]]:
        frame = self._place.frame
        return frame.locals if frame is not None else []

    def _evaluator(self) -> Evaluator:
        frame = self._place.frame
        names = {"__exception__": _pair(self._place.view), **dict(self._locals())}
        return Evaluator(names, self._trees, frame.locals_more if frame is not None else 0)

    def _evaluate(self, text: str) -> Result:
        if not text:
            raise CannotEvaluate("give an expression")
        return self._evaluator().evaluate(_EXCEPTION.sub("__exception__[1]", text))

    def _frame(self) -> FrameView:
        frame = self._place.frame
        if frame is None:
            raise CannotEvaluate("the scene has no frames of this exception")
        return frame

    def _where_now(self) -> str:
        frame = self._place.frame
        if frame is None:
            state = self._scene.parts.get("exception")
            return f"no frames: {state.reason}" if state is not None and state.reason else "no frames"
        return _frame_text(frame, "> ")

    # ------------------------------------------------------------ cmd.Cmd

    def emptyline(self) -> bool:
        return False

    def default(self, line: str) -> None:
        """An expression; as in pdb, ! says that it is none of the commands."""
        self.do_p(line.removeprefix("!").strip())

    def onecmd(self, line: str) -> bool:
        """One command. `x == 1` and `x.y` are expressions, even if x is a command's name."""
        name, argument, _ = self.parseline(line)
        if name in _NEEDS_PROCESS:
            self._error(f"{name} needs the live process; this session is read-only")
            return False
        if line == "EOF":
            return True
        if name and argument and argument[:1] in "=.[" and name in dict(self._locals()):
            self.default(line)
            return False
        return bool(super().onecmd(line))

    # ------------------------------------------------------------ where

    def do_where(self, _arg: str) -> None:
        """w(here): the frames, the current one marked with >"""
        view = self._place.view
        for index, frame in enumerate(view.frames):
            if view.frames_cut and index == view.frames_cut_at:
                self._say(f"  ... {view.frames_cut} frames were cut at capture ...")
            self._say(_frame_text(frame, "> " if index == self._place.index else "  "))
        if not view.frames:
            self._say(self._where_now())

    def do_up(self, arg: str) -> None:
        """u(p) [count]: to an older frame"""
        self._move(-1, arg, "Oldest frame")

    def do_down(self, arg: str) -> None:
        """d(own) [count]: to a newer frame"""
        self._move(1, arg, "Newest frame")

    def _move(self, step: int, arg: str, end: str) -> None:
        count = _count(arg, 1)
        if not self._place.move(step * count):
            self._error(end)
            return
        self._listed = 0
        self._say(self._where_now())

    def do_exceptions(self, arg: str) -> None:
        """exceptions [number]: the exceptions that led to the failure, or to the frames of one of them"""
        entries = self._place.entries
        if not arg:
            for number, entry in enumerate(entries):
                mark = ">" if number == self._place.number else " "
                self._say(f"{mark} {number:>3} {_entry_text(entry)}")
            return
        number = _count(arg, 0)
        if number >= len(entries):
            raise CannotEvaluate(f"give a number from 0 to {len(entries) - 1}")
        self._place.go_to(number)
        self._listed = 0
        self._say(self._where_now())

    # ------------------------------------------------------------ values

    def do_p(self, arg: str) -> None:
        """p expression: its value, as it was captured"""
        value = self._evaluate(arg)
        self._say(_one(self._trees.whole(value)) if isinstance(value, ValueNode) else repr(value))

    def do_pp(self, arg: str) -> None:
        """pp expression: its value with what is in it"""
        value = self._evaluate(arg)
        if not isinstance(value, ValueNode):
            self._say(repr(value))
            return
        for line in render_lines(self._trees.whole(value), width=_WIDTH, depth=8):
            self._say(line)

    def do_whatis(self, arg: str) -> None:
        """whatis expression: the type of its value"""
        value = self._evaluate(arg)
        self._say(value.type if isinstance(value, ValueNode) else type(value).__name__)

    def do_locals(self, _arg: str) -> None:
        """locals: every local of the frame"""
        frame = self._frame()
        for name, node in frame.locals:
            self._say(f"{name} = {_one(node)}")
        if frame.locals_more:
            self._say(f"... {frame.locals_more} more were cut at capture")
        if not frame.locals and not frame.locals_more:
            self._say("the scene has no locals of this frame")

    def do_args(self, _arg: str) -> None:
        """a(rgs): the arguments of the frame's function"""
        frame = self._frame()
        function = function_at(*source_of(self._scene, frame), frame)
        if function is None:
            self._say("(the scene does not say which locals are arguments)")
            self.do_locals("")
            return
        known = dict(frame.locals)
        for name in function.arguments:
            self._say(f"{name} = {_one(known[name])}" if name in known else f"{name} = *** not captured ***")

    # ------------------------------------------------------------ source

    def do_list(self, arg: str) -> None:
        """l(ist) [first [,last] | .]: eleven lines around the current one, then the following ones"""
        frame = self._frame()
        lines, first = source_of(self._scene, frame)
        if arg == "." or (not arg and not self._listed):
            start = max(frame.line - _LIST_LINES // 2, 1)
            end = start + _LIST_LINES - 1
        elif not arg:
            start, end = self._listed + 1, self._listed + _LIST_LINES
        else:
            begin, comma, last = arg.partition(",")
            start = max(_count(begin, 1), 1)
            end = _count(last, 1) if comma else start + _LIST_LINES - 1
            end = start + end if comma and end < start else end
        self._print_source(frame, lines, first, start, end)

    def do_longlist(self, _arg: str) -> None:
        """ll | longlist: the whole function"""
        frame = self._frame()
        lines, first = source_of(self._scene, frame)
        function = function_at(lines, first, frame)
        start, end = (function.first, function.last) if function else (first, first + len(lines) - 1)
        self._print_source(frame, lines, first, start, end)

    def _print_source(self, frame: FrameView, lines: list[str], first: int, start: int, end: int) -> None:
        shown = 0
        for number in range(max(start, first), min(end, first + len(lines) - 1) + 1):
            mark = "->" if number == frame.line else ""
            self._say(f"{number:>3} {mark:<3}\t{lines[number - first]}".rstrip())
            self._listed = number
            shown += 1
        if not shown:
            self._say("[EOF]" if lines else "the scene has no source of this frame")

    # ------------------------------------------------------------ the rest of the scene

    def do_event(self, _arg: str) -> None:
        """event: the event, redacted as it was captured"""
        http = self._scene.context.get("http")
        if isinstance(http, dict):
            self._say(f"{http.get('method', '')} {http.get('path', '')}")
        try:
            text = json.dumps(json.loads(self._scene.event), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            text = self._scene.event[:_TEXT_CHARS].decode("utf-8", "backslashreplace")
        self._say(text[:_TEXT_CHARS] if self._scene.event else "(no body)")

    def do_logs(self, arg: str) -> None:
        """logs [count]: the last lines that the invocation wrote"""
        count = _count(arg, _LOG_LINES)
        for line in self._scene.logs[-count:] if count else []:
            self._say(f"{line.severity:<5} {line.body}")
        if not self._scene.logs:
            self._say("no line was written")

    def do_threads(self, _arg: str) -> None:
        """threads: the other threads of the process, with their frames"""
        for thread in self._scene.threads:
            self._say(f"thread {thread.name}")
            for frame in thread.frames:
                self._say(_frame_text(frame, "  "))
        if not self._scene.threads:
            self._say("there was no other thread, or the scene has none")

    def do_parts(self, _arg: str) -> None:
        """parts: what the scene has, and why it lacks what it lacks"""
        for name, part in self._scene.parts.items():
            self._say(f"{part.state:<8} {name}{': ' + part.reason if part.reason else ''}")

    def do_quit(self, _arg: str) -> bool:
        """q(uit), c(ontinue), exit, Ctrl-D: leave"""
        return True

    def do_help(self, arg: str) -> None:
        """h(elp) [command]"""
        methods = {name: getattr(self, name) for name in self.get_names() if name.startswith("do_")}
        wanted = methods.get(f"do_{arg}")
        if arg and (wanted is None or not wanted.__doc__):
            self._error(f"there is no command {arg!r}; h lists them")
            return
        told = [wanted] if wanted is not None else list(dict.fromkeys(methods.values()))
        for line in sorted({(method.__doc__ or "").strip() for method in told} - {""}):
            self._say(line)
        if not arg:
            self._say("an expression alone is printed: names, attributes, subscripts, len(), $_exception")

    do_w = do_bt = do_where
    do_u = do_up
    do_d = do_down
    do_a = do_args
    do_l = do_list
    do_ll = do_longlist
    do_h = do_help
    do_q = do_c = do_cont = do_continue = do_exit = do_quit


def _entry_text(entry: Entry) -> str:
    relation = entry.view.relation
    linked = bool(entry.level) and relation in ("cause", "context")
    return "  " * entry.level + (f"  {RELATIONS[relation]} " if linked else "") + title(entry.view)


def _frame_text(frame: FrameView, mark: str) -> str:
    text = f"{mark}{frame.file}({frame.line}){frame.function}()"
    index = frame.line - frame.source_first_line
    code = frame.source[index].strip() if 0 <= index < len(frame.source) else ""
    return f"{text}\n-> {code}" if code else text


def _pair(view: ExceptionView) -> ValueNode:
    """What pdb calls `__exception__`: the type and the exception, with the attributes that the scene has."""
    error = ValueNode(
        view.type,
        f"{view.type}({view.message!r})" if view.message else f"{view.type}()",
        children=view.attributes,
        more=view.attributes_more,
    )
    name = ValueNode("type", f"<class '{type_title(view)}'>")
    return ValueNode(
        "tuple", f"({name.text}, {error.text})", length=2, children=[("[0]", name), ("[1]", error)]
    )


def _one(node: ValueNode) -> str:
    return render(node, _TEXT_CHARS)


def _count(text: str, default: int) -> int:
    text = text.strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise CannotEvaluate(f"{text[:40]!r} is not a number")
    return int(text)
