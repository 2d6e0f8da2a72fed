"""print, logging, stderr and what else writes, from a real process over a real socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]


def test_print_is_a_line_with_the_current_span(run_worker: Run) -> None:
    recorded = run_worker("""
        from opentelemetry import trace
        telemetry.begin(invoke(5))
        print("before")
        with trace.get_tracer("t").start_as_current_span("inner"):
            print("inside", 1, 2, sep="-")
        sys.stderr.write("to stderr\\n")
        tell(telemetry.end())
    """)
    inner = recorded.span("inner")
    found = [(i, x.body, x.severity, x.source, x.trace_id, x.span_id) for i, x in recorded.lines]
    trace_id, invoke_span = f"{5:032x}", f"{5:016x}"
    assert found == [
        ("invocation-5", "before", "INFO", "stdout", trace_id, invoke_span),
        ("invocation-5", "inside-1-2", "INFO", "stdout", trace_id, inner.span_id),
        ("invocation-5", "to stderr", "WARN", "stderr", trace_id, invoke_span),
    ]
    # and nothing of it on the process's own stdout
    assert recorded.console.splitlines() == ["TelemetryCounts(spans=1, logs=3, dropped=0)"]


def test_lines_before_the_first_invocation_have_no_invocation(run_worker: Run) -> None:
    recorded = run_worker("""
        print("importing")
        telemetry.begin(invoke()); print("running"); telemetry.end()
        print("idle")
    """)
    assert [(i, x.body) for i, x in recorded.lines] == [
        ("", "importing"), ("invocation-1", "running"), ("invocation-1", "idle"),
    ]  # fmt: skip


def test_partial_long_and_odd_lines(run_worker: Run) -> None:
    recorded = run_worker(
        """
        telemetry.begin(invoke())
        print("a", end=""); print("b", end="", flush=True); print("c")
        print("windows\\r\\nlines\\r")
        print("x" * 250)
        print()
        print("lone surrogate \\udcff and umlaut \\xfc")
        sys.stdout.writelines(["one\\n", "two\\n"])
        sys.stdout.buffer.write("bytes \\xfc".encode()[:-1])
        sys.stdout.buffer.write("\\xfc".encode()[-1:] + b" \\xff\\n")
        print("never finished", end="")
        tell(telemetry.end())
        """,
        line_chars=100,
    )
    assert recorded.bodies == [
        "abc", "windows", "lines", "x" * 100, "x" * 100, "x" * 50, "",
        "lone surrogate \\udcff and umlaut ü", "one", "two", "bytes ü \\xff", "never finished",
    ]  # fmt: skip
    stamps = [x.timestamp_ns for _, x in recorded.lines]
    assert stamps == sorted(set(stamps))


def test_the_streams_behave_as_text_streams(run_worker: Run) -> None:
    recorded = run_worker("""
        import io
        telemetry.begin(invoke())
        tell([sys.stdout.isatty(), sys.stdout.fileno(), sys.stderr.fileno(), sys.stdout.encoding,
              sys.stdout.errors, sys.stdout.writable(), sys.stdout.readable(), sys.stdout.closed,
              isinstance(sys.stdout, io.TextIOBase), sys.stdout.write("four")])
        sys.stdout.close()
        sys.stdout.reconfigure(line_buffering=True)
        try:
            sys.stdout.write(b"bytes")
        except TypeError as error:
            print(error)
        subprocess.run([sys.executable, "-c", "print('from a subprocess')"], stdout=sys.stdout, check=True)
        telemetry.end()
    """)
    console = recorded.console.splitlines()
    assert console[0] == "[False, 1, 2, 'utf-8', 'backslashreplace', True, False, False, True, 4]"
    assert console[1] == "from a subprocess"
    assert recorded.bodies == ["fourwrite() argument must be str, not bytes"]


def test_threads_never_mix_their_lines(run_worker: Run) -> None:
    recorded = run_worker("""
        telemetry.begin(invoke())
        def talk(who):
            for i in range(300):
                print(who, end=""); print(i, end=""); print(who)
        threads = [threading.Thread(target=talk, args=(x,)) for x in "abcd"]
        [t.start() for t in threads]; [t.join() for t in threads]
        tell(telemetry.end())
    """)
    assert sorted(recorded.bodies) == sorted(f"{x}{i}{x}" for x in "abcd" for i in range(300))
    assert "logs=1200, dropped=0" in recorded.console


def test_a_flood_is_bounded_and_counted(run_worker: Run) -> None:
    recorded = run_worker(
        """
        for number in (1, 2):
            telemetry.begin(invoke(number))
            for i in range(1000):
                print("x" * 99)
            tell(telemetry.end())
        """,
        output_limit=10_000,
    )
    for number in (1, 2):
        bodies = [x.body for i, x in recorded.lines if i == f"invocation-{number}"]
        assert bodies[:-1] == ["x" * 99] * 100
        assert bodies[-1] == "900 lines dropped: the output limit of this invocation was reached"
    assert recorded.console.splitlines() == ["TelemetryCounts(spans=0, logs=100, dropped=900)"] * 2


def test_the_last_lines_of_a_failure_are_there_in_spite_of_the_limit(run_worker: Run) -> None:
    # Given a function that floods its output, and fails after it has said why
    recorded = run_worker(
        """
        telemetry.begin(invoke())
        for i in range(1000):
            print("x" * 99)
        logging.error("no stock of %s", "A1")
        telemetry.failed = True
        tell(telemetry.end())
        telemetry.begin(invoke(2))
        print("next")
        tell(telemetry.end())
        """,
        output_limit=10_000,
    )
    # Then its last lines are told after what was dropped, in their order, and counted as told
    bodies = [x.body for i, x in recorded.lines if i == "invocation-1"]
    assert (
        bodies[100]
        == "881 lines dropped: the output limit of this invocation was reached; the last 20 follow"
    )
    assert bodies[101:] == ["x" * 99] * 19 + ["no stock of A1"]
    times = [x.timestamp_ns for i, x in recorded.lines if i == "invocation-1"]
    assert times == sorted(times)
    assert [x.body for i, x in recorded.lines if i == "invocation-2"] == ["next"]
    assert "logs=120, dropped=881" in recorded.console


def test_logging_works_without_any_setup(run_worker: Run) -> None:
    recorded = run_worker("""
        telemetry.begin(invoke())
        log = logging.getLogger("shop.cart")
        log.debug("not shown"); log.info("cart %s of %d", "A", 3, extra={"order": 7, "object": object()})
        log.warning("careful"); log.critical("the end")
        try:
            {}["sku"]
        except KeyError:
            log.exception("price failed")
        tell(telemetry.end())
    """)
    lines = [x for _, x in recorded.lines]
    assert [(x.severity, x.body) for x in lines] == [
        ("INFO", "cart A of 3"), ("WARN", "careful"), ("FATAL", "the end"), ("ERROR", "price failed"),
    ]  # fmt: skip
    assert {x.source for x in lines} == {"logging"}
    assert lines[0].attributes["logger.name"] == "shop.cart"
    assert lines[0].attributes["order"] == 7
    assert "object" not in lines[0].attributes
    failed = lines[-1].attributes
    assert (failed["exception.type"], failed["exception.message"]) == ("KeyError", "'sku'")
    assert failed["exception.stacktrace"].endswith("KeyError: 'sku'")


def test_basic_config_works_and_nothing_is_recorded_twice(run_worker: Run) -> None:
    # Given the ways in which functions set up logging
    for setup in (
        "logging.basicConfig(level=logging.DEBUG, format='%(levelname)s %(message)s')",
        "logging.basicConfig(level=logging.DEBUG, force=True)",
        "logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)",
        "logging.root.setLevel(logging.DEBUG); logging.root.addHandler(logging.StreamHandler())",
        "log.setLevel(logging.DEBUG); log.addHandler(logging.StreamHandler(sys.stdout))",
        "log.setLevel(10); log.propagate = False; log.addHandler(logging.StreamHandler(sys.stdout))",
        "import logging.config; logging.config.dictConfig({'version': 1, 'disable_existing_loggers': False,"
        " 'handlers': {'h': {'class': 'logging.StreamHandler'}}, 'root': {'level': 10, 'handlers': ['h']}})",
    ):
        recorded = run_worker(f"""
            log = logging.getLogger("shop")
            {setup}
            telemetry.begin(invoke())
            for i in range(3):
                log.debug("number %d", i)
            print("plain")
            tell(telemetry.end())
        """)
        # I expect each record once, with its level
        found = [
            (x.severity, x.source, x.body.removeprefix("DEBUG ").removeprefix("DEBUG:shop:"))
            for _, x in recorded.lines
        ]
        assert found == [
            ("DEBUG", "logging", "number 0"), ("DEBUG", "logging", "number 1"),
            ("DEBUG", "logging", "number 2"), ("INFO", "stdout", "plain"),
        ], setup  # fmt: skip


def test_hostile_arguments_cost_a_line_never_the_invocation(run_worker: Run) -> None:
    recorded = run_worker("""
        class Hostile:
            def __str__(self): raise RuntimeError("no")
            __repr__ = __str__
        class Bad(Exception):
            def __str__(self): raise RuntimeError("no")
        telemetry.begin(invoke())
        logging.info("value %s", Hostile())
        logging.info("too %s %s", "few")
        logging.info(Hostile())
        try:
            raise Bad
        except Bad:
            logging.exception("bad")
        logging.info("after")
        tell(telemetry.end())
    """)
    assert recorded.returncode == 0
    assert recorded.bodies == ["value %s", "too %s %s", "<Hostile>", "bad", "after"]
    assert recorded.lines[0][1].attributes["log.format_error"] == "RuntimeError"
    assert recorded.lines[3][1].attributes["exception.message"] == "<__str__ raised RuntimeError>"


def test_a_reader_that_is_gone_never_fails_the_handler(run_worker: Run) -> None:
    # Given a socket whose other end is closed
    recorded = run_worker("""
        left, right = socket.socketpair()
        gone = Telemetry(FrameSink(left).send, SPEC)
        gone.install()
        right.close()
        from opentelemetry import trace
        gone.begin(invoke())
        print("into the void"); logging.warning("too")
        trace.get_tracer("t").start_span("lost").end()
        tell(gone.end())
    """)
    # I expect the losses to be counted
    assert recorded.returncode == 0, recorded.errors
    assert "spans=0, logs=0, dropped=3" in recorded.console


def test_a_signal_handler_may_print_while_a_line_is_written(run_worker: Run) -> None:
    recorded = run_worker("""
        telemetry.begin(invoke())
        signal.signal(signal.SIGALRM, lambda *_: print("tick"))
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        for i in range(3000):
            print(i)
        signal.setitimer(signal.ITIMER_REAL, 0)
        tell(telemetry.end())
    """)
    numbers = [body for body in recorded.bodies if body != "tick"]
    assert recorded.returncode == 0
    assert "".join(numbers).replace("tick", "") == "".join(map(str, range(3000)))


def test_an_alarm_that_raises_while_a_line_is_recorded_reaches_the_code(run_worker: Run) -> None:
    # Given code that stops itself by an alarm, and does nothing but print, log and make spans
    recorded = run_worker(
        """
        from opentelemetry import trace
        class Alarm(Exception): pass
        def rings(*_): raise Alarm
        signal.signal(signal.SIGALRM, rings)
        telemetry.begin(invoke())
        tracer = trace.get_tracer("t")
        reached = 0
        for round in range(60):
            end = time.monotonic() + 60.0  # then it was lost
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.002)
                while time.monotonic() < end:
                    print("working")
                    logging.info("working")
                    tracer.start_span("work").end()
            except Alarm:
                reached += 1
            if time.monotonic() > end:
                break
        tell(reached)
    """,
        output_limit=10_000,
    )

    # I expect each alarm to be heard
    assert recorded.console.splitlines()[-1] == "60", recorded.errors


def test_lines_sort_by_time_in_the_order_of_writing(run_worker: Run) -> None:
    # Given a clock that stands still, and an output limit that keeps only the tail after ten lines
    recorded = run_worker(
        """
        logging.raiseExceptions = False
        time.time_ns, time.time = (lambda now=time.time_ns(): now), (lambda now=time.time(): now)
        telemetry.begin(invoke())
        print("z\\ny\\nx"); print("w"); print("v\\nu")
        logging.getLogger("shop").warning("t")
        sys.stderr.write("s\\n"); print("r"); print("q"); print("p\\no"); print("n")
        telemetry.failed = True
        telemetry.end()
        """,
        output_limit=20,
    )
    # When they are sorted by time, I expect the order of writing, and each time once
    by_time = sorted(recorded.lines, key=lambda pair: pair[1].timestamp_ns)
    assert [line.body[0] for _, line in by_time] == [*"zyxwvutsrq", "0", *"pon"], recorded.errors
    assert len({line.timestamp_ns for _, line in by_time}) == len(by_time)
