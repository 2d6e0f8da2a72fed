// AWS Lambda's way of calling handlers, for Node.js 18 and newer: speaks the Runtime API (2018-06-01).
//
// A handler is what `_HANDLER` names ("index.handler", "src/app.handler"), in a module that is CommonJS or ESM:
// async, with a callback, or wrapped by awslambda.streamifyResponse. Nothing but Node's own modules is needed.

import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import nodeModule, { createRequire } from 'node:module';
import { AsyncLocalStorage } from 'node:async_hooks';
import { PassThrough, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { format, inspect } from 'node:util';

const API = process.env.AWS_LAMBDA_RUNTIME_API;
const BASE = '/2018-06-01/runtime';
const ROOT = process.env.LAMBDA_TASK_ROOT || process.cwd();
const ENDINGS = ['.js', '.mjs', '.cjs'];
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const WATERMARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
const PRELUDE_TYPE = 'application/vnd.awslambda.http-integration-response';
const MAX_CAUSES = 10;
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
const running = new AsyncLocalStorage();
let current; // the invocation that runs
let leave = process.exit.bind(process);

process.env.AWS_EXECUTION_ENV ??= `AWS_Lambda_nodejs${process.versions.node.split('.')[0]}.x`;

// ------------------------------------------------------------ the log

const LEVELS = { trace: 1, debug: 2, info: 3, warn: 4, error: 5, fatal: 6 };
const logFd = Number(process.env._LAMBDA_TELEMETRY_LOG_FD || -1);
delete process.env._LAMBDA_TELEMETRY_LOG_FD;

function writeAll(fd, data) {
  for (let at = 0; at < data.length; ) {
    try {
      at += fs.writeSync(fd, data, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') return; // nobody listens any more
    }
  }
}

// A record: type with level, length, microseconds, text.
function writeRecord(level, text) {
  if (logFd < 0) {
    process.stdout.write(`${text}\n`);
    return;
  }
  const body = Buffer.from(text);
  const record = Buffer.alloc(16 + body.length);
  record.writeUInt32BE((0xa55a0003 | (level << 2)) >>> 0, 0);
  record.writeUInt32BE(body.length, 4);
  record.writeBigUInt64BE(BigInt(Date.now()) * 1000n, 8);
  body.copy(record, 16);
  writeAll(logFd, record);
}

function errorsAsStacks(args) {
  return args.map((one) => (one instanceof Error && !one.stack ? String(one) : one));
}

for (const [name, level] of [['trace', 1], ['debug', 2], ['log', 3], ['info', 3], ['warn', 4], ['error', 5]]) {
  console[name] = (...args) => writeRecord(level, format(...errorsAsStacks(args)));
}
console.fatal = (...args) => writeRecord(LEVELS.fatal, format(...errorsAsStacks(args)));

// ------------------------------------------------------------ the API

function request(method, where, headers = {}, body = undefined) {
  return new Promise((resolve, reject) => {
    const [hostname, port] = API.split(':');
    const sent = http.request({ agent, hostname, port, method, path: BASE + where, headers }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    if (body !== undefined) {
      sent.setHeader('Content-Length', Buffer.byteLength(body));
      sent.end(body);
    } else {
      sent.end();
    }
  });
}

async function next() {
  const found = await request('GET', '/invocation/next');
  if (found.status !== 200) throw new Error(`the Runtime API answered ${found.status}: ${found.body}`);
  return found;
}

// ------------------------------------------------------------ errors

function typeOf(error) {
  const name = error?.name && error.name !== 'Error' ? error.name : error?.constructor?.name;
  return String(name || error?.name || 'Error');
}

// Down to the frame that called the handler: what is below it is this file's.
function ownTrace(stack) {
  const lines = String(stack ?? '').split('\n');
  const end = lines.findIndex((line) => line.includes(import.meta.url));
  return end < 0 ? lines : lines.slice(0, end);
}

function toPayload(error, depth = 0) {
  if (!(error instanceof Error) && !(typeof error === 'object' && error !== null && error.stack)) {
    return { errorType: error === null ? 'null' : typeof error, errorMessage: typeof error === 'string' ? error : inspect(error), trace: [] };
  }
  const payload = {
    errorType: typeOf(error),
    errorMessage: String(error.message ?? ''),
    trace: ownTrace(error.stack),
  };
  if (error.cause !== undefined && depth < MAX_CAUSES) payload.cause = toPayload(error.cause, depth + 1);
  if (error instanceof AggregateError && error.errors?.length && depth < MAX_CAUSES && payload.cause === undefined) {
    payload.cause = toPayload(error.errors[0], depth + 1);
  }
  return payload;
}

const headerSafe = (text) => text.replace(/[^\x20-\x7e]/g, '?');

async function postError(where, payload) {
  const headers = { 'Content-Type': 'application/json', 'Lambda-Runtime-Function-Error-Type': headerSafe(payload.errorType) };
  return request('POST', where, headers, JSON.stringify(payload));
}

// What nobody has caught belongs to the invocation that runs; then the process is no longer to be trusted.
async function onUncaught(error, rejected) {
  const payload = rejected ? { ...toPayload(error), errorType: 'Runtime.UnhandledPromiseRejection' } : toPayload(error);
  if (rejected && error instanceof Error) payload.cause = toPayload(error);
  if (rejected) payload.errorMessage = error instanceof Error ? String(error) : payload.errorMessage;
  const told = current;
  try {
    if (told && !told.answered) {
      told.answered = true;
      await postError(`/invocation/${told.id}/error`, payload);
    } else if (!started) {
      await postError('/init/error', payload);
    } else {
      writeRecord(LEVELS.error, `${payload.errorType}: ${payload.trace.join('\n')}`);
    }
  } finally {
    leave(128 + 1);
  }
}

let started = false;
process.on('uncaughtException', (error) => onUncaught(error, false));
process.on('unhandledRejection', (error) => onUncaught(error, true));

// ------------------------------------------------------------ the handler

const require = createRequire(path.join(ROOT, 'noop.js'));

class HandlerNotFound extends Error {
  name = 'Runtime.HandlerNotFound';
}
class ImportModuleError extends Error {
  name = 'Runtime.ImportModuleError';
}

// Node looks for ES modules beside the code only, Lambda in NODE_PATH too, where layers are. A hook in a thread
// of its own where Node has no other (before 22.15): only if there is something to be found.
function importFromLayers() {
  const parents = (process.env.NODE_PATH ?? '')
    .split(path.delimiter)
    .filter((folder) => path.basename(folder) === 'node_modules' && fs.existsSync(folder))
    .map((folder) => pathToFileURL(path.join(path.dirname(folder), 'noop.mjs')).href);
  if (!parents.length) return;
  if (nodeModule.registerHooks) {
    nodeModule.registerHooks({
      resolve(specifier, context, next) {
        try {
          return next(specifier, context);
        } catch (error) {
          if (error.code !== 'ERR_MODULE_NOT_FOUND' || /^[./]|:/.test(specifier)) throw error;
          for (const parentURL of parents) {
            try {
              return next(specifier, { ...context, parentURL });
            } catch {}
          }
          throw error;
        }
      },
    });
  } else if (nodeModule.register) {
    const source = `let parents;
      export function initialize(given) { parents = given; }
      export async function resolve(specifier, context, next) {
        try {
          return await next(specifier, context);
        } catch (error) {
          if (error.code !== 'ERR_MODULE_NOT_FOUND' || /^[./]|:/.test(specifier)) throw error;
          for (const parentURL of parents) {
            try {
              return await next(specifier, { ...context, parentURL });
            } catch {}
          }
          throw error;
        }
      }`;
    nodeModule.register(`data:text/javascript,${encodeURIComponent(source)}`, { data: parents });
  }
}

async function importModule(file) {
  if (file.endsWith('.mjs')) return import(pathToFileURL(file));
  try {
    return require(file);
  } catch (error) {
    if (error.code !== 'ERR_REQUIRE_ESM' && error.code !== 'ERR_REQUIRE_ASYNC_MODULE' && !isEsmSyntax(error)) throw error;
    return import(pathToFileURL(file));
  }
}

function isEsmSyntax(error) {
  return error instanceof SyntaxError && /import statement outside|Unexpected token 'export'|import\.meta|await is only valid/.test(error.message);
}

async function loadHandler(text) {
  const at = text.lastIndexOf('/') + 1;
  const dot = text.indexOf('.', at);
  if (dot < 0) throw new HandlerNotFound(`the handler ${text} is not module.function`);
  const base = path.resolve(ROOT, text.slice(0, dot));
  const file = ENDINGS.map((ending) => base + ending).find((one) => fs.existsSync(one));
  if (!file) throw new ImportModuleError(`there is no module ${text.slice(0, dot)} (${ENDINGS.join(', ')}) in ${ROOT}`);
  importFromLayers();
  const module = await importModule(file);
  let found = module;
  for (const name of text.slice(dot + 1).split('.')) found = found?.[name] ?? found?.default?.[name];
  if (found === undefined) throw new HandlerNotFound(`${text} is undefined or not exported`);
  if (typeof found !== 'function') throw new HandlerNotFound(`${text} is not a function`);
  return found;
}

// ------------------------------------------------------------ what handlers of Lambda find

class HttpResponseStream {
  static from(stream, head) {
    stream.setContentType?.(PRELUDE_TYPE);
    stream.setHead?.(JSON.stringify(head));
    return stream;
  }
}

globalThis.awslambda = {
  streamifyResponse(handler, options) {
    handler[STREAMING] = 'response';
    if (options?.highWaterMark !== undefined) handler[WATERMARK] = Number(options.highWaterMark);
    return handler;
  },
  HttpResponseStream,
};

function contextOf(headers, deadlineMs, done) {
  const context = {
    callbackWaitsForEmptyEventLoop: true,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    getRemainingTimeInMillis: () => Math.max(deadlineMs - Date.now(), 0),
    done: (error, value) => done(error ?? null, value),
    fail: (error) => done(error ?? new Error('context.fail'), undefined),
    succeed: (value) => done(null, value),
  };
  if (headers['lambda-runtime-client-context']) context.clientContext = JSON.parse(headers['lambda-runtime-client-context']);
  if (headers['lambda-runtime-cognito-identity']) context.identity = JSON.parse(headers['lambda-runtime-cognito-identity']);
  return context;
}

function setTrace(headers) {
  for (const [variable, header] of [
    ['_X_AMZN_TRACE_ID', 'lambda-runtime-trace-id'],
    ['TRACEPARENT', 'traceparent'],
    ['TRACESTATE', 'tracestate'],
    ['BAGGAGE', 'baggage'],
  ]) {
    if (headers[header] !== undefined) process.env[variable] = headers[header];
    else delete process.env[variable];
  }
}

// ------------------------------------------------------------ one invocation

// A value, an error, or a callback's; with callbacks the answer waits until nothing else is to be done, if the
// handler has left callbackWaitsForEmptyEventLoop true.
function callHandler(handler, event, headers, deadlineMs) {
  return new Promise((resolve, reject) => {
    let context;
    const done = (error, value) => {
      const settle = () => (error === null || error === undefined ? resolve(value) : reject(error));
      if (context.callbackWaitsForEmptyEventLoop) whenEmpty(settle);
      else settle();
    };
    context = contextOf(headers, deadlineMs, done);
    const value = handler(event, context, (error, answer) => done(error, answer));
    if (typeof value?.then === 'function') value.then(resolve, reject);
    else if (value !== undefined && handler.length < 3) resolve(value);
  });
}

let emptied;
function whenEmpty(settle) {
  emptied = settle;
}
process.on('beforeExit', () => {
  const settle = emptied;
  emptied = undefined;
  if (settle) {
    settle();
  } else if (current && !current.answered) {
    // Nothing can ever settle what the handler waits for.
    const told = current;
    if (told.streaming) {
      onUncaught(new Error('the handler waits for something that will never come'), false);
      return;
    }
    told.giveUp?.();
  }
});

function answerStream(id, onType) {
  const body = new PassThrough({ highWaterMark: 65_536 });
  let head;
  let type = 'application/octet-stream';
  let sent;
  const open = () => {
    if (sent) return sent;
    const [hostname, port] = API.split(':');
    const headers = {
      'Content-Type': type,
      'Lambda-Runtime-Function-Response-Mode': 'streaming',
      'Transfer-Encoding': 'chunked',
      Trailer: 'Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body',
    };
    sent = http.request({ agent, hostname, port, method: 'POST', path: `${BASE}/invocation/${id}/response`, headers });
    sent.answered = new Promise((resolve, reject) => {
      sent.on('response', (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode));
      });
      sent.on('error', reject);
    });
    sent.answered.catch(() => {});
    if (head !== undefined) sent.write(Buffer.concat([Buffer.from(head), Buffer.alloc(8)]));
    return sent;
  };
  const stream = new Writable({
    write(part, encoding, callback) {
      open().write(part, encoding) ? callback() : sent.once('drain', callback);
    },
    final(callback) {
      open().end();
      callback();
    },
  });
  stream.setContentType = (value) => {
    type = value;
  };
  stream.setHead = (value) => {
    head = value;
  };
  body.destroy();
  onType(stream);
  return {
    stream,
    async finish() {
      if (!stream.writableEnded) stream.end();
      return open().answered;
    },
    async fail(payload) {
      if (!sent) return postError(`/invocation/${id}/error`, payload);
      sent.addTrailers({
        'Lambda-Runtime-Function-Error-Type': headerSafe(payload.errorType),
        'Lambda-Runtime-Function-Error-Body': Buffer.from(JSON.stringify(payload)).toString('base64'),
      });
      sent.end();
      return sent.answered;
    },
  };
}

async function invokeStreaming(handler, event, headers, deadlineMs, told) {
  const answer = answerStream(told.id, () => {});
  try {
    const ended = new Promise((resolve, reject) => {
      answer.stream.on('finish', resolve);
      answer.stream.on('error', reject);
    });
    const context = contextOf(headers, deadlineMs, () => {});
    await handler(event, answer.stream, context);
    if (!answer.stream.writableEnded) answer.stream.end();
    await ended;
    told.answered = true;
    await answer.finish();
  } catch (error) {
    if (told.answered) throw error;
    told.answered = true;
    await answer.fail(toPayload(error));
  }
}

function encode(value) {
  const text = JSON.stringify(value === undefined ? null : value);
  return text === undefined ? 'null' : text;
}

async function invoke(handler, found) {
  const { headers } = found;
  const told = { id: headers['lambda-runtime-aws-request-id'], answered: false, streaming: handler[STREAMING] === 'response' };
  current = told;
  setTrace(headers);
  const deadlineMs = Number(headers['lambda-runtime-deadline-ms']);
  let event;
  try {
    event = JSON.parse(found.body.toString() || 'null');
    if (told.streaming) {
      await running.run(told, () => invokeStreaming(handler, event, headers, deadlineMs, told));
      return;
    }
    const gaveUp = new Promise((resolve) => {
      told.giveUp = () => resolve(undefined);
    });
    const value = await running.run(told, () => Promise.race([callHandler(handler, event, headers, deadlineMs), gaveUp]));
    const body = encode(value);
    told.answered = true;
    await request('POST', `/invocation/${told.id}/response`, { 'Content-Type': 'application/json' }, body);
  } catch (error) {
    if (told.answered) throw error;
    told.answered = true;
    await postError(`/invocation/${told.id}/error`, toPayload(error));
  }
}

async function main() {
  let handler;
  try {
    handler = await loadHandler(process.env._HANDLER || '');
  } catch (error) {
    await postError('/init/error', toPayload(error));
    leave(1);
    return;
  }
  started = true;
  for (;;) {
    const found = await next();
    await invoke(handler, found);
  }
}

main().catch((error) => {
  writeRecord(LEVELS.fatal, `the Runtime API failed: ${error?.stack ?? error}`);
  leave(1);
});
