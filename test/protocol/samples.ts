/** Arbitrary messages of every type, for tests of whatever carries them. */

import fc from 'fast-check';
import { ERROR_CODES, type ErrorCode } from '../../protocol/errors.ts';
import * as is from '../../protocol/fields.ts';
import { OUTCOMES_KEPT } from '../../protocol/ids.ts';
import { MESSAGES, type Message, type MessageType } from '../../protocol/messages.ts';

const uint32 = fc.oneof(fc.constantFrom(0, 1, 2 ** 32 - 1), fc.nat());
const uint53 = fc.oneof(fc.constantFrom(0, Number.MAX_SAFE_INTEGER), fc.maxSafeNat());
const node = fc.stringMatching(/^[A-Za-z0-9._-]{1,32}$/);
const text = fc.string({ unit: 'binary', maxLength: 30 });
const geometry = fc.record({ files: uint32, blockSizeBytes: uint32, blocksPerFile: uint32 });

const kinds = new Map<unknown, fc.Arbitrary<unknown>>([
  [is.uint32, uint32],
  [is.file, uint32],
  [is.uint53, uint53],
  [is.client, uint53],
  [is.millis, fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }).map((ms) => ms + 0)],
  [is.flag, fc.boolean()],
  [is.text, text],
  [is.bytes, fc.uint8Array({ maxLength: 200 })],
  [is.node, node],
  [is.maybeNode, fc.option(node, { nil: undefined })],
  [is.source, fc.constantFrom('local', 'peer', 'server', 'disk')],
  [is.openPolicy, fc.constantFrom('share', 'wait', 'fail')],
  [is.holdingKind, fc.constantFrom('clean', 'dirty', 'empty', 'none')],
  [is.refusal, fc.constantFrom('base', 'not-yet', 'stale')],
  [is.errorCode, fc.constantFrom(...(Object.keys(ERROR_CODES) as ErrorCode[]))],
  [is.version, fc.record({ term: uint32, counter: uint53 })],
  [is.order, fc.record({ epoch: uint32, sequence: uint53 })],
  [is.geometry, geometry],
]);

/** Lists are made by a function each, so that their fields are known by name. */
const holding = fc.record({
  file: uint32,
  kind: fc.constantFrom('clean', 'dirty', 'empty', 'none'),
  term: uint32,
  version: fc.record({ term: uint32, counter: uint53 }),
});

const lists: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  outcomes: fc.array(fc.record({ client: uint53, operation: uint32, count: uint32 }), {
    maxLength: OUTCOMES_KEPT,
  }),
  members: fc.array(fc.record({ node, incarnation: uint53, address: text }), { maxLength: 4 }),
  sharers: fc.array(node, { maxLength: 4 }),
  holdings: fc.array(holding, { maxLength: 4 }),
  writers: fc.array(fc.record({ file: uint32, client: uint53, opening: uint32 }), { maxLength: 4 }),
  kept: fc.array(uint32, { maxLength: 4 }),
  wanted: fc.array(uint32, { maxLength: 4 }),
  losses: fc.array(fc.record({ file: uint32, times: uint32 }), { maxLength: 4 }),
  candidates: fc.array(uint32, { maxLength: 4 }),
  hints: fc.array(fc.record({ file: uint32, copies: uint32 }), { maxLength: 4 }),
};

export const MESSAGE_TYPES = Object.keys(MESSAGES) as MessageType[];

/** Any message of a type, each field over its whole range. */
export const messageOfType = (type: MessageType): fc.Arbitrary<Message> => {
  const fields: Record<string, fc.Arbitrary<unknown>> = { type: fc.constant(type) };
  for (const [name, check] of Object.entries(MESSAGES[type])) {
    const sample = kinds.get(check) ?? lists[name];
    if (sample === undefined) throw new Error(`no samples for ${type}.${name}`);
    fields[name] = sample;
  }
  return fc.record(fields) as fc.Arbitrary<unknown> as fc.Arbitrary<Message>;
};

export const anyMessage: fc.Arbitrary<Message> = fc.oneof(...MESSAGE_TYPES.map(messageOfType));
