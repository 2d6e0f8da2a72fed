// Which `relive` is run: the one that the settings name, else that of the PATH, else that of the folder's environment.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const ENVIRONMENTS = ['.venv', 'venv', 'env'];

function isProgram(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/** The program's path, or null: there is none. `named` is what the settings say, `folders` are those that are open. */
function findCommand(named, folders, searchPath, { windows = process.platform === 'win32', exists = isProgram } = {}) {
  const name = named || 'relive';
  const endings = windows ? ['.exe', '.cmd', ''] : [''];
  if (/[\\/]/.test(name)) return exists(name) ? name : null;
  const places = (searchPath || '').split(windows ? ';' : ':').filter((place) => path.isAbsolute(place));
  const own = named && named !== 'relive' ? [] : folders;
  for (const folder of own) {
    for (const environment of ENVIRONMENTS) places.push(path.join(folder, environment, windows ? 'Scripts' : 'bin'));
  }
  for (const place of places) {
    for (const ending of endings) {
      const file = path.join(place, name + ending);
      if (exists(file)) return file;
    }
  }
  return null;
}

/** What is said where there is none. */
function notFound(named) {
  return /[\\/]/.test(named || '')
    ? `Relive: there is no program ${named}. The setting relive.command names it.`
    : `Relive: ${named || 'relive'} was not found on the PATH or in the folder's .venv. Install it (pip install relive), or name its path in the setting relive.command.`;
}

module.exports = { findCommand, notFound };
