/**
 * What no member can hold, whatever was lost on the way: who reports it when it registers is not admitted, and who
 * answers an order with it is fenced. Pure.
 */

import { FsError } from '../protocol/errors.ts';
import type { Holding, HoldingKind } from '../protocol/fields.ts';
import { compareVersions, formatTerm, formatVersion, type NodeId } from '../protocol/ids.ts';
import type { Message } from '../protocol/messages.ts';
import { entryOf, fileExists, type Server } from './server_state.ts';
import { newestTerm, termInForce } from './terms.ts';

const impossible = (
  server: Server,
  node: NodeId,
  { file, kind, term, version }: Holding,
  /** It was to take over from the pair of the term, and has their contents. */
  entrusted = false,
): string | undefined => {
  if (!fileExists(server, file)) {
    return `it is outside the volume, whose last is ${server.options.geometry.files - 1}`;
  }
  // A clean copy may be newer than the disk's: of a dirty file, which is read from its owner.
  if (kind === 'clean') return undefined;
  const newest = newestTerm(server, file);
  if (term > newest) {
    return `term ${formatTerm(term)} was never announced, the newest is ${formatTerm(newest)}`;
  }
  if (kind !== 'dirty') return undefined;
  if (version.term > term) {
    return `version ${formatVersion(version)} is of a later term than ${formatTerm(term)}, in which it is held`;
  }
  const { mark } = server.meta(file);
  if (entrusted || term !== mark?.term || mark.owner === node || mark.backup === node) {
    return undefined;
  }
  return `term ${formatTerm(term)} is that of ${mark.owner} and ${mark.backup}`;
};

const impossibleRecovery = (
  server: Server,
  node: NodeId,
  message: Message<'recovered'>,
): string | undefined => {
  const { file, kind, ungranted, base } = message;
  const newest = newestTerm(server, file);
  if (ungranted > newest) {
    return `term ${formatTerm(ungranted)} was never announced, the newest is ${formatTerm(newest)}`;
  }
  if (ungranted > 0 && base >= ungranted) {
    return `term ${formatTerm(ungranted)} does not build on term ${formatTerm(base)}`;
  }
  if (kind === 'none') return undefined;
  return impossible(server, node, message, ungranted > 0 && base === message.term);
};

/** Contents that an owner gives away: of no term that is not in force, and no older than the disk's. */
const impossibleContents = (
  server: Server,
  node: NodeId,
  { type, file, version }: Message<'frozen' | 'collected'>,
): string | undefined => {
  const entry = entryOf(server, file);
  const inForce = termInForce(server, entry);
  if (version.term > inForce) {
    return `version ${formatVersion(version)} is of a later term than ${formatTerm(inForce)}, which is in force`;
  }
  if (type === 'frozen' && entry.owner !== node) return undefined;
  if (compareVersions(version, entry.version) >= 0) return undefined;
  return `version ${formatVersion(version)} is older than the disk's, ${formatVersion(entry.version)}`;
};

/** Why a node cannot have what it says in an answer that is waited for; undefined if it can. */
export const impossibleAnswer = (
  server: Server,
  node: NodeId,
  message: Message,
): string | undefined => {
  switch (message.type) {
    case 'recovered':
      return impossibleRecovery(server, node, message);
    case 'frozen':
    case 'collected':
      return impossibleContents(server, node, message);
    default:
      return undefined;
  }
};

/** A clean copy may stand beside the word that nothing was written under a term. */
const isTwice = (before: HoldingKind | undefined, kind: HoldingKind): boolean =>
  before !== undefined && !(before === 'empty' && kind === 'clean');

/** Throws FsError EPROTO that names the first thing that cannot be. */
export const checkHoldings = (server: Server, node: NodeId, holdings: readonly Holding[]): void => {
  const seen = new Map<number, HoldingKind>();
  for (const holding of holdings) {
    const { file, kind } = holding;
    const twice = isTwice(seen.get(file), kind);
    const reason = twice ? 'it is reported twice' : impossible(server, node, holding);
    seen.set(file, kind);
    if (reason !== undefined) {
      throw new FsError('EPROTO', `${node} reports file ${file}, which cannot be: ${reason}`);
    }
  }
};
