-- Settings of the embedded engine alone, applied after migrations: it shares the machine with the functions. Forty parts
-- are as quick to read as one, as measured; a burst of half a minute ends before its parts are merged, and wider merges
-- write a row less often.

ALTER TABLE otel_traces MODIFY SETTING merge_selector_base = 10, min_parts_to_merge_at_once = 30;
ALTER TABLE otel_traces_trace_id_ts MODIFY SETTING merge_selector_base = 10, min_parts_to_merge_at_once = 30;
ALTER TABLE otel_traces_red_1m MODIFY SETTING merge_selector_base = 10, min_parts_to_merge_at_once = 30;
ALTER TABLE otel_logs MODIFY SETTING merge_selector_base = 10, min_parts_to_merge_at_once = 30;
ALTER TABLE invocations MODIFY SETTING merge_selector_base = 10, min_parts_to_merge_at_once = 30;
ALTER TABLE invocations_1m MODIFY SETTING merge_selector_base = 10, min_parts_to_merge_at_once = 30;
ALTER TABLE profiles MODIFY SETTING merge_selector_base = 10, min_parts_to_merge_at_once = 30;
ALTER TABLE otel_metrics_gauge MODIFY SETTING merge_selector_base = 10, min_parts_to_merge_at_once = 30;
ALTER TABLE otel_metrics_sum MODIFY SETTING merge_selector_base = 10, min_parts_to_merge_at_once = 30;
ALTER TABLE otel_metrics_histogram MODIFY SETTING merge_selector_base = 10, min_parts_to_merge_at_once = 30;
ALTER TABLE otel_metrics_exponential_histogram MODIFY SETTING merge_selector_base = 10, min_parts_to_merge_at_once = 30;
ALTER TABLE otel_metrics_summary MODIFY SETTING merge_selector_base = 10, min_parts_to_merge_at_once = 30;
