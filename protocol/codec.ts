/** Messages to bytes and back. The only file that imports what protobufjs generated. */

import { coopfs } from './coopfs.gen.js';
import { FsError, messageOf } from './errors.ts';
import type { Field } from './fields.ts';
import { MESSAGES, type Message } from './messages.ts';

interface CheckedField {
  readonly name: string;
  readonly place: string;
  readonly check: Field<unknown>;
}

const checks = new Map<string, readonly CheckedField[]>(
  Object.entries(MESSAGES).map(([type, fields]) => [
    type,
    Object.entries(fields).map(([name, check]) => ({
      name,
      place: `${type}.${name}`,
      check: check as Field<unknown>,
    })),
  ]),
);

/** The bytes of a message; the caller owns them. */
export const encode = (message: Message): Uint8Array => {
  const envelope = { [message.type]: message } as coopfs.Envelope.$Properties;
  return coopfs.Envelope.encode(envelope).finish();
};

/**
 * The message that `bytes` hold. Its `bytes` fields are views of the argument.
 * Throws FsError EPROTO for anything else, truncated and damaged messages included.
 */
export const decode = (bytes: Uint8Array): Message => {
  let envelope: coopfs.Envelope;
  try {
    envelope = coopfs.Envelope.decode(bytes);
  } catch (error) {
    throw new FsError(
      'EPROTO',
      `undecodable message of ${bytes.length} bytes: ${messageOf(error)}`,
    );
  }
  const type = envelope.body;
  const fields = type === undefined ? undefined : checks.get(type);
  if (type === undefined || fields === undefined) {
    throw new FsError('EPROTO', `a message of ${bytes.length} bytes has no known body`);
  }
  const body = envelope[type] as unknown as Record<string, unknown>;
  const message: Record<string, unknown> = { type };
  for (const { name, place, check } of fields) message[name] = check(body[name], place);
  return message as unknown as Message;
};
