/** A cacher's place in the cluster: registering, heartbeats, repeating what a broken link lost. */

import type { Holding, HoldingKind } from '../protocol/fields.ts';
import type { FileNumber, NodeId } from '../protocol/ids.ts';
import { CANDIDATES_LIMIT, HOLDINGS_LIMIT, type Message } from '../protocol/messages.ts';
import { openWriters } from './applications.ts';
import { BACKUP_RESEND_MS, sendWrite } from './backup_writes.ts';
import { isIdle, move, type CachedFile } from './cached_file.ts';
import { ask, log, newRequest, sendToServer, type Cacher } from './cacher_state.ts';
import type { CopyState } from './copy_table.ts';
import { heartbeatSent, renew, startLease } from './leases.ts';
import { noteLoss } from './losses.ts';
import { releasePages, usablePages } from './pages.ts';
import { hold, isEntrusted } from './recovery.ts';
import { outcomeUnknown, timeOut, timeOutRelayed } from './waiting.ts';

/** How long a request waits for its answer before it is made again under the same id. */
export const RETRY_MS = 2000;
/** How long a member that is refused waits before it asks again. */
export const REFUSED_RETRY_MS = 5000;
/** How often the cacher looks after its timers until the server says how often to beat. */
export const DEFAULT_TICK_MS = 100;

/** Asks to be admitted, or to go on as a member over a new link; says what is held. */
export const sendRegister = (cacher: Cacher): void => {
  const { node, incarnation, address, pages } = cacher.options;
  const { registerAttempt: attempt } = cacher;
  const held = { holdings: holdingsOf(cacher), writers: openWriters(cacher) };
  sendToServer(cacher, { type: 'register', node, incarnation, address, pages, ...held, attempt });
};

const KIND_OF: Readonly<Partial<Record<CopyState, HoldingKind>>> = {
  shared: 'clean',
  modified: 'dirty',
  owned: 'dirty',
  'writing-back': 'dirty',
  backup: 'dirty',
  standby: 'dirty',
  frozen: 'dirty',
  syncing: 'dirty',
  reserved: 'empty',
};

const holdingsOf = (cacher: Cacher): Holding[] => {
  const clean: Holding[] = [];
  const others: Holding[] = [];
  for (const cached of cacher.files.values()) {
    const { file, copy, contentsTerm, version, onDisk, pledge } = cached;
    const own = copy === 'reserved' && !onDisk ? undefined : KIND_OF[copy];
    const held = isEntrusted(cached) ? 'dirty' : own;
    const term = Math.max(contentsTerm, pledge?.term ?? 0);
    // That nothing was written under the term that it was to own is worth as much as contents. A clean copy counts
    // beside it: the order that made the pledge may have been late, of a transaction that was over.
    const kind = pledge !== undefined && held !== 'dirty' ? 'empty' : held;
    if (held === 'clean') clean.push({ file, kind: held, term: contentsTerm, version });
    if (kind !== undefined && kind !== 'clean') others.push({ file, kind, term, version });
  }
  // Clean copies come last: whatever does not fit must not be the only copy. Dirty ones fit (usablePages).
  return [...others, ...clean].slice(0, HOLDINGS_LIMIT);
};

const beginRegistering = (cacher: Cacher): void => {
  cacher.admitted = false;
  cacher.registerAttempt++;
  cacher.retryAtMs = -Infinity;
  // The lease counts from the first time of asking: the answer may be to that.
  cacher.registerSentMs = cacher.now;
  sendRegister(cacher);
};

/** The link to the server is up, maybe again, maybe to a new server. */
export const serverUp = (cacher: Cacher): void => {
  cacher.serverUp = true;
  beginRegistering(cacher);
};

export const serverDown = (cacher: Cacher): void => {
  cacher.serverUp = false;
  cacher.admitted = false;
  log(cacher, 'warn', 'the link to the file server is down: operations wait for it');
};

/** Repeats what is not answered; after a refusal it is another time of asking, and a later one. */
const askAgain = (cacher: Cacher): void => {
  if (cacher.retryAtMs === -Infinity) sendRegister(cacher);
  else if (cacher.now >= cacher.retryAtMs) beginRegistering(cacher);
};

