// SPDX-License-Identifier: Apache-2.0
// Makes a component of a step: node componentize.js STEP.js -o STEP.wasm [--contract step.wit]
//
// Modules that the step imports are taken with it. The contract is `wit/step.wit` of Cofferdam.

import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { componentize } from '@bytecodealliance/componentize-js';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    output: { type: 'string', short: 'o' },
    contract: { type: 'string', default: here('../../wit/step.wit') },
  },
});
if (positionals.length !== 1 || !values.output) {
  console.error('usage: node componentize.js STEP.js -o STEP.wasm [--contract step.wit]');
  process.exit(2);
}

const wit = await mkdtemp(join(tmpdir(), 'step-wit-'));
try {
  await cp(here('wit'), wit, { recursive: true });
  await cp(values.contract, join(wit, 'deps', 'step.wit'));
  const { component } = await componentize({
    sourcePath: resolve(positionals[0]),
    witPath: wit,
    worldName: 'javascript',
    // What is left out is not imported: no network, and no clock and no randomness either, since what
    // Date and Math.random give is fixed while the component is made. `stdio` stays: without it, an
    // engine that aborts could not say why.
    disableFeatures: ['clocks', 'fetch-event', 'http', 'random'],
  });
  await writeFile(values.output, component);
} finally {
  await rm(wit, { recursive: true });
}
