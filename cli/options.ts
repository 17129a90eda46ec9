/**
 * Every flag of every command, once: its spelling, its environment variable, its default and what a
 * right value is. Commands take what `resolveOptions` returns: complete, checked, readonly.
 */

import { Option, type Command } from 'commander';
import type { z } from 'zod';
import { BLOCK_BYTES_MAX, BLOCKS_PER_FILE_MAX, FILES_MAX } from '../fileserver/disk/layout.ts';
import { UsageError } from './exit_status.ts';
import {
  DEFAULT_LEASE_MS,
  DEFAULT_LOST_AFTER_MS,
  DEFAULT_MARGIN_MS,
  DEFAULT_SCRUB_MS,
  DEFAULT_SERVER_WAIT_MS,
} from './lease_terms.ts';
import { NETEM_OPTIONS } from './netem_options.ts';
import * as value from './option_values.ts';

const CACHERS_LIMIT = 256;
const PAGES_LIMIT = 16_777_216;

export interface OptionSpec {
  /** As commander reads it. */
  readonly flags: string;
  readonly about: string;
  readonly value: z.ZodType;
  /** Completes "… is not right: expected". */
  readonly right: string;
  readonly env?: string;
  /** The default, as it would be typed. */
  readonly fallback?: string;
}

export const OPTIONS = {
  disk: {
    flags: '--disk <file>',
    about: 'the disk image',
    value: value.filePath,
    right: 'the path of a disk image',
    env: 'COOPFS_DISK',
  },
  files: {
    flags: '--files <n>',
    about: 'how many files the disk has',
    value: value.wholeNumber(1, FILES_MAX),
    right: `a whole number from 1 to ${FILES_MAX}`,
    env: 'COOPFS_FILES',
    fallback: '256',
  },
  blockSize: {
    flags: '--block-size <bytes>',
    about: 'size of a block (and of a page in memory)',
    value: value.wholeNumber(1, BLOCK_BYTES_MAX),
    right: `a whole number of bytes from 1 to ${BLOCK_BYTES_MAX}`,
    env: 'COOPFS_BLOCK_SIZE',
    fallback: '128',
  },
  blocksPerFile: {
    flags: '--blocks-per-file <n>',
    about: 'size of every file, in blocks',
    value: value.wholeNumber(1, BLOCKS_PER_FILE_MAX),
    right: `a whole number from 1 to ${BLOCKS_PER_FILE_MAX}`,
    env: 'COOPFS_BLOCKS_PER_FILE',
    fallback: '8',
  },
  fill: {
    flags: '--fill <char>',
    about: 'fill all files with this character (default: a pattern that tells file and offset)',
    value: value.fillCharacter,
    right: 'one printable ASCII character',
  },
  force: {
    flags: '--force',
    about: 'overwrite a file that exists',
    value: value.flag,
    right: '',
    fallback: '',
  },
  node: {
    flags: '--node <name>',
    about: "the name of this node (default: this machine's, or this container's)",
    value: value.nodeName,
    right: '1 to 32 of A-Z a-z 0-9 . _ -, other than "server"; such as n1',
    env: 'COOPFS_NODE',
  },
  server: {
    flags: '--server <host:port>',
    about: 'where the file server listens',
    value: value.remoteAddress,
    right: 'HOST:PORT with a name or an IPv4 address, such as 127.0.0.1:7000',
    env: 'COOPFS_SERVER',
  },
  listen: {
    flags: '--listen <host:port>',
    about: 'the UDP address to listen on; port 0 takes any free one',
    value: value.listenAddress,
    right: 'HOST:PORT with a name or an IPv4 address, such as 127.0.0.1:7000',
    env: 'COOPFS_LISTEN',
  },
  socket: {
    flags: '--socket <path>',
    about: 'the unix socket between a cacher and its applications',
    value: value.socketPath,
    right: `a path of at most ${value.SOCKET_PATH_BYTES_LIMIT} bytes`,
    env: 'COOPFS_SOCKET',
  },
  qlog: {
    flags: '--qlog <dir>',
    about:
      'a folder for a qlog file of every connection, which qvis shows; for looking into trouble',
    value: value.filePath,
    right: 'the path of a folder',
    env: 'COOPFS_QLOG',
  },
  pages: {
    flags: '--pages <n>',
    about: 'memory of a cacher, in pages of one block',
    value: value.wholeNumber(1, PAGES_LIMIT),
    right: `a whole number from 1 to ${PAGES_LIMIT}`,
    env: 'COOPFS_PAGES',
    fallback: '32',
  },
  serverPages: {
    flags: '--server-pages <n>',
    about: 'memory of the file server, in pages of one block',
    value: value.wholeNumber(0, PAGES_LIMIT),
    right: `a whole number from 0 to ${PAGES_LIMIT}`,
    env: 'COOPFS_SERVER_PAGES',
    fallback: '128',
  },
  openPolicy: {
    flags: '--open-policy <policy>',
    about: 'what a second writer of an open file meets: share, wait or fail',
    value: value.openPolicy,
    right: 'share, wait or fail',
    env: 'COOPFS_OPEN_POLICY',
    fallback: 'share',
  },
  heartbeat: {
    flags: '--heartbeat <duration>',
    about: 'time between the heartbeats of a cacher',
    value: value.duration,
    right: 'a number with its unit, such as 100ms or 1s',
    env: 'COOPFS_HEARTBEAT',
    fallback: '100ms',
  },
  lease: {
    flags: '--lease <duration>',
    about: 'how long a cacher may serve after a heartbeat that was answered; 4 heartbeats or more',
    value: value.duration,
    right: 'a number with its unit, such as 400ms or 2s',
    env: 'COOPFS_LEASE',
    fallback: value.formatDuration(DEFAULT_LEASE_MS),
  },
  margin: {
    flags: '--margin <duration>',
    about: 'how long the server waits after a lease before it gives its holder up',
    value: value.duration,
    right: 'a number with its unit, such as 100ms or 1s',
    env: 'COOPFS_MARGIN',
    fallback: value.formatDuration(DEFAULT_MARGIN_MS),
  },
  lostAfter: {
    flags: '--lost-after <duration>',
    about: 'how long nodes with the only copies of a file may be away before these count as lost',
    value: value.duration,
    right: 'a number with its unit, such as 60s or 500ms',
    env: 'COOPFS_LOST_AFTER',
    fallback: value.formatDuration(DEFAULT_LOST_AFTER_MS),
  },
  scrubInterval: {
    flags: '--scrub-interval <duration>',
    about: 'in how long the server reads and checks its whole disk once, in the background',
    value: value.duration,
    right: 'a number with its unit, such as 60m or 30s',
    env: 'COOPFS_SCRUB_INTERVAL',
    fallback: value.formatDuration(DEFAULT_SCRUB_MS),
  },
  degraded: {
    flags: '--degraded <policy>',
    about:
      'what becomes of writes while there is one node only: write-through (to the disk) or refuse',
    value: value.degradedPolicy,
    right: 'write-through or refuse',
    env: 'COOPFS_DEGRADED',
    fallback: 'write-through',
  },
  serverWait: {
    flags: '--server-wait <duration>',
    about: 'how long a call waits for the cluster before it fails with ETIMEDOUT, or forever',
    value: value.durationOrForever,
    right: 'a number with its unit, such as 10s or 500ms, or forever',
    env: 'COOPFS_SERVER_WAIT',
    fallback: value.formatDuration(DEFAULT_SERVER_WAIT_MS),
  },
  writebackInterval: {
    flags: '--writeback-interval <duration>',
    about: 'time after which a dirty file is written to the disk',
    value: value.duration,
    right: 'a number with its unit, such as 30s or 500ms',
    env: 'COOPFS_WRITEBACK_INTERVAL',
    fallback: '30s',
  },
  keyFile: {
    flags: '--key-file <file>',
    about: 'the key of the cluster, one a line: the first is used, all are accepted',
    value: value.filePath,
    right: 'the path of a key file',
    env: 'COOPFS_KEY_FILE',
  },
  namespaces: {
    flags: '--namespaces',
    about: 'a network namespace for each daemon, for the engine tc of "coopfs netem" (Linux, root)',
    value: value.flag,
    right: '',
    fallback: '',
  },
  insecure: {
    flags: '--insecure',
    about: 'encrypt nothing and let everybody in; for benchmarks only',
    value: value.flag,
    right: '',
    fallback: '',
  },
  out: {
    flags: '--out <file>',
    about: 'the key file to make (default: the key goes to standard output)',
    value: value.filePath,
    right: 'the path of a file',
  },
  logLevel: {
    flags: '--log-level <level>',
    about: `what is logged: ${value.LOG_LEVELS.join(', ')}`,
    value: value.logLevel,
    right: `one of ${value.LOG_LEVELS.join(', ')}`,
    env: 'COOPFS_LOG_LEVEL',
    fallback: 'info',
  },
  dir: {
    flags: '--dir <dir>',
    about: 'the folder of a local cluster',
    value: value.filePath,
    right: 'the path of a folder',
  },
  cachers: {
    flags: '--cachers <n>',
    about: 'how many nodes the cluster has',
    value: value.wholeNumber(0, CACHERS_LIMIT),
    right: `a whole number from 0 to ${CACHERS_LIMIT}`,
    fallback: '4',
  },
  basePort: {
    flags: '--base-port <port>',
    about: 'the server listens here, the cachers on the ports after it (default: free ports)',
    value: value.wholeNumber(1, value.PORT_LIMIT - CACHERS_LIMIT),
    right: `a port from 1 to ${value.PORT_LIMIT - CACHERS_LIMIT}`,
  },
  count: {
    flags: '--count <n>',
    about: 'how many nodes to add',
    value: value.wholeNumber(1, CACHERS_LIMIT),
    right: `a whole number from 1 to ${CACHERS_LIMIT}`,
    fallback: '1',
  },
  name: {
    flags: '--name <name>',
    about: 'the name of the node to add (default: the next free of n1, n2, …)',
    value: value.nodeName,
    right: '1 to 32 of A-Z a-z 0-9 . _ -, other than "server"; such as n5',
  },
  direct: {
    flags: '--direct <host:port>',
    about: 'talk to the file server there, without caching daemons',
    value: value.remoteAddress,
    right: 'HOST:PORT with a name or an IPv4 address, such as 127.0.0.1:7000',
    env: 'COOPFS_DIRECT',
  },
  compose: {
    flags: '--compose',
    about: 'run in the containers of a compose cluster, one application in each',
    value: value.flag,
    right: '',
    fallback: '',
  },
  composeFile: {
    flags: '--compose-file <file>',
    about: 'the same, with this compose file (default: COMPOSE_FILE, or the one in this folder)',
    value: value.filePath,
    right: 'the path of a compose file',
  },
  check: {
    flags: '--check',
    about: 'verify that the history of all nodes together is linearizable',
    value: value.flag,
    right: '',
    fallback: '',
  },
  json: {
    flags: '--json',
    about: 'print JSON, for programs',
    value: value.flag,
    right: '',
    fallback: '',
  },
  ...NETEM_OPTIONS,
} as const satisfies Record<string, OptionSpec>;