/**
 * The server gave this node up: it holds on to what it has, serves nothing, and registers again. It may never have
 * heard of that registration: what answered its asking was lost, and nothing else ever will.
 */
export const expelled = (cacher: Cacher, message: Message<'expelled'>): void => {
  if (cacher.admitted) {
    if (cacher.registration?.firstClient !== message.registration) return;
    const text = 'the lease ran out and the file server gave this node up: registering again';
    log(cacher, 'warn', text);
    cacher.counters.leasesLost++;
    beginRegistering(cacher);
  } else if (message.attempt === cacher.registerAttempt) {
    log(cacher, 'warn', 'no answer to the registration came while it lasted: registering again');
    beginRegistering(cacher);
  }
};

/**
 * Who was never a member has nothing and ends, with a clear error. A member may have the only copy of acknowledged
 * writes: it keeps all, serves nothing, and asks again, since the reason may pass.
 */
export const refused = (cacher: Cacher, message: Message<'registrationRefused'>): void => {
  const { code, message: text } = message;
  if (cacher.admitted) return;
  if (cacher.registration === undefined) {
    cacher.retryAtMs = Infinity;
    cacher.commands.push({ do: 'refused', code, text });
    return;
  }
  cacher.retryAtMs = cacher.now + REFUSED_RETRY_MS;
  const again = `all it holds stays here unserved, and it asks again every ${REFUSED_RETRY_MS} ms`;
  log(cacher, 'warn', `the file server refuses to register this node (${code}: ${text}): ${again}`);
};

/**
 * Admitted: what was asked before is asked again, under the same ids (rule 16). An answer to an earlier attempt may
 * be of a registration that is over, with clean copies in it that the server does not know of any more.
 */
export const registered = (cacher: Cacher, message: Message<'registered'>): void => {
  if (cacher.admitted || message.attempt !== cacher.registerAttempt) return;
  const { epoch, geometry, openPolicy, heartbeatMs, leaseMs } = message;
  const before = cacher.registration;
  const { firstSequence, firstClient } = message;
  // The answer was there already, and this is its repeat over a new link.
  const resumed = before?.epoch === epoch && before.firstClient === firstClient;
  const terms = { epoch, geometry, openPolicy, heartbeatMs, leaseMs };
  cacher.registration = { ...terms, firstSequence, firstClient };
  if (!resumed) cacher.nextClient = 0;
  cacher.admitted = true;
  startLease(cacher, leaseMs);
  if (before === undefined) cacher.commands.push({ do: 'registered' });
  else if (!resumed) startAnew(cacher, new Set(message.kept), new Set(message.wanted));
  for (const { file, times } of message.losses) noteLoss(cacher, file, times);
  log(cacher, 'info', `registered with the file server, epoch ${epoch}`);
  members(cacher, message.members);
  heartbeat(cacher);
  for (const cached of cacher.files.values()) {
    const { want } = cached;
    if (want === undefined) continue;
    const { message: asked } = want;
    // The server may have done it, and forgotten that since (rule 4).
    if (!resumed && asked.type === 'writeThrough') {
      want.message = { ...asked, again: true, registration: firstClient };
    }
    want.sentAtMs = cacher.now;
    sendToServer(cacher, want.message);
  }
  for (const relayed of cacher.relayed.values()) sendToServer(cacher, relayed.message);
  if (cacher.leaveSent) sendToServer(cacher, { type: 'leave' });
};

const holdsSomething = ({ copy }: CachedFile): boolean => copy !== 'invalid';

/**
 * A new registration: nothing of the old one counts. Clean copies stay where the server has listed
 * them, dirty contents where it wants them back, unserved until it says what becomes of them.
 */
const startAnew = (
  cacher: Cacher,
  kept: ReadonlySet<FileNumber>,
  wanted: ReadonlySet<FileNumber>,
): void => {
  for (const cached of cacher.files.values()) {
    cached.orders = [];
    cached.promotion = undefined;
    cached.prepared = undefined;
    if (cached.copy === 'invalid') continue;
    if (cached.copy === 'shared' && kept.has(cached.file)) {
      // The file is on the disk: whatever this node was to own is over.
      cached.pledge = undefined;
      continue;
    }
    if (isEntrusted(cached)) hold(cached);
    else move(cached, 'registered-anew');
    const unwanted = !wanted.has(cached.file);
    if (cached.copy === 'frozen' && unwanted) move(cached, 'drop');
    if (cached.copy === 'reserved' && unwanted) move(cached, 'invalidate');
    if (holdsSomething(cached)) continue;
    outcomeUnknown(cacher, cached);
    releasePages(cacher, cached);
  }
};

