/** A message on its way out, and the channel whose order it keeps. */

import type { Deadline } from './deadlines.ts';
import { Fifo } from './fifo.ts';
import { MessageQueue } from './message_queue.ts';
import type { Level } from './priorities.ts';
import type { RangeSet } from './range_set.ts';

export interface OutgoingMessage {
  /** 0 until its first piece is sent. */
  id: number;
  readonly channelNumber: number;
  readonly ordered: boolean;
  /** The channel in whose order it goes; undefined for an unordered message. */
  readonly channel: OutgoingChannel | undefined;
  /** Empty once it is `done`. */
  bytes: Uint8Array;
  readonly totalBytes: number;
  predecessor: number;
  /** Bytes before it have been sent at least once. */
  nextOffset: number;
  /** Bytes acknowledged; only for a message that travels in pieces. */
  acked: RangeSet | undefined;
  /** Nothing of it is to be sent any more: it is acknowledged, or given up. */
  done: boolean;
  /** The peer has it, or knows that it will not come. */
  settled: boolean;
  /** What the user knows it by; 0 if they did not ask. */
  ticket: number;
  deadline: Deadline | undefined;
  /** Of itself, or of a more urgent message that waits behind it on its channel. */
  level: Level;
  /** The queue that it stands in, and its neighbours there. */
  queue: MessageQueue | undefined;
  before: OutgoingMessage | undefined;
  behind: OutgoingMessage | undefined;
}

/** Exists only while it has unacknowledged messages. */
export interface OutgoingChannel {
  number: number;
  /** Behind `turn`, or held back by the channel's window. */
  readonly queued: MessageQueue;
  /** The message that stands in line to send: to begin, or to go on. */
  turn: OutgoingMessage | undefined;
  /** Begun, and neither they nor all before them acknowledged. */
  readonly begun: Fifo<OutgoingMessage>;
  /** The id of the message begun last. */
  lastId: number;
  /** The charge of the messages in `begun`; the peer's window for a channel bounds it. */
  outstandingBytes: number;
}

export const newChannel = (): OutgoingChannel => ({
  number: 0,
  queued: new MessageQueue(),
  turn: undefined,
  begun: new Fifo(),
  lastId: 0,
  outstandingBytes: 0,
});
