import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { decode, encode } from '../../protocol/codec.ts';
import { FsError } from '../../protocol/errors.ts';
import type { FileNumber, NodeId } from '../../protocol/ids.ts';
import { MESSAGES, type Message } from '../../protocol/messages.ts';
import { anyMessage, MESSAGE_TYPES, messageOfType } from './samples.ts';

const proto = readFileSync(new URL('../../protocol/coopfs.proto', import.meta.url), 'utf8');

const camelCase = (name: string): string =>
  name.replace(/_([a-z])/gu, (_all, letter: string) => letter.toUpperCase());

/** The fields of each `message` in the .proto text, in the names of the code. */
const messagesOfProto = (): Map<string, string[]> => {
  const found = new Map<string, string[]>();
  for (const [, name, body] of proto.matchAll(/^message (\w+) \{([^}]*)\}/gmu)) {
    const fields = [...(body ?? '').matchAll(/^\s*(?:repeated )?\w+ (\w+) = \d+;/gmu)];
    found.set(
      name ?? '',
      fields.map(([, field]) => camelCase(field ?? '')),
    );
  }
  return found;
};

const envelopeOfProto = (): Map<string, string> => {
  const body = /message Envelope \{\s*oneof body \{([^}]*)\}/u.exec(proto)?.[1] ?? '';
  const entries = [...body.matchAll(/^\s*(\w+) (\w+) = \d+;/gmu)];
  return new Map(entries.map(([, type, field]) => [camelCase(field ?? ''), type ?? '']));
};

/** Plain data, so that Buffers and typed arrays of equal bytes are equal. */
const plain = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return { bytes: [...value] };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
};

const expectOnlyProtocolErrors = (bytes: Uint8Array): void => {
  try {
    decode(bytes);
  } catch (error) {
    expect(error).to.be.instanceOf(FsError);
    expect((error as FsError).code).to.equal('EPROTO');
  }
};

describe('the codec of messages', () => {
  for (const type of MESSAGE_TYPES) {
    it(`gives back every ${type} as it was`, () => {
      fc.assert(
        fc.property(messageOfType(type), (message) => {
          expect(plain(decode(encode(message)))).to.deep.equal(plain(message));
        }),
        { numRuns: 30 },
      );
    });
  }

  it('has the same messages as coopfs.proto, with the same fields', () => {
    const envelope = envelopeOfProto();
    const ofProto = messagesOfProto();
    expect([...envelope.keys()].sort()).to.deep.equal([...MESSAGE_TYPES].sort());
    for (const type of MESSAGE_TYPES) {
      const fields = ofProto.get(envelope.get(type) ?? '') ?? [];
      expect([...fields].sort(), type).to.deep.equal(Object.keys(MESSAGES[type]).sort());
    }
  });

  it('refuses a message cut anywhere, or decodes it, but throws nothing else', () => {
    fc.assert(
      fc.property(anyMessage, fc.nat(400), (message, at) => {
        expectOnlyProtocolErrors(encode(message).subarray(0, at));
      }),
    );
  });

  it('refuses a message with flipped bits, or decodes it, but throws nothing else', () => {
    fc.assert(
      fc.property(anyMessage, fc.nat(), fc.integer({ min: 0, max: 7 }), (message, place, bit) => {
        const bytes = encode(message).slice();
        const at = place % Math.max(1, bytes.length);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
        expectOnlyProtocolErrors(bytes);
      }),
      { numRuns: 500 },
    );
  });

  it('refuses random bytes, or decodes them, but throws nothing else', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), expectOnlyProtocolErrors), {
      numRuns: 500,
    });
  });

  it('refuses the empty message and one of an unknown type', () => {
    // Field 1000, wire type 2, length 0.
    for (const bytes of [new Uint8Array(0), Uint8Array.of(0xc2, 0x3e, 0)]) {
      expect(() => decode(bytes)).to.throw(FsError, 'no known body');
    }
  });

  it('names the field and the value that is wrong', () => {
    const forged = { type: 'evicted', file: 'x' } as unknown as Message;
    expect(() => decode(encode(forged))).to.not.throw();
    const where = { type: 'welcome', node: 'a b' as NodeId } as unknown as Message;
    expect(() => decode(encode(where))).to.throw(FsError, 'welcome.node is "a b"');
  });

  it('refuses a list beyond its limit', () => {
    const candidates = Array.from({ length: 17 }, (_, index) => index as FileNumber);
    const heartbeat = {
      type: 'heartbeat',
      sequence: 1,
      freePages: 1,
      oldestUseMs: 0,
      echo: 0,
      registration: 0,
    } as const;
    expect(decode(encode({ ...heartbeat, candidates: candidates.slice(1) })).type).to.equal(
      'heartbeat',
    );
    expect(() => decode(encode({ ...heartbeat, candidates }))).to.throw(
      FsError,
      'at most 16 items',
    );
  });

  it('gives bytes whose slice is a copy, so that whoever keeps them keeps them', () => {
    const sent = { type: 'read', request: 1, file: 1 as FileNumber, offset: 0, length: 1 } as const;
    expect(decode(encode(sent))).to.deep.equal(sent);
    const write = { type: 'write', request: 1, file: 1 as FileNumber, offset: 0 } as const;
    const message = decode(encode({ ...write, bytes: Uint8Array.of(1, 2, 3) }));
    if (message.type !== 'write') throw new Error(message.type);
    const kept = message.bytes.slice();
    message.bytes[0] = 9;
    expect([...kept]).to.deep.equal([1, 2, 3]);
  });
});
