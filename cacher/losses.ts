/** Files that have lost writes: what was open over a loss is stale from then on (design, section 5). */

import type { FileNumber } from '../protocol/ids.ts';
import type { Message } from '../protocol/messages.ts';
import { staleError } from '../protocol/open_files.ts';
import type { CachedFile } from './cached_file.ts';
import { replyFailed, sendToServer, type Cacher } from './cacher_state.ts';

/** The server is about to serve a file again that has lost writes. */
export const lost = (cacher: Cacher, _cached: CachedFile, message: Message<'lost'>): void => {
  const { order, file, times } = message;
  noteLoss(cacher, file, times);
  sendToServer(cacher, { type: 'lostNoted', order, file });
};

/** Takes note of a loss, if it is not known: whoever has the file open has to open it again. */
export const noteLoss = (cacher: Cacher, file: FileNumber, times: number): void => {
  if ((cacher.losses.get(file) ?? 0) >= times) return;
  cacher.losses.set(file, times);
  for (const { files } of cacher.applications.values()) {
    const open = files.get(file);
    if (open !== undefined) open.stale = true;
  }
  const { code, message } = staleError(file);
  for (const [id, { link, request, message: asked }] of [...cacher.relayed]) {
    // What was acknowledged before it was asked for may be what is lost.
    if (asked.type !== 'flush' || !(asked.all || asked.file === file)) continue;
    cacher.relayed.delete(id);
    replyFailed(cacher, link, request, code, message);
  }
  const cached = cacher.files.get(file);
  if (cached === undefined) return;
  for (const { link, request } of cached.operations) {
    replyFailed(cacher, link, request, code, message);
  }
  cached.operations = [];
  // The server drops what was asked of it for such a handle; other requests end as they would.
  if (cached.want?.operation?.through === true) cached.want = undefined;
};
