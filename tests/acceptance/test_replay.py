"""A failure is had again, after what it called has gone; a fix is tried on it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from relive_cli import Relive, relive_home, toml
from small_server import serving

SOURCE = """
import concurrent.futures, socket, threading
import ctypes, datetime, json, os, random, secrets, time, urllib.request, uuid

def get(path, data=None):
    with urllib.request.urlopen(os.environ["SHOP"] + path, data) as answer:
        return json.loads(answer.read())

def prices(event, context):
    get("/first?sku=" + event["sku"])
    get("/order", json.dumps({"sku": event["sku"], "count": 2}).encode())
    return total(get("/chunked"), event["count"])

def total(answer, count):
    return answer["price"] * count

def chance(event, context):
    drawn = [str(uuid.uuid4()), secrets.token_hex(8), random.random(), random.Random().random()]
    raise ValueError(f"{drawn} {datetime.datetime.now():%Y-%m-%d %H:%M} {time.time():.0f}")

def flaky(event, context):
    if time.monotonic_ns() // 1000 % 2:
        raise ValueError("an odd microsecond")
    return "even"

def asks_another(event, context):
    import relive
    return relive.invoke("doubled", {"number": 4})["missing"]

def doubled(event, context):
    return {"double": event["number"] * 2}

def refused(event, context):
    urllib.request.urlopen("http://127.0.0.1:1/nobody")

def ordered(event, context):
    raise ValueError(str({f"sku-{number}" for number in range(30)}))

def crashes(event, context):
    return ctypes.string_at(0)

def gives_up(event, context):
    with concurrent.futures.ThreadPoolExecutor() as pool:  # it waits for the call before it lets go
        future = pool.submit(get, "/slow")
        return future.result(timeout=0.2)

def gives_up_in_words(event, context):
    found = []
    thread = threading.Thread(target=lambda: found.append(get("/slow")))
    thread.start()
    thread.join(0.2)
    there = bool(found)
    thread.join()
    if not there:
        raise ValueError("the shop is slow today")

def minds_nothing(event, context):
    with socket.create_connection(os.environ["SHOP"].rpartition("/")[2].split(":"), timeout=5) as raw:
        raw.settimeout(0.1)
        try:
            raw.sendall(b"no HTTP")
            raw.recv(1)
        except TimeoutError:
            raise ValueError("no answer") from None
        except Exception:
            return "no matter"

def quiet(event, context):
    return get("/first")["missing"]
"""
FUNCTIONS = {
    name: f'handler = "app:{name}"\nenvironment = {{ SHOP = "@SHOP@" }}'
    for name in (
        "prices",
        "chance",
        "flaky",
        "asks_another",
        "doubled",
        "refused",
        "ordered",
        "crashes",
        "gives_up",
        "gives_up_in_words",
        "minds_nothing",
    )
}
LOADS = """
import app
PRICES = app.get("/chunked")

def settings(event, context):
    return PRICES["price"] + 1

def web(request):
    raise LookupError(request.method, request.headers["x-shop"], request.args["sku"], request.get_json())
