// The list of failures, and the way from one of them to the debug adapter (`relive dap`).
'use strict';

const { execFile } = require('node:child_process');
const vscode = require('vscode');
const { findCommand, notFound } = require('./command.js');
const { adapterArguments, homeArguments, oneLine, parseFailures, shownFailure } = require('./failures.js');

const OUTPUT_BYTES = 16 * 1024 * 1024;
const LIST_MS = 30_000;

function settings() {
  const found = vscode.workspace.getConfiguration('relive');
  const named = found.get('command') || '';
  const folders = (vscode.workspace.workspaceFolders ?? []).map((folder) => folder.uri.fsPath);
  const command = findCommand(named, folders, process.env.PATH);
  return { named, command, home: found.get('home') || '', limit: found.get('limit') || 50 };
}

/** Whether there is a command to run; if not it is said, with the way to the setting. */
function isThere({ named, command }) {
  if (command) return true;
  vscode.window.showErrorMessage(notFound(named), 'Open Settings').then((chosen) => {
    if (chosen) vscode.commands.executeCommand('workbench.action.openSettings', 'relive.command');
  });
  return false;
}

class Failures {
  constructor() {
    this._changed = new vscode.EventEmitter();
    this.onDidChangeTreeData = this._changed.event;
  }

  refresh() {
    this._changed.fire(undefined);
  }

  getTreeItem(shown) {
    const item = new vscode.TreeItem(shown.label);
    item.id = shown.id;
    item.description = shown.description;
    item.tooltip = shown.tooltip;
    item.iconPath = new vscode.ThemeIcon('error');
    item.command = { command: 'relive.attach', title: 'Look Into It', arguments: [shown] };
    return item;
  }

  getChildren(shown) {
    return shown ? [] : this._list();
  }

  async _list() {
    const found = settings();
    tell('asking');
    if (!isThere(found)) {
      tell('failed');
      return [];
    }
    const given = [...homeArguments(found.home), 'failures', '--json', '--limit', String(found.limit)];
    return new Promise((resolve) => {
      execFile(found.command, given, { maxBuffer: OUTPUT_BYTES, timeout: LIST_MS }, (error, output, problem) => {
        if (error) {
          vscode.window.showErrorMessage(`relive failures: ${oneLine(problem || error.message)}`);
          tell('failed');
          resolve([]);
        } else {
          const rows = parseFailures(output);
          tell(rows.length ? 'some' : 'none');
          resolve(rows.map((row) => shownFailure(row, Date.now())));
        }
      });
    });
  }
}

/** Which text stands in an empty list. */
function tell(state) {
  vscode.commands.executeCommand('setContext', 'relive.state', state);
}

async function start(request, name, failure) {
  const folder = vscode.workspace.workspaceFolders?.[0];
  const localRoot = folder?.uri.fsPath;
  const started = await vscode.debug.startDebugging(folder, { type: 'relive', request, name, failure, localRoot });
  if (started) await vscode.commands.executeCommand('workbench.view.debug'); // where the variables and the stack are
}

async function openScene() {
  const [file] = (await vscode.window.showOpenDialog({ filters: { 'Scenes of Relive': ['scene'] } })) ?? [];
  if (file) await start('attach', file.path.split('/').pop(), file.fsPath);
}

function activate(context) {
  const failures = new Failures();
  context.subscriptions.push(
    vscode.window.registerTreeDataProvider('relive.failures', failures),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration('relive')) failures.refresh();
    }),
    vscode.commands.registerCommand('relive.refresh', () => failures.refresh()),
    vscode.commands.registerCommand('relive.attach', (shown) => start('attach', shown.label, shown.id)),
    vscode.commands.registerCommand('relive.travel', (shown) => start('launch', shown.label, shown.id)),
    vscode.commands.registerCommand('relive.openScene', openScene),
    vscode.debug.registerDebugConfigurationProvider('relive', {
      resolveDebugConfiguration(folder, configuration) {
        if (!isThere(settings())) return undefined; // an adapter that cannot be started ends without a word
        // Without a launch.json: what F5 starts.
        const filled = configuration.type ? configuration : { type: 'relive', request: 'launch', name: 'Relive' };
        return { failure: 'last', localRoot: folder?.uri.fsPath, ...filled };
      },
    }),
    vscode.debug.registerDebugAdapterDescriptorFactory('relive', {
      createDebugAdapterDescriptor(session) {
        const { command, home } = settings();
        return new vscode.DebugAdapterExecutable(command, adapterArguments(home, session.configuration));
      },
    }),
  );
}

module.exports = { activate };