export type OptionName = keyof typeof OPTIONS;
type Value<N extends OptionName> = z.output<(typeof OPTIONS)[N]['value']>;
type WithFallback = {
  [N in OptionName]: (typeof OPTIONS)[N] extends { readonly fallback: string } ? N : never;
}[OptionName];

/** What a command gets: every option it declared; only those that may be left out can be missing. */
export type Resolved<N extends OptionName, R extends OptionName> = {
  readonly [K in N]: K extends R | WithFallback ? Value<K> : Value<K> | undefined;
};

/** Lets `command` take the options of these names. */
export const declareOptions = (command: Command, names: readonly OptionName[]): Command => {
  for (const name of names) {
    const spec: OptionSpec = OPTIONS[name];
    const option = new Option(spec.flags, spec.about);
    // What one command means by a flag is not always what another does: --node is one of two here.
    option.attributeName = () => name;
    if (spec.env !== undefined) option.env(spec.env);
    if (spec.fallback !== undefined && spec.fallback !== '') option.default(spec.fallback);
    command.addOption(option);
  }
  return command;
};

const flagOf = (spec: OptionSpec): string => spec.flags.split(' ')[0] ?? spec.flags;

const resolveOne = (command: Command, name: OptionName, required: boolean): unknown => {
  const spec: OptionSpec = OPTIONS[name];
  const raw: unknown = command.getOptionValue(name);
  const env = spec.env === undefined ? '' : ` (or ${spec.env})`;
  if (raw === undefined) {
    if (required) throw new UsageError(`${spec.flags}${env} is missing: expected ${spec.right}`);
    return spec.fallback === undefined ? undefined : false;
  }
  const result = spec.value.safeParse(raw);
  if (result.success) return result.data;
  const origin = command.getOptionValueSource(name) === 'env' ? ` (from ${spec.env ?? ''})` : '';
  throw new UsageError(
    `${flagOf(spec)} ${JSON.stringify(raw)}${origin} is not right: expected ${spec.right}`,
  );
};

/**
 * The options of a parsed command, with defaults filled in.
 * @throws UsageError naming flag, value and what would be right.
 */
export const resolveOptions = <N extends OptionName, R extends N = never>(
  command: Command,
  names: readonly N[],
  required: readonly R[] = [],
): Resolved<N, R> =>
  Object.fromEntries(
    names.map((name) => [
      name,
      resolveOne(command, name, (required as readonly OptionName[]).includes(name)),
    ]),
  ) as Resolved<N, R>;

/** True if the option was typed, rather than taken from the environment or left to its default. */
export const wasTyped = (command: Command, name: OptionName): boolean =>
  command.getOptionValueSource(name) === 'cli';

/** `wasTyped` of one command, for what looks at several options. */
export const typedIn =
  (command: Command) =>
  (name: OptionName): boolean =>
    wasTyped(command, name);

/** An option without a value as it is typed. */
export const bareFlag = (name: OptionName): string => flagOf(OPTIONS[name]);

/** The resolved option as it would be typed, to hand it on to another process. */
export const flagFor = (name: OptionName, text: string | number): string[] => [
  flagOf(OPTIONS[name]),
  String(text),
];
