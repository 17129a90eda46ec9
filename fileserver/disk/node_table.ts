/** The node table: numbers for the names of nodes, so that a dirty mark takes eight bytes. */

import { assert } from '../../protocol/assert.ts';
import { crc32c } from '../../protocol/crc32c.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { isNodeName } from '../../protocol/ids.ts';
import { NODE_ENTRY_BYTES, NODES_MAX } from './layout.ts';
import { viewOf } from './uint53.ts';

const NAME_AT = 1;
const CHECKSUM_AT = 60;

/** The 64 bytes of one entry: length, name, checksum. An entry of zeros is free. */
export const encodeNodeEntry = (name: NodeId): Uint8Array => {
  const bytes = new Uint8Array(NODE_ENTRY_BYTES);
  bytes[0] = name.length;
  for (let at = 0; at < name.length; at++) bytes[NAME_AT + at] = name.charCodeAt(at);
  viewOf(bytes).setUint32(CHECKSUM_AT, crc32c(bytes.subarray(0, CHECKSUM_AT)), true);
  return bytes;
};

const isFree = (table: Uint8Array, start: number): boolean => {
  for (let at = start; at < start + NODE_ENTRY_BYTES; at++) if (table[at] !== 0) return false;
  return true;
};

/** The name in an entry, 'free', or 'damaged'. */
export const decodeNodeEntry = (
  bytes: Uint8Array,
): { tag: 'name'; name: NodeId } | { tag: 'free' } | { tag: 'damaged' } => {
  if (isFree(bytes, 0)) return { tag: 'free' };
  const stored = viewOf(bytes).getUint32(CHECKSUM_AT, true);
  if (stored !== crc32c(bytes.subarray(0, CHECKSUM_AT))) return { tag: 'damaged' };
  const letters = bytes.subarray(NAME_AT, NAME_AT + (bytes[0] ?? 0));
  const name = String.fromCharCode(...letters);
  return isNodeName(name) ? { tag: 'name', name } : { tag: 'damaged' };
};

type NodeEntry = ReturnType<typeof decodeNodeEntry>;

/** The entries of a whole table that are not free, by their numbers. */
export const decodeNodeTable = (table: Uint8Array): Map<number, NodeEntry> => {
  const entries = new Map<number, NodeEntry>();
  for (let number = 0; number < NODES_MAX; number++) {
    const at = number * NODE_ENTRY_BYTES;
    // Most are free: looked at in place, since this is a part of every start.
    if (isFree(table, at)) continue;
    entries.set(number, decodeNodeEntry(table.subarray(at, at + NODE_ENTRY_BYTES)));
  }
  return entries;
};

/** The table in memory. */
export class NodeNames {
  readonly #names: (NodeId | undefined)[] = new Array<NodeId | undefined>(NODES_MAX);
  readonly #numbers = new Map<NodeId, number>();

  set(number: number, name: NodeId): void {
    assert(number < NODES_MAX, `node number ${number} is below ${NODES_MAX}`);
    const before = this.#names[number];
    if (before !== undefined) this.#numbers.delete(before);
    this.#names[number] = name;
    this.#numbers.set(name, number);
  }

  name(number: number): NodeId {
    const name = this.#names[number];
    assert(name !== undefined, `node number ${number} of a dirty mark has a name`);
    return name;
  }

  has(number: number): boolean {
    return this.#names[number] !== undefined;
  }

  numberOf(name: NodeId): number | undefined {
    return this.#numbers.get(name);
  }

  /** A number without a name, or else one that no mark uses; undefined if all are in use. */
  pickNumber(inUse: () => ReadonlySet<number>): number | undefined {
    if (this.#numbers.size < NODES_MAX) return this.#names.findIndex((name) => name === undefined);
    const used = inUse();
    for (let number = 0; number < NODES_MAX; number++) if (!used.has(number)) return number;
    return undefined;
  }
}
