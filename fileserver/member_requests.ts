/** What a cacher asks of the file server about one file, as transactions. */

import { fileSizeBytes, type NodeId } from '../protocol/ids.ts';
import type { Message } from '../protocol/messages.ts';
import { clip } from '../protocol/open_files.ts';
import { submitWriteThrough } from './clients.ts';
import { submit } from './scheduler.ts';
import type { Server } from './server_state.ts';
import { newTransaction, newWriteBack, type Requester } from './transaction.ts';
import { newGetModified } from './transactions/get_modified.ts';

type MemberRequest = Message<
  'getShared' | 'getModified' | 'writeBack' | 'recirculate' | 'readThrough' | 'writeThrough'
>;

/** A registered cacher wants something of a file: the transaction that gives it that is submitted. */
export const memberRequest = (server: Server, node: NodeId, message: MemberRequest): void => {
  const { file, request } = message;
  const requester: Requester = { kind: 'member', node };
  const base = newTransaction(file, requester, request);
  switch (message.type) {
    case 'getShared':
      submit(server, {
        ...base,
        kind: 'getShared',
        phase: 'fetch',
        forwarded: false,
        vainly: false,
      });
      break;
    case 'getModified':
      submit(server, { ...base, ...newGetModified, claimsToHold: message.holds, refused: [] });
      break;
    case 'writeBack':
      submit(server, newWriteBack(file, requester, request));
      break;
    case 'recirculate':
      submit(server, {
        ...base,
        kind: 'recirculate',
        phase: 'offer',
        chances: message.chances,
        target: undefined,
      });
      break;
    case 'readThrough': {
      const { offset, length } = message;
      submit(server, { ...base, kind: 'readThrough', offset, length });
      break;
    }
    case 'writeThrough': {
      // One of an earlier registration is late: it is asked for again, and that it was is said then (rule 4).
      if (message.registration !== server.members.get(node)?.firstClient) break;
      const size = fileSizeBytes(server.options.geometry);
      const count = clip(size, message.offset, message.bytes.length);
      const bytes = message.bytes.slice(0, count);
      submitWriteThrough(server, requester, { ...message, bytes });
      break;
    }
    default:
      message satisfies never;
  }
};
