// SPDX-License-Identifier: Apache-2.0
// What a step in JavaScript is written with; files are in files.js.
//
//     import { config, log, step } from './cofferdam.js';
//
//     export const run = step((context) => {
//       config.rename('net.port', 'server.port');
//       log.info('the port moved');
//     });
//
// The function answers with a verdict; nothing means `ok`. Whatever it throws is a failure of the step: the
// operator reads its text, and nothing has changed.

import * as hostConfig from 'cofferdam:step/config@0.1.0';
import { write } from 'cofferdam:step/log@0.1.0';
import { report } from 'cofferdam:step/progress@0.1.0';

/** In every phase but `health`: go on. */
export const ok = { tag: 'ok' };

/** In `health`: the new version works. */
export const healthy = { tag: 'healthy' };

/** The update is not for this machine as it is now. */
export const refuse = (reason) => ({ tag: 'refuse', val: reason });

/** In `check`: not now. */
export const defer = (reason, retryAfterSeconds) => ({ tag: 'defer', val: { reason, retryAfterSeconds } });

/** In `health`: the new version does not work, and the update is rolled back. */
export const unhealthy = (reason) => ({ tag: 'unhealthy', val: reason });

/** Lines for the operator and for the record of the update. */
export const log = {
  debug: (message) => write('debug', String(message)),
  info: (message) => write('info', String(message)),
  warn: (message) => write('warn', String(message)),
  error: (message) => write('error', String(message)),
};

/** Says how far the step has come, for a person who waits. */
export const progress = (done, total, message) => report(BigInt(done), BigInt(total), message);

/** Makes the function that the component exports. */
export function step(work) {
  return (context) => {
    try {
      return work(context) ?? ok;
    } catch (error) {
      if (error instanceof Error) {
        log.debug(error.stack);
      }
      // A text that is thrown is the contract's error; an `Error` would only abort the step.
      throw told(error);
    }
  };
}

/** The error and its causes in one line, as the operator reads it. */
function told(error) {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const own = ['Error', 'ConfigError', 'FileError'].includes(error.name);
  const text = own && error.message ? error.message : `${error.name}: ${error.message}`;
  return error.cause === undefined ? text : `${text}: ${told(error.cause)}`;
}

const KINDS = {
  'not-granted': 'not granted to this step',
  secret: 'a secret, which can only be moved',
  'no-such-key': 'there is no such key',
};

/** A request for a key that was not carried out; nothing has changed. `kind` is the contract's word. */
export class ConfigError extends Error {
  constructor(key, { tag, val }) {
    super(`configuration key \`${key}\`: ${KINDS[tag] ?? val}`);
    this.name = 'ConfigError';
    this.key = key;
    this.kind = tag;
  }
}

/** Keys of the configuration files that the package declares, one at a time. */
export const config = {
  /** The value at a key, an array for a list; undefined when the key is not there. */
  get(key) {
    const found = asked(key, () => hostConfig.get(key)) ?? undefined;
    return found?.tag === 'sequence' ? found.val.map(fromScalar) : found && fromScalar(found.val);
  },
  /** Puts a value at a key. A key that is not there is made; one that is keeps its type. */
  set(key, value) {
    const given = Array.isArray(value)
      ? { tag: 'sequence', val: value.map(toScalar) }
      : { tag: 'scalar', val: toScalar(value) };
    asked(key, () => hostConfig.set(key, given));
  },
  /** Takes a key away; says whether it was there. */
  remove: (key) => asked(key, () => hostConfig.remove(key)),
  /** Moves a value to another key, as it is written: all that can be done with a secret. */
  rename: (key, newKey) => asked(key, () => hostConfig.rename(key, newKey)),
  /** The keys below a prefix, in the order of the file; keys of values, and no secrets. */
  list: (prefix) => asked(prefix, () => hostConfig.list(prefix)),
};

function asked(key, request) {
  try {
    return request();
  } catch (error) {
    const refusal = error?.payload ?? error;
    throw refusal?.tag ? new ConfigError(key, refusal) : error;
  }
}

/** Whole numbers are BigInt when a number would not be exact. */
function fromScalar({ tag, val }) {
  return tag === 'integer' && Number.isSafeInteger(Number(val)) ? Number(val) : val;
}

function toScalar(value) {
  switch (typeof value) {
    case 'boolean':
      return { tag: 'boolean', val: value };
    case 'bigint':
      return { tag: 'integer', val: value };
    case 'number':
      return Number.isInteger(value) ? { tag: 'integer', val: BigInt(value) } : { tag: 'decimal', val: value };
    default:
      return { tag: 'text', val: String(value) };
  }
}
