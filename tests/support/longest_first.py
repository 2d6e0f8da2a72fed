"""The files of tests that take longest, in that order: begun last, one of them would run alone at the end."""

from __future__ import annotations

__all__ = ["LONGEST_FIRST"]

LONGEST_FIRST = (
    "acceptance/test_secrets.py",
    "acceptance/test_to_test.py",
    "acceptance/test_export.py",
    "acceptance/test_servers.py",
    "acceptance/test_days_work.py",
    "acceptance/test_kills.py",
    "acceptance/test_readme.py",
    "acceptance/test_hostile_functions.py",
    "acceptance/test_main_job.py",
    "unit/heap/test_walkers.py",
    "integration/server/test_recording.py",
    "acceptance/test_failing_functions.py",
    "acceptance/test_replay.py",
    "integration/tui/test_over_a_real_store.py",
    "integration/store/test_both_engines.py",
    "acceptance/test_bad_applications.py",
    "acceptance/test_failure_corpus.py",
    "integration/store/test_process.py",
    "acceptance/test_versions_and_profiles.py",
    "acceptance/test_listings.py",
    "acceptance/test_events.py",
    "acceptance/test_debug.py",
    "acceptance/test_heap.py",
    "acceptance/test_heap_of_a_failure.py",
    "integration/pool/test_failures.py",
    "integration/store/test_writer.py",
    "acceptance/test_names.py",
    "integration/collector/test_otlp.py",
    "integration/heap/test_other_tools.py",
    "integration/tui/test_keys_and_states.py",
    "acceptance/test_bad_requests.py",
    "integration/server/test_telemetry.py",
    "integration/gateway/test_streaming.py",
    "integration/pool/test_debugging.py",
    "integration/server/test_life.py",
)
