/** What the values of flags may look like: text in, checked values out. No defaults, no I/O. */

import { z } from 'zod';
import { SERVER, isNodeName, type NodeId } from '../protocol/ids.ts';

/** Where a daemon listens or is reached. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** sockaddr_un.sun_path has 108 bytes on Linux, one of them for the closing zero (unix(7)). */
export const SOCKET_PATH_BYTES_LIMIT = 107;

export const PORT_LIMIT = 65_535;

const encoder = new TextEncoder();

/** How many bytes a unix socket path takes; at most SOCKET_PATH_BYTES_LIMIT can be bound. */
export const socketPathBytes = (path: string): number => encoder.encode(path).length;

/** Host and port as one argument. */
export const formatHostPort = ({ host, port }: HostPort): string => `${host}:${port}`;

/** A name or an IPv4 address: rudp's sockets are IPv4. */
const parseHostPort = (text: string): HostPort | undefined => {
  const [, host, digits] = /^([^\s:[\]]+):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  return host === undefined || port > PORT_LIMIT ? undefined : { host, port };
};

/** Text that `parse` understands; anything else is refused. */
export const parsed = <T>(parse: (text: string) => T | undefined) =>
  z.string().transform((text, context): T => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: 'not understood' });
    return z.NEVER;
  });

export const flag = z.boolean();

export const filePath = z.string().min(1);

export const socketPath = filePath.refine(
  (path) => socketPathBytes(path) <= SOCKET_PATH_BYTES_LIMIT,
);

/** A whole number from `least` to `most`, in decimal digits. */
export const wholeNumber = (least: number, most: number) =>
  parsed((text) => {
    const value = Number(text);
    return /^\d{1,15}$/.test(text) && value >= least && value <= most ? value : undefined;
  });

/** HOST:PORT to listen on; port 0 lets the system choose one. */
export const listenAddress = parsed(parseHostPort);

/** HOST:PORT of somebody else. */
export const remoteAddress = parsed((text) => {
  const address = parseHostPort(text);
  return address === undefined || address.port === 0 ? undefined : address;
});

export const nodeName = parsed((text): NodeId | undefined =>
  isNodeName(text) && text !== SERVER ? text : undefined,
);

export const degradedPolicy = z.enum(['write-through', 'refuse']);
export const openPolicy = z.enum(['share', 'wait', 'fail']);

export const experimentEngine = z.enum(['relay', 'tc', 'sim']);

export const netemEngine = z.enum(['relay', 'tc']);

/** "server,n1=blue" as nodes with the namespaces they are in: by default one of their own name. */
export const namespaces = parsed((text) => {
  const pairs = text.split(',').map((each) => {
    const [node = '', namespace = node, ...more] = each.split('=');
    return { node, namespace, right: isNodeName(node) && namespace !== '' && more.length === 0 };
  });
  return pairs.every(({ right }) => right) ? pairs : undefined;
});

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export const logLevel = z.enum(LOG_LEVELS);

/** One character that a terminal shows. */
export const fillCharacter = z.string().regex(/^[\x20-\x7e]$/);

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/** A duration with its unit, such as 250ms, 30s or 2m, in milliseconds; 1 ms to a day. */
const parseDuration = (text: string): number | undefined => {
  const parts = /^(\d{1,8}(?:\.\d{1,3})?)(ms|s|m)$/.exec(text);
  const ms = Number(parts?.[1]) * (UNITS_MS[parts?.[2] ?? ''] ?? Number.NaN);
  return ms >= 1 && ms <= DAY_MS ? ms : undefined;
};
const DAY_MS = 86_400_000;

export const duration = parsed(parseDuration);

/** What "forever" is in milliseconds: no clock gets there, and JSON has it. */
export const FOREVER_MS = Number.MAX_SAFE_INTEGER;
const FOREVER = 'forever';

export const durationOrForever = parsed((text) =>
  text === FOREVER ? FOREVER_MS : parseDuration(text),
);

/** The shortest way to write a duration, as `duration` reads it. */
export const formatDuration = (ms: number): string => {
  if (ms === FOREVER_MS) return FOREVER;
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
};
