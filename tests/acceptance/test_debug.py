"""`relive debug` as a user has it: in the process that failed, and on its scene when that is gone."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from relive_base.errors import ReliveError
from relive_platform.api.client import ControlClient

from tests.support.free_ports import free_port
from tests.support.relive_cli import Relive, laboratory, relive_home, toml
from tests.support.terminal import terminal

CODE = """
import json, os, time
import relive


class Basket:
    def __init__(self):
        self.total = 3
        self.item_list = ["a", {"sku": 7}]

    @property
    def touched(self):
        open("touched", "w")


def double(x):
    print("doubling", x)
    return 2 * x


def spin():
    while print("spin" + "ning") or True:
        time.sleep(0.05)


def price(basket, data):
    return data["price"] * basket.total


def checkout(event, context):
    basket = Basket()
    print("checking out")
    return price(basket, event)


def slow(event, context):
    rounds = 0
    while True:
        rounds += 1
        time.sleep(0.01)


def crash(event, context):
    reason = "for the test"
    os._exit(3)


def outer(event, context):
    wanted = 1
    return relive.invoke("checkout", event)


def other(event, context):
    return {"other": event}
"""
FILES = {
    "main.py": CODE,
    "relive.toml": toml(
        {
            "checkout": 'handler = "main:checkout"',
            "slow": 'handler = "main:slow"\ntimeout_s = 3',
            "crash": 'handler = "main:crash"',
            "other": 'handler = "main:other"',
            "outer": 'handler = "main:outer"',
        }
    ),
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Relive]:
    with laboratory(FILES, {"RELIVE_FROZEN_WORKERS": "3"}) as home:
        yield home


def test_the_newest_failure_is_debugged_by_commands(lab: Relive) -> None:
    # Given a failed invocation
    lab.invoke("checkout", {"sku": 1})

    # When its user asks for values, and calls code
    done = lab.run(
        "debug", "last", "-c", "p basket.item_list", "-c", "u", "-c", "pp event", "-c", "p double(4)"
    )

    # I expect answers from the live process
    first, place, code, event, printed, result = done.stdout.splitlines()
    assert first == "['a', {'sku': 7}]"
    assert place.endswith("checkout()")
    assert code == "-> return price(basket, event)"
    assert event == "{'sku': 1}"
    assert (printed, result) == ("doubling 4", "8")


def test_commands_that_did_not_run_are_named(lab: Relive) -> None:
    # When a script goes on after what ends its session, in the process or on the scene
    lab.invoke("checkout", {"sku": 1})
    script = ("-c", "p data", "-c", "q", "-c", "p 5", "-c", "u")
    for done in (lab.run("debug", "last", *script), lab.run("debug", "last", "--scene", *script)):
        # I expect to be told
        assert (done.returncode, done.stdout) == (0, "{'sku': 1}\n")
        assert "did not run: p 5, u" in done.stderr
    # ... also if it was the end of the process, of which the status is said
    done = lab.run("debug", "last", "-c", "!import os; os._exit(3)", "-c", "p 5", check=False)
    assert done.returncode == 1
    assert "has ended with status 3" in done.stderr
    assert "did not run: p 5" in done.stderr
    # ... and nothing is said of one whose commands all ran
    lab.invoke("checkout", {"sku": 1})
    assert lab.run("debug", "last", "-c", "p data", "-c", "q").stderr == ""


def test_a_pipe_is_a_script_and_the_state_stays_between_sessions(lab: Relive) -> None:
    ident = lab.invoke("checkout", {"sku": 2})["invocation_id"]

    lab.run("debug", ident, stdin="basket.total = 77\nimport relive\nu\n")
    done = lab.run("debug", ident[:30], stdin="p basket.total\np relive.invoke('other', {'a': 1})\nexit\n")

    assert done.stdout.splitlines() == ["77", "{'other': {'a': 1}}"]


def test_nothing_of_a_session_is_left_that_could_hold_up_the_end_of_the_process(lab: Relive) -> None:
    # Given a session whose process writes faster than its user reads
    ident = lab.invoke("checkout", {"sku": 3})["invocation_id"]
    with ControlClient(
        f"unix:{lab.home}/run/api.sock", token=(lab.home / "run" / "token").read_text()
    ) as control:
        call = control.debug(ident)
        call.send_line("for number in range(100_000): print(number)")
        while (response := call.next(10.0)) is not None and "100" not in response.text.text:
            pass

        # When it is left
        call.close()

    # I expect no thread that takes the locks of gRPC, and no call that would wait for one at exit
    assert [thread.name for thread in threading.enumerate() if thread.name == "debug"] == []
    gc.collect()
    assert streams() == []


def streams() -> list[object]:
    """The calls of gRPC that somebody holds, if only themselves."""
    return [held for held in gc.get_objects() if type(held).__name__ == "_MultiThreadedRendezvous"]


def test_a_stream_that_was_refused_is_gone_with_its_error(lab: Relive) -> None:
    token = (lab.home / "run" / "token").read_text()
    with ControlClient(f"unix:{lab.home}/run/api.sock", token=token) as control:
        # Given that nothing is collected before the end of the process
        gc.collect()
        gc.disable()
        try:
            # When the server refuses to debug, to query, to deploy
            for refused in (
                lambda: control.debug("ffffffff"),
                lambda: list(control.query("SELECT nothing FROM nowhere")),
                lambda: control.deploy(None, package=b"x" * 3_000_000, name="f", handler="m:h"),
            ):
                with pytest.raises(ReliveError) as told:
                    refused()
                del told
            # I expect no call whose lock would be taken at the end
            assert streams() == []
        finally:
            gc.enable()


def test_the_newest_failure_is_the_one_that_failed_last(lab: Relive) -> None:
    # Given a function that fails because the one that it calls has failed
    lab.invoke("outer", {"sku": 1})

    # I expect the caller: it began first, and failed last
    assert lab.run("debug", "-c", "p wanted").stdout == "1\n"


def test_a_timeout_has_its_live_frames_and_the_scene_says_so(lab: Relive) -> None:
    ident = lab.invoke("slow")["invocation_id"]

    assert int(lab.run("debug", ident, "-c", "p rounds").stdout) > 5
    part = lab.scene(ident)["parts"]["live"]
    assert part["state"] == "ok"
    assert "kept, stopped" in part["reason"]


def test_kept_workers_are_listed(lab: Relive) -> None:
    ident = lab.invoke("checkout", {"sku": 3})["invocation_id"]

    def listed() -> dict[str, object] | None:
        """It is kept a moment after its answer."""
        rows = lab.json("debug", "--list")
        return rows[0] if rows and rows[0]["invocation_id"] == ident else None

    row = lab.eventually(listed)
    assert row["function"] == "checkout"
    assert row["error"] == "KeyError"
    assert {"pid", "age_s", "expires_s", "rss", "attached"} <= row.keys()
    assert ident[:13] in lab.run("debug", "--list").stdout
    assert ident in lab.run("debug", "--list", "--wide").stdout


def test_a_process_that_is_gone_says_why_and_its_scene_is_opened(lab: Relive) -> None:
    # Given one whose process has ended, and one that was killed while it was kept
    crashed = lab.invoke("crash")["invocation_id"]
    killed = lab.invoke("checkout", {"sku": 4})["invocation_id"]
    lab.scene(killed)
    (row,) = (row for row in lab.json("debug", "--list") if row["invocation_id"] == killed)
    os.kill(row["pid"], signal.SIGKILL)
    lab.eventually(lambda: all(row["invocation_id"] != killed for row in lab.json("debug", "--list")))

    # When their user wants to debug them
    lab.scene(crashed)
    first = lab.run("debug", crashed, "-c", "event", "-c", "p reason")
    second = lab.run("debug", killed, "-c", "p basket.item_list[1]['sku']", "-c", "p double(1)", "-c", "w")

    # I expect the reason, and the read-only session
    assert "its process ended by itself" in first.stderr
    assert first.stdout.splitlines()[1].startswith("*** NameError: 'reason' is not among the captured locals")
    assert "left" in second.stderr
    assert "its process has ended" in second.stderr
    assert second.stdout.splitlines()[:2] == [
        "7",
        "*** calls need the live process; here only len(...) is known",
    ]
    assert "> main.py(27)price()" in second.stdout


def test_a_scene_file_is_opened_without_server_and_home(lab: Relive, tmp_path: Path) -> None:
    # Given a scene from somebody else
    ident = lab.invoke("checkout", {"sku": 5})["invocation_id"]
    lab.scene(ident)
    file = tmp_path / "theirs.scene"
    lab.run("scene", ident, "--output", str(file))

    with relive_home() as nothing:
        # When it is opened on a machine that has never seen Relive run
        shown = nothing.run("scene", str(file)).stdout
        debugged = nothing.run("debug", str(file), "-c", "p data", "-c", "x = 1").stdout
        as_json = nothing.json("scene", str(file))

        # I expect the failure, what can be done with it, and a read-only debugger
        assert "KeyError: 'price'" in shown
        assert f"relive debug {file}" in shown
        assert debugged.splitlines() == [
            "{'sku': 5}",
            "*** a scene is read-only: statements need the live process",
        ]
        assert as_json[0]["manifest"]["invocation_id"] == ident
        assert not nothing.home.exists()

        # And a clear error where it is no scene
        file.write_bytes(b"PK\x05\x06 no scene")
        for command in ("scene", "failure", "debug"):
            refused = nothing.run(command, str(file), check=False)
            assert refused.returncode == 1
            assert "not a scene archive" in refused.stderr
            assert "Traceback" not in refused.stderr
        gone = nothing.run("debug", str(tmp_path / "none.scene"), check=False)
        assert "cannot be opened" in gone.stderr


def test_read_only_can_be_chosen_while_somebody_debugs(lab: Relive) -> None:
    ident = lab.invoke("checkout", {"sku": 6})["invocation_id"]
    lab.scene(ident)

    with terminal(["--home", str(lab.home), "debug", ident]) as first:
        first.until("(Pdb) ")
        refused = lab.run("debug", ident, "-c", "w", check=False)
        assert refused.returncode == 4
        assert "somebody debugs" in refused.stderr
        assert "--scene" in refused.stderr
        assert lab.run("debug", ident, "--scene", "-c", "p data").stdout == "{'sku': 6}\n"
        first.send("q\n")
        assert first.ended() == 0


def test_a_person_at_a_terminal(lab: Relive) -> None:
    # Given a failure, and its user at a terminal
    ident = lab.invoke("checkout", {"sku": 7})["invocation_id"]

    with terminal(["--home", str(lab.home), "debug", ident]) as screen:
        # When they type, I expect where it stands, and answers
        opening = screen.until("(Pdb) ")
        assert "KeyError: 'price'" in opening
        assert 'return data["price"] * basket.total' in opening
        screen.send("p basket.item_list[1]\n")
        assert "{'sku': 7}" in screen.until("(Pdb) ")

        # Tab completes what is in the frame, and touches no property
        screen.send("p basket.it\t")
        screen.until("basket.item_list")
        screen.send("\n")
        screen.until("['a', {'sku': 7}]")
        screen.until("(Pdb) ")

        # Ctrl-C ends what runs; at the prompt it drops the line
        screen.send("p spin()\n")
        screen.until("spinning")
        screen.send("\x03")
        assert "KeyboardInterrupt" in screen.until("(Pdb) ")
        screen.send("nonsense")
        screen.until("nonsense")
        screen.interrupt("^C")
        screen.send("p 40 + 2\n")
        screen.until("42")

        # What the process writes cannot control the terminal
        screen.send("print(chr(27) + '[2J' + chr(7))\n")
        screen.until("\\x1b[2J\\x07")
        screen.until("(Pdb) ")

        # Ctrl-D leaves
        screen.send("\x04")
        assert screen.ended() == 0

    # And the next session has the history, kept for its user alone
    history = lab.home / "debug_history"
    assert history.stat().st_mode & 0o777 == 0o600
    with terminal(["--home", str(lab.home), "debug", ident]) as screen:
        screen.until("(Pdb) ")
        screen.send("\x1b[A")
        screen.until("print(chr(27)")
        screen.send("\x15q\n")
        assert screen.ended() == 0


def test_control_characters_are_shown_raw_where_that_is_wanted(lab: Relive) -> None:
    ident = lab.invoke("checkout", {"sku": 9})["invocation_id"]

    assert lab.run("debug", ident, "-c", "print(chr(27))").stdout == "\\x1b\n"
    assert lab.run("debug", ident, "--raw", "-c", "print(chr(27))").stdout == "\x1b\n"


def test_the_read_only_session_at_a_terminal(lab: Relive) -> None:
    ident = lab.invoke("checkout", {"sku": 8})["invocation_id"]
    lab.scene(ident)

    with terminal(["--home", str(lab.home), "debug", ident, "--scene"]) as screen:
        assert "read-only" in screen.until("(scene) ")
        screen.send("p basket.\t\t")
        screen.until("item_list")
        screen.send("total\n")
        screen.until("3")
        screen.until("(scene) ")
        screen.send("q\n")
        assert screen.ended() == 0


def test_it_works_from_another_machine(lab: Relive) -> None:
    with relive_home() as home:
        home.environment = {"RELIVE_TOKEN": "a-long-enough-token"}
        address = f"127.0.0.1:{free_port()}"
        with home.serving("--api", address):
            home.run("deploy", str(home.application(FILES)))
            ident = home.invoke("checkout", {"sku": 9})["invocation_id"]
            away = Relive(home.home.parent / "elsewhere", home.environment)

            assert away.run("--server", address, "debug", "-c", "p data").stdout == "{'sku': 9}\n"
            assert away.json("--server", address, "debug", "--list")[0]["invocation_id"] == ident
            stranger = Relive(away.home, {"RELIVE_TOKEN": "not-the-right-token"})
            refused = stranger.run("--server", address, "debug", ident, check=False)
            assert refused.returncode == 4
            assert "token" in refused.stderr

            # And when the server stops, whoever debugs is told
            with terminal(["--home", str(home.home), "debug", ident]) as screen:
                screen.until("(Pdb) ")
                screen.send("p 1\n")
                screen.until("(Pdb) ")
                home.run("stop")
                screen.send("\n")
                screen.until("the session has ended: the server stops")
                assert screen.ended() == 1
