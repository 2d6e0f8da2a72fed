'use strict';

const assert = require('node:assert');
const test = require('node:test');
const { findCommand, notFound } = require('../command.js');

const on = (...files) => ({ windows: false, exists: (file) => files.includes(file) });

test('the PATH goes before the environment of the folder', () => {
  const both = on('/usr/bin/relive', '/work/.venv/bin/relive');
  assert.equal(findCommand('', ['/work'], '/bin:/usr/bin', both), '/usr/bin/relive');
  assert.equal(findCommand('relive', ['/work'], '/bin', both), '/work/.venv/bin/relive');
});

test('what the settings name is what is run, or nothing', () => {
  const there = on('/opt/relive', '/work/.venv/bin/relive');
  assert.equal(findCommand('/opt/relive', ['/work'], '', there), '/opt/relive');
  assert.equal(findCommand('/gone/relive', ['/work'], '', there), null);
  assert.equal(findCommand('other', ['/work'], '/bin', there), null);
});

test('a relative place on the PATH is none: a folder that is opened would be searched', () => {
  assert.equal(findCommand('relive', [], '.:bin', on('bin/relive', 'relive')), null);
});

test('what is said names the setting', () => {
  assert.match(notFound('/gone/relive'), /no program \/gone\/relive.*relive\.command/);
  assert.match(notFound(''), /relive was not found.*relive\.command/);
});
