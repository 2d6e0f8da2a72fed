"""Runs go on from the middle: what they find there is what a run from the start finds."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from relive_runtime.travel.checkpoints import Pace, kept
from relive_runtime.travel.messages import Arrived, Fork, Goes, Line, Prompt, Ran, Text
from relive_runtime.travel.runs import Runs
from relive_runtime.travel.traveller import Traveller
from travel_harness import in_a_worker, talked

WINDING = Path(__file__).with_name("winding.py")
OFTEN = Pace(fine_ns=50_000, forks=1)
"""So that short functions have many."""
FUNCTIONS = ("generators", "coroutines", "exceptions", "classes", "long_loop", "late", "recursion")


def _arrives(stem: Any, step: int) -> tuple[str, int]:
    """Where a run from `stem` stands at a step; its number of steps if it ended before."""
    pipe = stem.run(Fork(stop=step))
    arrived, _ = pipe.receive(Arrived | Ran)
    pipe.close()
    if isinstance(arrived, Ran):
        return "ended", arrived.steps
    with suppress(ProcessLookupError):
        os.kill(arrived.pid, signal.SIGKILL)
    return arrived.file, arrived.line


def _some_steps(traveller: Traveller) -> list[int]:
    count = len(traveller.trail)
    return sorted({*range(0, count, max(count // 8, 1)), count - 1})


def _arrivals(traveller: Traveller, failure: BaseException | None) -> list[object]:
    """From the start, and from the nearest and the farthest checkpoint."""
    trail = traveller.trail
    wrong: list[object] = []
    for step in _some_steps(traveller):
        place, near = trail.place(step), traveller.nearest(step)
        for stem in [traveller.stem, *(found.stem for found in near[:1] + near[-1:])]:
            found = _arrives(stem, step)
            if found != (place.file, place.line):
                wrong.append([step, found, place.line])
    near = traveller.nearest(len(trail))
    return [len(trail), len(near), wrong, Runs(traveller).parting(), str(failure)]


def _visits(traveller: Traveller, failure: BaseException | None) -> list[object]:
    """As a session has them."""
    runs, checkpoints = Runs(traveller), len(traveller.nearest(len(traveller.trail)))
    for step in _some_steps(traveller):
        pipe, pid = runs.arrive(step)  # raises Parted if it is elsewhere
        pipe.close()
        os.kill(pid, signal.SIGKILL)
    return [checkpoints, traveller.notes]


def _interrupted_as_it_arrives(traveller: Traveller, failure: BaseException | None) -> list[object]:
    """What comes of interruptions before a debugger is there, and as it leaves."""
    runs, seen = Runs(traveller), list[object]()
    for step in _some_steps(traveller)[:4]:
        pipe, pid = runs.arrive(step)
        os.kill(pid, signal.SIGINT)
        kinds = Text | Prompt | Goes
        while not isinstance(pipe.receive(kinds)[0], Prompt):
            pass
        pipe.send(Line("rs"))
        while not isinstance(found := pipe.receive(kinds)[0], Goes):
            assert not isinstance(found, Prompt)
        seen.append(step)
        pipe.close()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return seen


def test_an_interruption_that_comes_with_the_arrival_ends_nothing() -> None:
    # When a client interrupts what has just come to its step, I expect its prompt as ever
    assert len(in_a_worker(WINDING, "generators", _interrupted_as_it_arrives, pace=OFTEN)) == 4


@pytest.mark.parametrize("most", [1, 2, 5])
def test_where_there_is_room_for_few_copies_there_are_so_many(most: int) -> None:
    # Given a process of which the room for copies can hold so many
    with open("/proc/self/statm", "rb") as file:
        words = file.read().split()
    own_mb = (int(words[1]) - int(words[2])) * os.sysconf("SC_PAGE_SIZE") / 1_048_576

    # When its run makes copies as often as it may
    def look(traveller: Traveller, _failure: BaseException | None) -> int:
        return len(traveller.nearest(len(traveller.trail)))

    found = in_a_worker(WINDING, "generators", look, pace=OFTEN, room_mb=round(own_mb * (most + 0.5)))

    # I expect no more than that, and some
    assert 1 <= found <= most


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_step_is_come_to_from_the_start_and_from_checkpoints(name: str) -> None:
    # When steps all over a run are gone to, from its start and from a checkpoint before them
    steps, checkpoints, wrong, parting, failure = in_a_worker(WINDING, name, _arrivals, pace=OFTEN)

    # I expect each run at the line of its step
    assert wrong == []
    assert parting is None
    assert steps > 50
    assert checkpoints > 0, failure


def _seen(traveller: Traveller, failure: BaseException | None) -> list[object]:
    """What is seen of a late frame: from a checkpoint and from the start."""
    trail, runs = traveller.trail, Runs(traveller)
    frame = max(number for number, code in enumerate(trail.codes) if code.co_name == "scaled")
    near = traveller.nearest_to_frame(frame)
    found: list[object] = [bool(near)]
    for _ in range(2):
        changes, _ = runs.changes(["result", "total"], frame, len(trail))
        returned = runs.returned([frame])
        found.append([[[one.step, one.text] for one in each] for each in changes])
        found.append([returned[0].text, returned[0].step] if returned[0] else None)
        for checkpoint in traveller.nearest(len(trail)):
            traveller.drop(checkpoint)
    return found


def test_what_is_seen_of_a_frame_does_not_depend_on_where_the_run_began() -> None:
    from_a_checkpoint, *found = in_a_worker(WINDING, "late", _seen, pace=OFTEN)

    assert from_a_checkpoint
    assert found[:2] == found[2:]
    assert [text for _, text in found[0][0]] == ["57", "63"]


@pytest.mark.parametrize(("name", "said"), [("threads", "it has threads"), ("writes", "it changes files")])
def test_no_checkpoint_is_made_where_a_copy_would_be_another_process(
    tmp_path: Path, name: str, said: str
) -> None:
    # Given a function that has threads, or has written a file
    event = {"path": str(tmp_path / "draft.txt")}

    # When it is gone back in
    checkpoints, notes = in_a_worker(WINDING, name, _visits, event, pace=OFTEN)

    # I expect runs from the start, and a word on it
    assert any(said in note for note in notes)
    assert checkpoints <= 8  # before that


def test_a_file_that_is_being_read_is_read_on_from_where_it_was(tmp_path: Path) -> None:
    # Given a function that reads a file line by line, and goes on after that
    file = tmp_path / "lines.txt"
    file.write_text("some line\n" * 30)

    # When its steps are gone to
    event = {"path": str(file)}
    checkpoints, notes = in_a_worker(WINDING, "reads", _visits, event, pace=OFTEN)

    # I expect no checkpoint while it holds the file, and all steps where they are
    assert checkpoints > 0
    assert any("holds a file or a socket open" in note for note in notes)


def test_there_are_none_without_room_for_them() -> None:
    checkpoints, notes = in_a_worker(WINDING, "long_loop", _visits, pace=OFTEN, room_mb=1)

    assert checkpoints == 0
    assert any("too much memory" in note for note in notes)


def test_the_last_few_and_a_spread_are_kept() -> None:
    # Given one each 10 ms for a second, of which those are thrown away that do not stay
    times: list[int] = []
    for time in range(0, 1_000, 10):
        times = [(*times, time)[number] for number in sorted(kept([*times, time], 80, 4))]

    # I expect the last four, and one in 80 ms of the others
    assert times == [*range(0, 961, 80), 970, 980, 990]
    assert kept([], 80, 4) == set()


def test_values_at_a_step_from_a_checkpoint_are_those_of_it() -> None:
    # When somebody steps about in a loop of 4,000 rounds
    text = WINDING.read_text()
    line = text[: text.index("total += number", text.index("def long_loop"))].count("\n") + 1
    lines = ["rs", f"b {line}", "rc", "p number, total == sum(range(number))", "rc", "p number, len(seen)"]
    shown = in_a_worker(WINDING, "long_loop", talked(lines), pace=OFTEN)

    # I expect the values of that round
    assert "(3999, True)" in shown
    assert "(3998, 4)" in shown
