// What `relive failures --json` says, and what the adapter is started with. No editor is needed for it.
'use strict';

const LINE_CHARS = 200;

/** One line without control characters, which a message of a failure may have. */
function oneLine(text) {
  const line = String(text ?? '').replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]+/g, ' ').trim();
  return line.length > LINE_CHARS ? line.slice(0, LINE_CHARS - 1) + '…' : line;
}

/** The rows of `relive failures --json`; what is none is left out. */
function parseFailures(output) {
  const rows = [];
  for (const line of String(output).split('\n')) {
    let row;
    try {
      row = JSON.parse(line);
    } catch {
      continue;
    }
    if (row && typeof row === 'object' && typeof row.invocation_id === 'string') rows.push(row);
  }
  return rows;
}

/** How a row is shown. */
function shownFailure(row, nowMs) {
  const message = oneLine(row.message);
  const error = oneLine(row.error_type) + (message ? `: ${message}` : '');
  return {
    id: row.invocation_id,
    label: error || oneLine(row.kind) || 'failed',
    description: [oneLine(row.function), oneLine(row.where), ago(row.captured_at, nowMs)].filter(Boolean).join(' · '),
    tooltip: [error, `${oneLine(row.function)} v${row.version}`, `invocation ${oneLine(row.invocation_id)}`].join('\n'),
  };
}

function ago(capturedNs, nowMs) {
  if (typeof capturedNs !== 'number') return '';
  const seconds = Math.max((nowMs - capturedNs / 1e6) / 1000, 0);
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
}

/** Arguments before the command's own: which home. */
function homeArguments(home) {
  return home ? ['--home', home] : [];
}

/** Arguments of the adapter for a configuration. An id that looks like an option is none. */
function adapterArguments(home, configuration) {
  const found = [...homeArguments(home), 'dap'];
  if (configuration.code) found.push('--code', String(configuration.code));
  if (configuration.localRoot) found.push('--local', String(configuration.localRoot));
  return [...found, '--', String(configuration.failure || 'last')];
}

module.exports = { adapterArguments, homeArguments, oneLine, parseFailures, shownFailure };
