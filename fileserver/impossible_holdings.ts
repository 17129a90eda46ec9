/** What no member can hold, whatever was lost on the way: who reports it is not admitted. Pure. */

import { FsError } from '../protocol/errors.ts';
import type { Holding } from '../protocol/fields.ts';
import { formatTerm, formatVersion } from '../protocol/ids.ts';
import { fileExists, type Server } from './server_state.ts';
import { newestTerm } from './terms.ts';

const impossible = (server: Server, { file, kind, term, version }: Holding): string | undefined => {
  if (!fileExists(server, file)) {
    return `it is outside the volume, whose last is ${server.options.geometry.files - 1}`;
  }
  // A clean copy may be newer than the disk's: of a dirty file, which is read from its owner.
  if (kind === 'clean') return undefined;
  const newest = newestTerm(server, file);
  if (term > newest) {
    return `term ${formatTerm(term)} was never announced, the newest is ${formatTerm(newest)}`;
  }
  if (kind !== 'dirty' || version.term <= term) return undefined;
  return `version ${formatVersion(version)} is of a later term than ${formatTerm(term)}, in which it is held`;
};

/** Throws FsError EPROTO that names the first thing that cannot be. */
export const checkHoldings = (server: Server, node: string, holdings: readonly Holding[]): void => {
  const seen = new Set<number>();
  for (const holding of holdings) {
    const { file } = holding;
    const reason = seen.has(file) ? 'it is reported twice' : impossible(server, holding);
    seen.add(file);
    if (reason !== undefined) {
      throw new FsError('EPROTO', `${node} reports file ${file}, which cannot be: ${reason}`);
    }
  }
};
