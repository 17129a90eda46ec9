/** A cacher's place in the cluster: registering, heartbeats, repeating what a broken link lost. */

import type { Message } from '../protocol/messages.ts';
import { CANDIDATES_LIMIT } from '../protocol/messages.ts';
import { BACKUP_RESEND_MS, sendWrite } from './backup_writes.ts';
import { isIdle, move, type CachedFile } from './cached_file.ts';
import { ask, log, newRequest, sendToServer, type Cacher } from './cacher_state.ts';
import { COPY_TABLE } from './copy_table.ts';
import { releasePages } from './pages.ts';

/** How long a request waits for its answer before it is made again under the same id. */
export const RETRY_MS = 2000;
/** How often the cacher looks after its timers until the server says how often to beat. */
export const DEFAULT_TICK_MS = 100;

export const sendRegister = (cacher: Cacher): void => {
  const { node, incarnation, address, pages } = cacher.options;
  sendToServer(cacher, { type: 'register', node, incarnation, address, pages });
};

/** The link to the server is up, maybe again, maybe to a new server. */
export const serverUp = (cacher: Cacher): void => {
  cacher.serverUp = true;
  cacher.admitted = false;
  sendRegister(cacher);
};

export const serverDown = (cacher: Cacher): void => {
  cacher.serverUp = false;
  cacher.admitted = false;
  log(cacher, 'warn', 'the link to the file server is down: requests wait for it');
};

/** Admitted: what was asked before is asked again, under the same ids (rule 16). */
export const registered = (cacher: Cacher, message: Message<'registered'>): void => {
  const { epoch, geometry, openPolicy, heartbeatMs } = message;
  const before = cacher.registration;
  if (before !== undefined && before.epoch !== epoch) newEpoch(cacher);
  cacher.registration = { epoch, geometry, openPolicy, heartbeatMs };
  cacher.admitted = true;
  if (before === undefined) cacher.commands.push({ do: 'registered' });
  log(cacher, 'info', `registered with the file server, epoch ${epoch}`);
  members(cacher, message.members);
  heartbeat(cacher);
  for (const cached of cacher.files.values()) {
    if (cached.want === undefined) continue;
    cached.want.sentAtMs = cacher.now;
    sendToServer(cacher, cached.want.message);
  }
  for (const relayed of cacher.relayed.values()) sendToServer(cacher, relayed.message);
  if (cacher.leaveSent) sendToServer(cacher, { type: 'leave' });
};

/** A server that was started anew knows nothing of clean copies: they are dropped. */
const newEpoch = (cacher: Cacher): void => {
  for (const cached of cacher.files.values()) {
    if (COPY_TABLE[cached.copy]['new-epoch'] === undefined) continue;
    move(cached, 'new-epoch');
    releasePages(cacher, cached);
  }
};

export const members = (cacher: Cacher, list: Message<'members'>['members']): void => {
  cacher.members = list;
  cacher.commands.push({ do: 'peers', members: list });
};

/** Tells the server how much room there is, and asks how many copies the oldest clean files have. */
export const heartbeat = (cacher: Cacher): void => {
  if (!cacher.admitted) return;
  let oldestUseMs = 0;
  const clean: CachedFile[] = [];
  for (const cached of cacher.files.values()) {
    if (cached.pages === 0) continue;
    oldestUseMs = Math.max(oldestUseMs, cacher.now - cached.lastUsedMs);
    if (cached.copy === 'shared' && isIdle(cached)) clean.push(cached);
  }
  clean.sort((a, b) => a.lastUsedMs - b.lastUsedMs);
  const candidates = clean.slice(0, CANDIDATES_LIMIT).map(({ file }) => file);
  const sequence = cacher.heartbeats++;
  const { freePages } = cacher;
  sendToServer(cacher, { type: 'heartbeat', sequence, freePages, oldestUseMs, candidates });
};

export const heartbeatAck = (cacher: Cacher, message: Message<'heartbeatAck'>): void => {
  cacher.lastAckMs = cacher.now;
  for (const { file, copies } of message.hints) {
    const cached = cacher.files.get(file);
    if (cached !== undefined) cached.copies = copies;
  }
};

/** The periodic work: heartbeat, repeats, and the write-back of what has been dirty for long. */
export const tick = (cacher: Cacher): void => {
  cacher.nextTickMs = cacher.now + (cacher.registration?.heartbeatMs ?? DEFAULT_TICK_MS);
  heartbeat(cacher);
  for (const cached of cacher.files.values()) {
    const { want, write } = cached;
    if (want !== undefined && cacher.admitted && cacher.now >= want.sentAtMs + RETRY_MS) {
      want.sentAtMs = cacher.now;
      sendToServer(cacher, want.message);
    }
    if (write !== undefined && cacher.now >= write.sentAtMs + BACKUP_RESEND_MS) {
      sendWrite(cacher, cached);
    }
    if (isDue(cacher, cached)) {
      ask(cacher, cached, { type: 'writeBack', request: newRequest(cacher), file: cached.file });
    }
  }
  for (const relayed of cacher.relayed.values()) {
    if (!cacher.admitted || cacher.now < relayed.sentAtMs + RETRY_MS) continue;
    relayed.sentAtMs = cacher.now;
    sendToServer(cacher, relayed.message);
  }
};

/** The owner writes back what has been dirty for an interval; the backup need not ask. */
const isDue = (cacher: Cacher, { copy, dirtySinceMs, want }: CachedFile): boolean =>
  (copy === 'modified' || copy === 'owned') &&
  want === undefined &&
  dirtySinceMs !== undefined &&
  cacher.admitted &&
  cacher.now >= dirtySinceMs + cacher.options.writebackIntervalMs;
