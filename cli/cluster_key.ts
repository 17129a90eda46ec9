/** Does I/O: the key of a cluster: where it is, what it says, and that there is one. */

import type { Command } from 'commander';
import type { Logger } from 'pino';
import { messageOf } from '../protocol/errors.ts';
import { isOpenToOthers, readKeyFile } from '../rudp/key_file.ts';
import type { Security } from '../rudp/security.ts';
import { UsageError } from './exit_status.ts';
import { wasTyped } from './options.ts';

/** Where keys come from; it can be told to another process, as keys must not be. */
export type KeySource = { readonly keyFile: string } | { readonly insecure: true };

interface KeyOptions {
  readonly keyFile: string | undefined;
  readonly insecure: boolean;
}

/**
 * The source that the options name, if one; a key file from the environment gives way to --insecure.
 * @throws UsageError if both are typed.
 */
export const keySourceOf = (command: Command, options: KeyOptions): KeySource | undefined => {
  const { keyFile, insecure } = options;
  if (insecure && keyFile !== undefined && wasTyped(command, 'keyFile')) {
    throw new UsageError('--key-file and --insecure exclude one another: use one');
  }
  if (insecure) return { insecure };
  return keyFile === undefined ? undefined : { keyFile };
};

/** The source, or UsageError if there is none. */
export const requireKeySource = (source: KeySource | undefined): KeySource => {
  if (source !== undefined) return source;
  throw new UsageError(
    'there is no cluster key: expected --key-file <file> (or COOPFS_KEY_FILE). Make one by ' +
      '"coopfs key --out cluster.key" and give every node the same file; "coopfs cluster up" ' +
      'makes one by itself, DIR/cluster.key',
  );
};

/** The keys themselves. @throws UsageError if the file cannot be read, or is none of keys. */
export const securityOf = (source: KeySource): Security => {
  if ('insecure' in source) return source;
  try {
    return { keys: readKeyFile(source.keyFile) };
  } catch (error) {
    throw new UsageError(`${messageOf(error)} ("coopfs key --out <file>" makes a right one)`);
  }
};

/** Says in the log of a daemon what is wrong with its key, if something is. */
export const warnOfKey = (source: KeySource, log: Logger): void => {
  if ('insecure' in source) {
    log.warn(
      '--insecure: nothing is encrypted, and whoever reaches this port can read and change ' +
        'every file; for benchmarks only',
    );
  } else if (isOpenToOthers(source.keyFile)) {
    const path = source.keyFile;
    log.warn(`others than its owner can read ${path}: "chmod 600 ${path}" closes it`);
  }
};
