/** What holds after every event of a run, and at its end (design, sections 3 and 5). */

import { checkHistory } from '../../cli/check/check_history.ts';
import { showOperation } from '../../cli/check/operation.ts';
import type { Cacher } from '../../cacher/cacher_state.ts';
import { READABLE } from '../../cacher/copy_table.ts';
import { isOwner, type CachedFile } from '../../cacher/cached_file.ts';
import { fillContents } from '../../fileserver/disk/fill.ts';
import { entryOf, type Server } from '../../fileserver/server_state.ts';
import {
  compareVersions,
  fileSizeBytes,
  formatVersion,
  type FileNumber,
  type Geometry,
  type Version,
} from '../../protocol/ids.ts';
import type { History, SimulatedApplication } from './applications.ts';
import { fail } from './world.ts';

const holders = (cachers: readonly Cacher[], file: FileNumber): [Cacher, CachedFile][] => {
  const found: [Cacher, CachedFile][] = [];
  for (const cacher of cachers) {
    const cached = cacher.files.get(file);
    if (cached !== undefined && cached.bytes.length > 0) found.push([cacher, cached]);
  }
  return found;
};

/** A node without a lease, or that has taken leave, serves nothing, whatever its books say. `now` is its own clock. */
const mayServe = (cacher: Cacher, now: number): boolean =>
  cacher.admitted && !cacher.leaveSent && now < cacher.leaseUntilMs;

/** While one node may write, nobody but its backup may read. */
const checkOneWriter = (
  file: FileNumber,
  all: [Cacher, CachedFile][],
  clock: (cacher: Cacher) => number,
): void => {
  const held = all.filter(([cacher]) => mayServe(cacher, clock(cacher)));
  const writers = held.filter(([, cached]) => cached.copy === 'modified');
  if (writers.length > 1) fail(`file ${file} has ${writers.length} writers`);
  const writer = writers[0];
  if (writer === undefined) return;
  for (const [cacher, cached] of held) {
    if (cached === writer[1] || !READABLE.has(cached.copy)) continue;
    const isBackup = cached.copy === 'backup' && cached.term === writer[1].term;
    if (!isBackup) {
      fail(
        `file ${file}: ${writer[0].options.node} writes, ${cacher.options.node} reads ${cached.copy}`,
      );
    }
  }
};

/** Every acknowledged dirty version is in two memories, or the disk has it. */
const checkTwoCopies = (
  file: FileNumber,
  held: [Cacher, CachedFile][],
  server: Server,
  history: Pick<History, 'acknowledged'>,
  needed: number,
): void => {
  const version = history.acknowledged.get(file);
  if (version === undefined) return;
  if (compareVersions(server.meta(file).version, version) >= 0) return;
  const copies = held.filter(([, cached]) => compareVersions(cached.version, version) >= 0);
  if (copies.length < needed) {
    fail(
      `file ${file}: version ${formatVersion(version)} was acknowledged, ${copies.length} hold it`,
    );
  }
};

export const checkAlways = (
  server: Server,
  cachers: readonly Cacher[],
  history: Pick<History, 'acknowledged'>,
  clock: (cacher: Cacher) => number,
  /** Two, or one in runs where nodes are lost: then there is a moment before the next has it. */
  copiesNeeded: number,
): void => {
  for (let file = 0; file < server.options.geometry.files; file++) {
    const held = holders(cachers, file as FileNumber);
    if (held.length === 0) continue;
    checkOneWriter(file as FileNumber, held, clock);
    checkTwoCopies(file as FileNumber, held, server, history, copiesNeeded);
  }
  for (const cacher of cachers) checkPages(cacher);
};

/** Pages that are held and pages that are free add up. */
const checkPages = (cacher: Cacher): void => {
  let held = 0;
  for (const { pages } of cacher.files.values()) held += pages;
  const { pages, node } = cacher.options;
  if (held + cacher.freePages !== pages) {
    fail(`${node}: ${held} pages held and ${cacher.freePages} free of ${pages}`);
  }
};

/** Every dirty file is on two nodes, and nothing is being done about that. */
export const isProtected = (server: Server): boolean => {
  if (server.reprotection !== undefined) return false;
  const recovering = [...server.running.values()].some(({ kind }) => kind === 'recover');
  return !recovering && [...server.entries.values()].every(({ unavailable }) => !unavailable);
};

