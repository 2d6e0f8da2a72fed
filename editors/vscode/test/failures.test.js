'use strict';

const assert = require('node:assert');
const test = require('node:test');
const { adapterArguments, parseFailures, shownFailure } = require('../failures.js');

const ROW = {
  invocation_id: '01a22c34-eed2-7d0b-ab67-9e59ba53af02', function: 'checkout', version: 3, kind: 'exception',
  error_type: 'KeyError', message: "'country'", where: 'cart.py:33', captured_at: 1_000_000_000_000_000_000,
};

test('rows are read, and what is none is left out', () => {
  const output = `${JSON.stringify(ROW)}\nno JSON\n[]\nnull\n{"a": 1}\n`;
  assert.deepStrictEqual(parseFailures(output), [ROW]);
});

test('a failure is one line, whatever its message is', () => {
  const shown = shownFailure({ ...ROW, message: 'a\nb\u001b[2J\u202e' + 'x'.repeat(999) }, 1_000_000_120_000);
  assert.strictEqual(shown.id, ROW.invocation_id);
  assert.ok(shown.label.startsWith('KeyError: a b [2J xxx') && shown.label.length < 220, shown.label);
  assert.strictEqual(shown.description, 'checkout · cart.py:33 · 2 min');
});

test('the adapter gets what the configuration says, and no option by way of an id', () => {
  assert.deepStrictEqual(adapterArguments('', {}), ['dap', '--', 'last']);
  assert.deepStrictEqual(
    adapterArguments('/h', { failure: '--trust', localRoot: '/w', code: '/c' }),
    ['--home', '/h', 'dap', '--code', '/c', '--local', '/w', '--', '--trust'],
  );
});