"""
FUNCTIONS["settings"] = 'handler = "loads:settings"\nenvironment = { SHOP = "@SHOP@" }'
FUNCTIONS["web"] = 'handler = "loads:web"\nkind = "http"\nenvironment = { SHOP = "@SHOP@" }'
FUNCTIONS["quiet"] = 'handler = "app:quiet"\nenvironment = { SHOP = "@SHOP@" }\nrecording = false'


def application(home: Relive, shop: str, source: str = SOURCE) -> Path:
    text = toml(FUNCTIONS).replace("@SHOP@", shop)
    return home.application({"app.py": source, "loads.py": LOADS, "relive.toml": text})


class Lab:
    """A home whose functions have failed; the server on it and the one that they called are gone."""

    def __init__(self, home: Relive) -> None:
        self.home = home
        self.failed: dict[str, str] = {}
        with serving() as self.shop, home.serving():
            home.run("deploy", str(application(home, self.shop)))
            home.request(
                "/fn/web/?sku=A1", b'{"count": 3}', {"x-shop": "north", "content-type": "application/json"}
            )
            (web,) = home.eventually(lambda: home.json("failures", "web", check=False))
            self.failed["web"] = web["invocation_id"]
            for name in FUNCTIONS.keys() - {"web"}:
                row = home.invoke(name, {"sku": "A1", "count": 3})
                if row["status"] != "ok":
                    self.failed[name] = row["invocation_id"]
                    home.scene(row["invocation_id"])

    def replay(self, name: str, *flags: str) -> dict[str, object]:
        (row,) = self.home.json("replay", self.failed[name], *flags, check=False)
        return row


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with relive_home() as home:
        yield Lab(home)


def test_the_calls_of_a_failure_are_answered_from_its_scene(lab: Lab) -> None:
    again = lab.replay("prices")

    assert again["outcome"] == "same"
    assert again["error"]["type"] == "TypeError"
    assert again["error"]["line"] == again["recorded"]["line"]
    assert again["difference"] is None
    (run,) = again["runs"]
    assert run["calls"] == {"answered": 3}


def test_a_fix_is_tried_on_the_event(lab: Lab) -> None:
    fixed = "# a line more\n" + SOURCE.replace('answer["price"] * count', '(answer["price"] or 0) * count')
    folder = application(lab.home, lab.shop, fixed)

    done = lab.home.run("replay", lab.failed["prices"], "--code", str(folder), "--json", check=False)

    again = json.loads(done.stdout)
    assert done.returncode == 0
    assert again["outcome"] == "passed"
    assert again["runs"][0]["result"] == 0


def test_code_that_only_moved_fails_the_same_way(lab: Lab) -> None:
    folder = application(lab.home, lab.shop, "\n\n\n" + SOURCE)

    again = lab.replay("prices", "--code", str(folder))

    assert again["outcome"] == "same"
    assert again["error"]["line"] == again["recorded"]["line"] + 3
    assert again["difference"] is None


def test_a_call_that_was_not_recorded_is_named(lab: Lab) -> None:
    changed = SOURCE.replace("/first?sku=", "/other?sku=")
    folder = application(lab.home, lab.shop, changed)

    again = lab.replay("prices", "--code", str(folder))

    assert again["outcome"] == "unrecorded"
    assert again["error"]["type"] == "relive.NotRecorded"
    assert f"GET {lab.shop}/other?sku=A1 is not in the scene's recording" in again["error"]["message"]
    assert again["runs"][0]["calls"]["missing"] == [f"GET {lab.shop}/other?sku=A1"]
    assert f"GET {lab.shop}/first?sku=A1" in again["runs"][0]["calls"]["unused"]


def test_mended_code_that_runs_on_to_a_new_call_is_no_other_failure(lab: Lab) -> None:
    mended = '    return get("/later?total=" + str((answer["price"] or 0) * count))'
    folder = application(lab.home, lab.shop, SOURCE.replace('    return answer["price"] * count', mended))

    done = lab.home.run("replay", lab.failed["prices"], "--code", str(folder), check=False)

    assert done.returncode == 1
    assert "it came to a call that is not in the scene" in done.stdout
    assert f"not in the scene: GET {lab.shop}/later?total=0" in done.stdout
    assert "without the recorded failure; --live lets it be made" in done.stdout
    assert done.stdout.startswith("✖ past the failing line  prices")
    assert f"to answer it yourself: --answer '{lab.shop}/later?total=0=JSON'" in done.stdout


def test_mended_code_that_fails_later_is_past_the_failing_line(lab: Lab) -> None:
    # Given code that is mended, and now goes on to ask another function
    mended = SOURCE.replace('answer["price"] * count', '(answer["price"] or 0) * count').replace(
        '    return total(get("/chunked"), event["count"])',
        """    import relive
    found = total(get("/chunked"), event["count"])
    return relive.invoke("doubled", {"number": found})["double"]""",
    )
    folder = application(lab.home, lab.shop, mended)

    # I expect the replay to say that it has got past the failing line, and which call has no answer
    again = lab.replay("prices", "--code", str(folder))
    assert (again["outcome"], again["counts"]["past"]) == ("past", 1)
    assert again["runs"][0]["calls"]["missing"] == ["CALL doubled"]

    # ... and to pass once it is answered, by a file, too
    answer = lab.home.home / "answer.json"
    answer.write_text('{"double": 12}')
    again = lab.replay("prices", "--code", str(folder), "--answer", f"doubled=@{answer}")
    assert (again["outcome"], again["runs"][0]["result"]) == ("passed", 12)
    assert again["runs"][0]["calls"] == {"answered": 3, "given": ["CALL doubled"]}


def test_chance_and_the_clock_repeat(lab: Lab) -> None:
    again = lab.replay("chance", "--times", "3")

    assert again["counts"] == {"same": 3, "other": 0, "passed": 0, "unrecorded": 0}
    assert {run["error"]["message"] for run in again["runs"]} == {again["recorded"]["message"]}


def test_sets_have_the_same_order(lab: Lab) -> None:
    again = lab.replay("ordered")

    assert again["error"]["message"] == again["recorded"]["message"]


def test_a_crash_comes_again_in_the_same_line(lab: Lab) -> None:
    again = lab.replay("crashes")

    assert again["outcome"] == "same"
    assert again["difference"] is None
    assert again["error"]["line"] == again["recorded"]["line"]


def test_what_was_called_while_the_module_was_loaded_is_answered_too(lab: Lab) -> None:
    again = lab.replay("settings")

    assert again["outcome"] == "same"
    assert again["runs"][0]["calls"] == {"answered": 1}


def test_a_request_comes_again_with_its_headers_query_and_body(lab: Lab) -> None:
    again = lab.replay("web")

    assert again["outcome"] == "same"
    assert again["error"]["message"] == again["recorded"]["message"]
    assert "north" in again["error"]["message"]


def test_a_refused_connection_is_refused_again(lab: Lab) -> None:
    again = lab.replay("refused")

    assert again["outcome"] == "same"
    assert again["error"]["message"] == again["recorded"]["message"]


def test_a_call_that_was_too_slow_for_a_limit_of_the_function_is_too_slow_again(lab: Lab) -> None:
    again = lab.replay("gives_up")

    assert again["recorded"]["type"] == "TimeoutError"
    assert (again["outcome"], again["error"]["type"]) == ("same", "TimeoutError")


def test_where_no_error_tells_of_a_time_limit_the_replay_says_what_its_calls_took(lab: Lab) -> None:
    again = lab.replay("gives_up_in_words")

    assert again["outcome"] == "passed"
    (note,) = [note for note in again["notes"] if "answered at once" in note]
    took = re.match(r"calls were answered at once; at the failure they took (\d+\.\d\d) s together", note)
    assert took
    assert float(took[1]) >= 2.0


def test_a_function_that_minds_no_missing_answer_has_not_just_passed(lab: Lab) -> None:
    again = lab.replay("minds_nothing")

    assert again["outcome"] == "passed"
    assert "it passed without an answer to 1 of its calls, which it did not mind" in again["notes"]


def test_calls_between_functions_are_answered_too(lab: Lab) -> None:
    again = lab.replay("asks_another")

    assert again["outcome"] == "same"
    assert again["error"]["type"] == "KeyError"


def test_other_functions_are_not_asked_with_live_either(lab: Lab) -> None:
    # There is no server that could: it would wait until its time is up.
    again = lab.replay("asks_another", "--live")

    assert (again["outcome"], again["error"]["type"]) == ("same", "KeyError")


def test_a_function_may_keep_no_calls(lab: Lab) -> None:
    (scene,) = lab.home.json("failure", lab.failed["quiet"])
    assert scene["parts"]["cassette"] == {"state": "missing", "reason": "recording = false in relive.toml"}
    assert lab.replay("quiet")["error"]["type"] == "relive.NotRecorded"


def test_a_debugger_looks_at_the_failure_where_it_happens_again(lab: Lab) -> None:
    done = lab.home.run(
        "replay", lab.failed["prices"], "--pdb", stdin="p answer, count\nu\np event\nq\n", check=False
    )

    assert "({'price': None, 'currency': 'EUR'}, 3)" in done.stdout
    assert "{'sku': 'A1', 'count': 3}" in done.stdout
    assert "the same failure" in done.stdout


def test_a_failure_is_gone_back_from(lab: Lab) -> None:
    # When somebody asks why, and goes back to the caller
    flags = ("--travel", "-c", "why", "-c", "rs", "-c", "p answer, count", "-c", "rr", "-c", "p event")
    done = lab.home.run("replay", lab.failed["prices"], *flags, check=False)

    # I expect the line that read the bad value, and the values of the moments before
    assert "this replay is the same failure: 2 of 2 locals" in done.stdout
    assert "answer['price'] = None" in done.stdout
    assert "({'price': None, 'currency': 'EUR'}, 3)" in done.stdout
    assert "{'sku': 'A1', 'count': 3}" in done.stdout


def test_why_ends_with_another_status_if_it_has_no_answer(lab: Lab) -> None:
    # When it is asked, and asked what is no expression, or has no value
    answered = lab.home.run("why", lab.failed["prices"], check=False)
    refused = lab.home.run("why", lab.failed["prices"], "answer[", check=False)
    unknown = lab.home.run("why", lab.failed["prices"], "nosuch", check=False)

    # I expect 0 for an answer, and 4 for the reason that there is none
    assert "answer['price'] = None" in answered.stdout
    assert "*** 'answer[' is no expression" in refused.stdout
    assert "*** nosuch has no value there" in unknown.stdout
    assert (answered.returncode, refused.returncode, unknown.returncode) == (0, 4, 4)


def test_a_read_only_session_goes_back_in_a_replay(lab: Lab) -> None:
    # When somebody looks at a scene, and wants to know where a value came from
    flags = (
        "--scene",
        "-c",
        "p count",
        "-c",
        "rs",
        "-c",
        "travel",
        "-c",
        "why",
        "-c",
        "rs",
        "-c",
        "p count + 1",
    )
    done = lab.home.run("debug", lab.failed["prices"], *flags, check=False)

    # I expect to be told how, and the rest of the commands to be answered by a replay
    assert done.stdout.startswith("3\n")
    assert "travel: back from here, in a replay of the failure" in done.stdout
    _, _, after = done.stdout.partition("this replay is the same failure: 2 of 2 locals")
    assert "answer['price'] = None" in after
    assert after.count("\n4\n") == 1


def test_a_run_that_ends_its_process_says_that_nothing_is_left_to_go_back_from(lab: Lab) -> None:
    done = lab.home.run("replay", lab.failed["crashes"], "--travel", "-c", "rs", check=False)

    assert "the same failure" in done.stdout
    assert "no debugger" in done.stdout


def test_what_cannot_be_replayed_says_why_and_what_helps(lab: Lab) -> None:
    # Given a scene in another home, which has none of its code
    scene = lab.home.home / "scenes" / f"{lab.failed['chance']}-1.scene"
    with relive_home() as other:
        # I expect its own sources to be run only where I trust whoever made it
        done = other.run("replay", str(scene), check=False)
        assert done.returncode == 4
        assert "--code PATH; or run them with --trust" in done.stderr
        (again,) = other.json("replay", str(scene), "--trust", check=False)
        assert again["code"] == "the sources in the archive"
        assert again["outcome"] == "same"

        # ... a damaged one not to look like a failure
        damaged = other.home / "damaged.scene"
        damaged.write_bytes(scene.read_bytes()[:5_000])
        assert other.run("replay", str(damaged), check=False).returncode == 4

        # ... and somebody else's code to be refused with a way out
        done = other.run("replay", str(scene), "--code", "/nowhere", check=False)
        assert done.returncode == 2


def test_what_a_replay_found_is_kept_beside_the_scene(lab: Lab) -> None:
    lab.replay("refused")

    notes = (lab.home.home / "scenes" / f"{lab.failed['refused']}-1.replays.jsonl").read_text().splitlines()
    assert json.loads(notes[-1])["outcome"] == "same"


def test_people_read_what_came_of_it(lab: Lab) -> None:
    done = lab.home.run("replay", lab.failed["prices"], check=False)

    assert done.returncode == 1
    assert done.stdout.startswith("✖ the same failure  prices on prices version 1")
    assert "calls: 3 answered from the scene" in done.stdout
