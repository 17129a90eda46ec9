/** Messages, answers and states as one line of a transcript each. */

import type { CachedFile } from '../../cacher/cached_file.ts';
import type { DirectoryEntry } from '../../fileserver/directory_entry.ts';
import { formatTerm, formatVersion, type Order, type Version } from '../../protocol/ids.ts';
import type { Message } from '../../protocol/messages.ts';

/** Bytes of a scenario are printable; zeros would show that something was never filled. */
export const showBytes = (bytes: Uint8Array): string =>
  JSON.stringify(String.fromCharCode(...bytes));

const isVersion = (value: object): value is Version => 'counter' in value;
const isOrder = (value: object): value is Order => 'sequence' in value;

/** Fields that are terms on their own; `base` of a backup write is a version. */
const TERMS: ReadonlySet<string> = new Set(['term', 'base', 'ungranted']);

const showField = (name: string, value: unknown): string => {
  if (value === true) return name;
  if (value === undefined || value === false || value === '') return '';
  if (value instanceof Uint8Array) return value.length > 0 ? `${name}=${showBytes(value)}` : '';
  if (Array.isArray(value)) return value.length > 0 ? `${value.length} ${name}` : '';
  if (typeof value === 'object' && value !== null) {
    if (isVersion(value)) return `${name}=${formatVersion(value)}`;
    if (isOrder(value)) return `#${value.sequence}`;
    return '';
  }
  if (TERMS.has(name) && typeof value === 'number') return `${name}=${formatTerm(value)}`;
  return typeof value === 'string' || typeof value === 'number' ? `${name}=${value}` : '';
};

/** `getModified 7 request=1 holds`: false, empty and absent fields are left out. */
export const showMessage = (message: Message): string => {
  const parts: string[] = [message.type];
  if ('file' in message) parts.push(String(message.file));
  for (const [name, value] of Object.entries(message)) {
    if (name === 'type' || name === 'file') continue;
    parts.push(showField(name, value));
  }
  return parts.filter((part) => part !== '').join(' ');
};

/** What an application was told, in words. */
export const showAnswer = (message: Message): string => {
  switch (message.type) {
    case 'readDone':
      return `read ${showBytes(message.bytes)} from ${message.source}`;
    case 'writeDone':
      return `wrote ${message.count} bytes, ${message.copies === 0 ? 'disk' : `${message.copies} memories`}${message.degraded ? ' (degraded)' : ''}`;
    case 'forgotten':
      return `forgotten, ${message.files} files`;
    case 'failed':
      return `failed ${message.code}`;
    default:
      return message.type;
  }
};

/** `modified 1.1 "abc....."`; just the state where there are no contents. */
export const showCopy = (cached: CachedFile | undefined): string => {
  if (cached === undefined) return 'invalid';
  const { copy, version, bytes } = cached;
  if (bytes.length === 0) return copy;
  return `${copy} ${formatVersion(version)} ${showBytes(bytes)}`;
};

/** `dirty owner n1 backup n2 sharers n3`. */
export const showEntry = (entry: DirectoryEntry): string => {
  const parts: string[] = [entry.state];
  if (entry.owner !== undefined) parts.push(`owner ${entry.owner}`);
  if (entry.backup !== undefined) parts.push(`backup ${entry.backup}`);
  if (entry.sharers.size > 0) parts.push(`sharers ${[...entry.sharers].sort().join(' ')}`);
  if (entry.unavailable) parts.push('unavailable');
  return parts.join(' ');
};
