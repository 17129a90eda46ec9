/** Messages for tests of the structures that messages stand in. */

import type { OutgoingMessage } from '../../rudp/outgoing_message.ts';

export const messageOf = (id: number): OutgoingMessage => ({
  id,
  channelNumber: 0,
  ordered: false,
  channel: undefined,
  bytes: new Uint8Array(0),
  totalBytes: 0,
  predecessor: 0,
  nextOffset: 0,
  acked: undefined,
  done: false,
  settled: false,
  ticket: 0,
  deadline: undefined,
  level: 0,
  queue: undefined,
  before: undefined,
  behind: undefined,
});
