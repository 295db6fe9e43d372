// SPDX-License-Identifier: Apache-2.0
// Reaches for what no step has, says what it met, and then throws. Granted: `data/**`, to read. It is built
// in a copy of `guest-sdk/javascript`.

import { config, log, step } from './cofferdam.js';
import * as files from './files.js';

export const run = step(() => {
  met('read what is not granted', () => files.readText('/private/key'));
  met('write what is not granted', () => files.writeFile('/data/new', 'x'));
  met('read a key that is not granted', () => config.get('private'));
  throw new TypeError('the record has no `time of the record`');
});

function met(what, attempt) {
  try {
    attempt();
    log.error(`${what}: it worked`);
  } catch (error) {
    log.info(`${what}: ${error.message}`);
  }
}
