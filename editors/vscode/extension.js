// The list of failures, and the way from one of them to the debug adapter (`relive dap`).
'use strict';

const { execFile } = require('node:child_process');
const vscode = require('vscode');
const { adapterArguments, homeArguments, parseFailures, shownFailure } = require('./failures.js');

const OUTPUT_BYTES = 16 * 1024 * 1024;
const LIST_MS = 30_000;

function settings() {
  const found = vscode.workspace.getConfiguration('relive');
  return { command: found.get('command') || 'relive', home: found.get('home') || '', limit: found.get('limit') || 50 };
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

  _list() {
    const { command, home, limit } = settings();
    const given = [...homeArguments(home), 'failures', '--json', '--limit', String(limit)];
    return new Promise((resolve) => {
      execFile(command, given, { maxBuffer: OUTPUT_BYTES, timeout: LIST_MS }, (error, output, problem) => {
        if (error) {
          vscode.window.showErrorMessage(`relive failures: ${(problem || error.message).trim().slice(0, 500)}`);
          resolve([]);
        } else {
          resolve(parseFailures(output).map((row) => shownFailure(row, Date.now())));
        }
      });
    });
  }
}

function start(request, name, failure) {
  const folder = vscode.workspace.workspaceFolders?.[0];
  const localRoot = folder?.uri.fsPath;
  return vscode.debug.startDebugging(folder, { type: 'relive', request, name, failure, localRoot });
}

async function openScene() {
  const [file] = (await vscode.window.showOpenDialog({ filters: { 'Scenes of Relive': ['scene'] } })) ?? [];
  if (file) await start('attach', file.path.split('/').pop(), file.fsPath);
}

function activate(context) {
  const failures = new Failures();
  context.subscriptions.push(
    vscode.window.registerTreeDataProvider('relive.failures', failures),
    vscode.commands.registerCommand('relive.refresh', () => failures.refresh()),
    vscode.commands.registerCommand('relive.attach', (shown) => start('attach', shown.label, shown.id)),
    vscode.commands.registerCommand('relive.travel', (shown) => start('launch', shown.label, shown.id)),
    vscode.commands.registerCommand('relive.openScene', openScene),
    vscode.debug.registerDebugConfigurationProvider('relive', {
      resolveDebugConfiguration(folder, configuration) {
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
