/**
 * Does I/O: loaded before a file server (`node --import`), it makes one write or sync of the image go
 * wrong. COOPFS_TEST_FAULT says which: `kill-write:N` writes half of the N-th and kills the process,
 * `kill-sync:N` kills it before the N-th sync, `fail-sync:N` fails that with EIO, `fail-write:N` with ENOSPC,
 * `short-writes:N` lets every write take N bytes at most. How many writes and syncs there were goes to
 * the file COOPFS_TEST_COUNTS when the process ends by itself.
 */

import { writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';

const [fault, text] = (process.env.COOPFS_TEST_FAULT ?? 'none:0').split(':');
const number = Number(text);
let writes = 0;
let syncs = 0;

const die = () => {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => undefined);
};

const failure = (code, call) => Object.assign(new Error(`${code}: injected, ${call}`), { code });

const handle = await open('/dev/null');
const prototype = Object.getPrototypeOf(handle);
await handle.close();
const { write, datasync } = prototype;

prototype.write = async function (bytes, offset, length, position) {
  writes++;
  if (fault === 'fail-write' && writes === number) throw failure('ENOSPC', 'write');
  if (fault === 'kill-write' && writes === number) {
    await write.call(this, bytes, offset, Math.floor(length / 2), position);
    return die();
  }
  const taken = fault === 'short-writes' ? Math.min(length, number) : length;
  return write.call(this, bytes, offset, taken, position);
};

prototype.datasync = async function () {
  syncs++;
  if (fault === 'kill-sync' && syncs === number) return die();
  if (fault === 'fail-sync' && syncs === number) throw failure('EIO', 'fdatasync');
  return datasync.call(this);
};

process.on('exit', () => {
  const path = process.env.COOPFS_TEST_COUNTS;
  if (path !== undefined) writeFileSync(path, JSON.stringify({ writes, syncs }));
});
