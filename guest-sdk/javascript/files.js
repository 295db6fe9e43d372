// SPDX-License-Identifier: Apache-2.0
// Files for steps in JavaScript, which has none of its own: on `wasi:filesystem`, synchronous, with paths
// from the root `/` of the install. Only what the step was granted is there.

import { getDirectories } from 'wasi:filesystem/preopens@0.2.12';

// More at once is no faster.
const CHUNK = 64 * 1024;

const WORDS = {
  access: 'permission denied',
  exist: 'is there already',
  'is-directory': 'is a folder',
  'no-entry': 'no such file or folder',
  'not-directory': 'not a folder',
  'not-empty': 'the folder is not empty',
  'not-permitted': 'not permitted',
  quota: 'the budget of the step is spent',
};

/** A file that could not be used. `code` is WASI's word, such as `access` or `no-entry`. */
export class FileError extends Error {
  constructor(path, code) {
    super(`${path}: ${WORDS[code] ?? code}`);
    this.name = 'FileError';
    this.path = path;
    this.code = code;
  }
}

/** The bytes of a file. */
export function readFile(path) {
  return open(path, {}, { read: true }, (file) => {
    const pieces = [];
    let length = 0;
    for (;;) {
      const [piece, atEnd] = file.read(BigInt(CHUNK), BigInt(length));
      pieces.push(piece);
      length += piece.length;
      if (atEnd || piece.length === 0) {
        return joined(pieces, length);
      }
    }
  });
}

/** The text of a file in UTF-8. */
export function readText(path) {
  return new TextDecoder('utf-8', { fatal: true }).decode(readFile(path));
}

/** Writes a file, text in UTF-8 or bytes; what it held before is gone. */
export function writeFile(path, content) {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  open(path, { create: true, truncate: true }, { write: true }, (file) => {
    for (let at = 0; at < bytes.length; ) {
      at += Number(file.write(bytes.subarray(at, at + CHUNK), BigInt(at)));
    }
  });
}

/** The names in a folder, sorted. */
export function list(path) {
  return open(path, { directory: true }, { read: true }, (folder) => {
    const entries = folder.readDirectory();
    const names = [];
    for (let entry; (entry = entries.readDirectoryEntry()); ) {
      names.push(entry.name);
    }
    entries[Symbol.dispose]?.();
    return names;
  });
}

/** What stands at a path, `{ type, size }` with a type such as `regular-file`; null when nothing does. */
export function stat(path) {
  try {
    const found = at(path, (root, name) => root.statAt({ symlinkFollow: true }, name));
    return { type: found.type, size: Number(found.size) };
  } catch (error) {
    if (error.code === 'no-entry') {
      return null;
    }
    throw error;
  }
}

/** Makes a folder; the folder around it must be there. */
export function makeFolder(path) {
  at(path, (root, name) => root.createDirectoryAt(name));
}

/** Removes a file. */
export function remove(path) {
  at(path, (root, name) => root.unlinkFileAt(name));
}

/** Removes an empty folder. */
export function removeFolder(path) {
  at(path, (root, name) => root.removeDirectoryAt(name));
}

/** Gives a file or folder another path. A file that is there is replaced, and keeps its mode and owner. */
export function rename(path, newPath) {
  at(path, (root, name) => root.renameAt(name, root, relative(newPath)));
}

function open(path, openFlags, descriptorFlags, use) {
  return at(path, (root, name) => {
    const file = root.openAt({ symlinkFollow: true }, name, openFlags, descriptorFlags);
    try {
      return use(file);
    } finally {
      // A step may hold some hundred files at once: each is given back as soon as it was used.
      file[Symbol.dispose]?.();
    }
  });
}

let root;

function at(path, use) {
  // Not when the module is loaded: that happens while the component is made.
  root ??= getDirectories()[0][0];
  try {
    return use(root, relative(path));
  } catch (error) {
    const code = error?.payload ?? error;
    throw typeof code === 'string' ? new FileError(path, code) : error;
  }
}

function relative(path) {
  return path.replace(/^\/+/, '') || '.';
}

function joined(pieces, length) {
  const all = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