/** The scrub never rests; a look of it takes as long as a read of the simulated disk, and a heartbeat. */
const SCRUB_READ_MS = 200;

/** No file is locked by an application that has closed it, or is gone. */
const checkOpenWriters = (server: Server, cachers: readonly Cacher[]): void => {
  for (const [file, { link, client }] of server.openWriters.holders) {
    const cacher = cachers.find(
      ({ options: { node, incarnation } }) => `${node}#${incarnation}` === link,
    );
    const applications = [...(cacher?.applications.values() ?? [])];
    const has =
      server.clients.get(link)?.files.has(file) === true ||
      applications.some((each) => each.client === client && each.openings.has(file));
    if (!has) fail(`file ${file} is open for writing by ${link}, which does not have it open`);
  }
};

/** When nothing is under way, the directory and the cachers tell the same. */
export const checkAtRest = (server: Server, cachers: readonly Cacher[]): void => {
  checkOpenWriters(server, cachers);
  for (const { kind, file, awaited, diskOperations, sentAtMs } of server.running.values()) {
    if (kind === 'verify' && server.now - sentAtMs <= SCRUB_READ_MS) continue;
    const answers = awaited.map(({ from, answer }) => `${answer} of ${from}`).join(', ');
    fail(`${kind} ${file} runs for ever: waits for ${answers}, ${diskOperations} disk operations`);
  }
  for (const cacher of cachers) {
    const { node } = cacher.options;
    for (const cached of cacher.files.values()) {
      const { file, copy, want } = cached;
      const entry = entryOf(server, file);
      if (want !== undefined) fail(`${node} waits for ${want.message.type} ${file} for ever`);
      const claims =
        (isOwner(cached) && entry.owner === node) ||
        (copy === 'backup' && entry.backup === node) ||
        (copy === 'shared' && entry.sharers.has(node)) ||
        copy === 'invalid';
      if (!claims) fail(`${node} has file ${file} ${copy}, which the directory does not know`);
      if (copy === 'invalid' && (entry.owner === node || entry.backup === node)) {
        fail(`the directory gives file ${file} to ${node}, which does not have it`);
      }
    }
  }
};

/** After the faults every operation ends within this time, or within so many leases where these are long. */
const ANSWER_LIMIT_MS = 10_000;
const ANSWER_LIMIT_LEASES = 5;

export const answerLimitMs = (leaseMs: number): number =>
  Math.max(ANSWER_LIMIT_MS, ANSWER_LIMIT_LEASES * leaseMs);

/** Once nothing goes wrong any more, nobody waits for long. */
export const checkAnswered = (
  applications: readonly Pick<SimulatedApplication, 'waitsFor' | 'waitsSinceMs'>[],
  healedAtMs: number,
  now: number,
  leaseMs: number,
): void => {
  const limitMs = answerLimitMs(leaseMs);
  for (const { waitsFor, waitsSinceMs } of applications) {
    const dueMs = Math.max(waitsSinceMs, healedAtMs) + limitMs;
    if (now <= dueMs) continue;
    fail(`not answered ${limitMs} ms after the faults were over: ${waitsFor}`);
  }
};

/** After an orderly stop the disk has everything that was acknowledged. */
export const checkSaved = (
  server: Pick<Server, 'meta'>,
  history: Pick<History, 'acknowledged' | 'writes' | 'unsaved'>,
): void => {
  const isSaved = (file: FileNumber, version: Version): boolean =>
    compareVersions(server.meta(file).version, version) >= 0;
  history.unsaved = history.writes.filter(({ file, version }) => !isSaved(file, version)).length;
  for (const [file, version] of history.acknowledged) {
    if (!isSaved(file, version)) fail(`file ${file}: the disk lacks what was acknowledged`);
  }
};

export const checkLinearizable = (history: History, geometry: Geometry): void => {
  const size = fileSizeBytes(geometry);
  const initialContents = (file: number): Uint8Array => fillContents(file, size);
  const verdict = checkHistory(history.operations, { initialContents });
  if (verdict.verdict !== 'undecided') history.linearizable = verdict.verdict === 'linearizable';
  if (verdict.verdict === 'linearizable') return;
  const piece = verdict.verdict === 'violation' ? verdict.piece.map(showOperation) : [];
  fail(`file ${verdict.file}: ${verdict.message}\n${piece.join('\n')}`);
};