export const members = (cacher: Cacher, list: Message<'members'>['members']): void => {
  cacher.members = list;
  cacher.commands.push({ do: 'peers', members: list });
};

/** Tells the server how much room there is, and asks how many copies the oldest clean files have. */
export const heartbeat = (cacher: Cacher): void => {
  if (!cacher.admitted || cacher.registration === undefined) return;
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
  const { echo } = cacher;
  const hints = { freePages: usablePages(cacher), oldestUseMs, candidates };
  heartbeatSent(cacher, sequence);
  const registration = cacher.registration.firstClient;
  sendToServer(cacher, { type: 'heartbeat', sequence, ...hints, echo, registration });
};

/** Renews the lease; true if the node had none and may serve again. */
export const heartbeatAck = (cacher: Cacher, message: Message<'heartbeatAck'>): boolean => {
  for (const { file, copies } of message.hints) {
    const cached = cacher.files.get(file);
    if (cached !== undefined) cached.copies = copies;
  }
  return renew(cacher, message.sequence);
};

/** The periodic work: heartbeat, repeats, and the write-back of what has been dirty for long. */
export const tick = (cacher: Cacher): void => {
  cacher.nextTickMs = cacher.now + (cacher.registration?.heartbeatMs ?? DEFAULT_TICK_MS);
  heartbeat(cacher);
  if (cacher.serverUp && !cacher.admitted) askAgain(cacher);
  const silent = new Set<NodeId | undefined>();
  for (const cached of cacher.files.values()) {
    timeOut(cacher, cached);
    const { want, write } = cached;
    if (want !== undefined && cacher.admitted && cacher.now >= want.sentAtMs + RETRY_MS) {
      want.sentAtMs = cacher.now;
      sendToServer(cacher, want.message);
    }
    if (write?.acknowledged === false && cacher.now >= write.sentAtMs + BACKUP_RESEND_MS) {
      sendWrite(cacher, cached);
    }
    if (isSilent(cacher, cached)) silent.add(cached.backup);
    if (isDue(cacher, cached)) {
      ask(cacher, cached, { type: 'writeBack', request: newRequest(cacher), file: cached.file });
    }
  }
  reportSilent(cacher, silent);
  timeOutRelayed(cacher);
  for (const relayed of cacher.relayed.values()) {
    if (!cacher.admitted || cacher.now < relayed.sentAtMs + RETRY_MS) continue;
    relayed.sentAtMs = cacher.now;
    sendToServer(cacher, relayed.message);
  }
};

/** How long a backup may be silent: a lease is at least four round trips of the slowest link. */
const silenceLimitMs = (cacher: Cacher): number =>
  Math.max(2 * BACKUP_RESEND_MS, 2 * (cacher.registration?.leaseMs ?? 0));

/** The backup does not answer. If it is lost the server notices; else this node alone does not reach it. */
const isSilent = (cacher: Cacher, { copy, write }: CachedFile): boolean =>
  write?.acknowledged === false &&
  copy !== 'frozen' &&
  copy !== 'standby' &&
  cacher.now >= write.silentSinceMs + silenceLimitMs(cacher);

/** Has the server find others in their place (rule 15). A report that is lost is made again. */
const reportSilent = (cacher: Cacher, silent: ReadonlySet<NodeId | undefined>): void => {
  if (!cacher.admitted) return;
  for (const node of silent) {
    if (node !== undefined) sendToServer(cacher, { type: 'unreachable', node });
  }
};

/** The owner writes back what has been dirty for an interval; the backup need not ask. */
const isDue = (cacher: Cacher, { copy, dirtySinceMs, want }: CachedFile): boolean =>
  (copy === 'modified' || copy === 'owned') &&
  want === undefined &&
  dirtySinceMs !== undefined &&
  cacher.admitted &&
  cacher.now >= dirtySinceMs + cacher.options.writebackIntervalMs;
