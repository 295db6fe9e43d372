// SPDX-License-Identifier: Apache-2.0
// The example in JavaScript: see ../example/README.md for what it does.

import { ConfigError, config, log, progress, step } from './cofferdam.js';
import * as files from './files.js';

const RECORDS = '/data/records';

export const run = step(() => {
  moveNetSection();
  const names = files.list(RECORDS).filter((name) => name.endsWith('.json'));
  let converted = 0;
  names.forEach((name, done) => {
    progress(done, names.length, name);
    try {
      converted += convert(`${RECORDS}/${name}`);
    } catch (error) {
      throw new Error(`data/records/${name}`, { cause: error });
    }
  });
  if (files.stat('/data/index')) {
    files.remove('/data/index');
  }
  // The mark comes last: until then the old one is true of what was not converted yet.
  files.writeFile('/data/schema-version', '2\n');
  log.info(`${converted} of ${names.length} records converted to schema 2`);
});

function moveNetSection() {
  for (const key of config.list('net')) {
    const newKey = key.replace(/^net\./, 'server.');
    config.rename(key, newKey);
    log.info(`${key} is now ${newKey}`);
  }
  // A secret is not listed, and can be moved without being seen.
  try {
    config.rename('net.token', 'server.token');
  } catch (error) {
    if (!(error instanceof ConfigError && error.kind === 'no-such-key')) {
      throw error;
    }
  }
}

/** Converts one file; says whether it had to. */
function convert(path) {
  const record = JSON.parse(files.readText(path));
  if (record.schema === 2) {
    return false;
  }
  if (record.schema !== 1) {
    throw new Error(`has schema ${record.schema}, which nobody converts`);
  }
  const [value, ...unit] = record.value.split(' ');
  if (!/^[0-9]+$/.test(record.time)) {
    throw new Error(`has the time \`${record.time}\`, no number`);
  }
  const converted = {
    schema: 2,
    name: record.name,
    value,
    unit: unit.join(' '),
    time: Number(record.time),
  };
  // Beside the old one, then over it, which keeps its mode and owner.
  files.writeFile(`${path}.new`, `${JSON.stringify(converted, null, 2)}\n`);
  files.rename(`${path}.new`, path);
  return true;
}
