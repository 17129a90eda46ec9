/** What a cacher can tell of itself. */

import type { Message } from '../protocol/messages.ts';
import { isSecondCopy } from './cached_file.ts';
import { DIRTY } from './copy_table.ts';
import type { Cacher } from './cacher_state.ts';

export const statusOf = (cacher: Cacher, request: number): Message<'statusDone'> => {
  let dirty = 0;
  let held = 0;
  let backups = 0;
  for (const cached of cacher.files.values()) {
    const { copy } = cached;
    if (copy !== 'invalid') held++;
    if (DIRTY.has(copy)) dirty++;
    if (isSecondCopy(cached)) backups++;
  }
  const { node, incarnation, pages, address, policy } = cacher.options;
  const json = JSON.stringify({
    node,
    incarnation,
    address,
    policy: policy.name,
    serverUp: cacher.serverUp,
    admitted: cacher.admitted,
    epoch: cacher.registration?.epoch,
    stopping: cacher.stopping,
    pages,
    freePages: cacher.freePages,
    filesHeld: held,
    dirtyFiles: dirty,
    backupsHeld: backups,
    applications: cacher.applications.size,
    members: cacher.members.map((member) => member.node),
    counters: cacher.counters,
  });
  return { type: 'statusDone', request, json };
};
