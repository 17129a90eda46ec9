/** Reads a scenario, carries its commands out, and writes the transcript of what came of them. */

import type { FileNumber, OpenPolicy } from '../../protocol/ids.ts';
import { entryOf } from '../../fileserver/server_state.ts';
import { decode } from '../../protocol/codec.ts';
import { Cluster } from './cluster.ts';
import { showCopy, showEntry, showMessage } from './show.ts';

/** What the cores said stands behind this mark; everything else is the author's. */
const OUTPUT = '    ';

interface Command {
  readonly pattern: RegExp;
  readonly run: (cluster: Cluster, ...groups: (string | undefined)[]) => void;
}

const fileOf = (text: string | undefined): FileNumber => Number(text) as FileNumber;

const same = (what: string, found: string, expected: string | undefined): void => {
  if (found !== expected) throw new Error(`${what} is ${found}, expected ${expected ?? ''}`);
};

const APPLICATION = '([a-z]\\d+(?:\\.[a-z])?)';
const NAME = '(server|[a-z]\\d+)';

const pattern = (text: string): RegExp =>
  new RegExp(`^${text.replaceAll('APP', APPLICATION).replaceAll('NAME', NAME)}$`);

const WHOLE = 1000;

const CALLS: readonly Command[] = [
  {
    pattern: pattern('APP opens (\\d+) to (read|write)'),
    run: (cluster, name = '', file, mode) => {
      const what = { file: fileOf(file), mode: mode === 'write' ? 1 : 0 };
      cluster.call(name, (request) => ({ type: 'open', request, ...what }));
    },
  },
  {
    pattern: pattern('APP reads (\\d+)(?: from (\\d+) to (\\d+))?'),
    run: (cluster, name = '', file, from = '0', to = `${WHOLE}`) => {
      const what = { file: fileOf(file), offset: Number(from), length: Number(to) - Number(from) };
      cluster.call(name, (request) => ({ type: 'read', request, ...what }));
    },
  },
  {
    pattern: pattern('APP writes (\\d+) "(.*)"(?: at (\\d+))?'),
    run: (cluster, name = '', file, text, offset = '0') => {
      const bytes = new TextEncoder().encode(text);
      const what = { file: fileOf(file), offset: Number(offset), bytes };
      cluster.call(name, (request) => ({ type: 'write', request, ...what }));
    },
  },
  {
    pattern: pattern('APP closes (\\d+)'),
    run: (cluster, name = '', file) => {
      cluster.call(name, (request) => ({ type: 'close', request, file: fileOf(file) }));
    },
  },
  {
    pattern: pattern('APP flushes(?: (\\d+))?'),
    run: (cluster, name = '', file) => {
      const what = { file: fileOf(file ?? '0'), all: file === undefined };
      cluster.call(name, (request) => ({ type: 'flush', request, ...what }));
    },
  },
  {
    pattern: pattern('(\\w+) forgets NAME'),
    run: (cluster, name = '', node = '') => {
      cluster.forget(name, node);
    },
  },
  {
    pattern: pattern('APP disconnects'),
    run: (cluster, name = '') => {
      cluster.disconnect(name);
    },
  },
  {
    // A node that errs: the cores have no other way to report what cannot be.
    pattern: pattern('NAME takes its copy of (\\d+) for one of term (\\d+)'),
    run: (cluster, name = '', file, term) => {
      const copy = cluster.cacher(name).files.get(fileOf(file));
      if (copy === undefined) throw new Error(`${name} has no copy`);
      copy.contentsTerm = Number(term);
    },
  },
  {
    pattern: pattern('NAME stops'),
    run: (cluster, name = '') => {
      cluster.stop(name);
    },
  },
];

const NETWORK: readonly Command[] = [
  {
    pattern: pattern('deliver all(?: but (.*))?'),
    run: (cluster, held) => {
      cluster.deliverAll(held?.split(', ') ?? []);
    },
  },
  {
    pattern: pattern('deliver disk(, which fails)?'),
    run: (cluster, fails) => {
      if (!cluster.finishDisk(fails !== undefined)) throw new Error('the disk has nothing to do');
    },
  },
  {
    pattern: pattern('deliver NAME > NAME(?: (\\w+))?(?: (\\d+))?'),
    run: (cluster, from = '', to = '', type, file) => {
      const about = file === undefined ? undefined : fileOf(file);
      if (!cluster.deliver(from, to, type, about)) {
        throw new Error(`no ${type ?? 'message'} is there`);
      }
    },
  },
  {
    pattern: pattern('break NAME - NAME'),
    run: (cluster, a = '', b = '') => {
      cluster.link(a, b, false);
    },
  },
  {
    pattern: pattern('join NAME - NAME'),
    run: (cluster, a = '', b = '') => {
      cluster.link(a, b, true);
    },
  },
  {
    pattern: pattern('cut NAME - NAME'),
    run: (cluster, a = '', b = '') => {
      cluster.cut(a, b, true);
    },
  },
  {
    pattern: pattern('mend NAME - NAME'),
    run: (cluster, a = '', b = '') => {
      cluster.cut(a, b, false);
    },
  },
  {
    pattern: pattern('NAME dies'),
    run: (cluster, name = '') => {
      cluster.die(name);
    },
  },
  {
    pattern: pattern('NAME comes back'),
    run: (cluster, name = '') => {
      cluster.comeBack(name);
    },
  },
  {
    pattern: pattern('server restarts'),
    run: (cluster) => {
      cluster.restartServer();
    },
  },
  {
    pattern: pattern('advance (\\d+)'),
    run: (cluster, byMs) => {
      cluster.advance(Number(byMs));
    },
  },
];

const underWay = (cluster: Cluster): string[] => {
  const lines: string[] = [];
  for (const [key, queue] of [...cluster.queues].sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const bytes of queue) lines.push(`${key} ${showMessage(decode(bytes))}`);
  }
  for (const request of cluster.disk.requests) lines.push(`disk ${request.do}`);
  return lines;
};

const EXPECTATIONS: readonly Command[] = [
  {
    pattern: pattern('expect APP waits'),
    run: (cluster, name = '') => {
      const { calls, last } = cluster.application(name);
      if (calls.size === 0) throw new Error(`${name} does not wait: ${last}`);
    },
  },
  {
    pattern: pattern('expect nothing under way'),
    run: (cluster) => {
      same('under way', underWay(cluster).join('; '), '');
      if (cluster.server.running.size > 0) throw new Error('a transaction is still running');
    },
  },
  {
    pattern: pattern('expect under way (NAME > NAME \\w+)'),
    run: (cluster, what = '') => {
      const lines = underWay(cluster);
      if (!lines.some((line) => `${line} `.startsWith(`${what} `))) {
        throw new Error(`${what} is not under way: ${lines.join('; ')}`);
      }
    },
  },
  {
    pattern: pattern('expect not under way (NAME > NAME \\w+)'),
    run: (cluster, what = '') => {
      const found = underWay(cluster).find((line) => `${line} `.startsWith(`${what} `));
      if (found !== undefined) throw new Error(`${found} is under way`);
    },
  },
  {
    pattern: pattern('expect NAME (\\d+) is (.*)'),
    run: (cluster, name = '', file, text) => {
      const found = cluster.cacher(name).files.get(fileOf(file));
      same(`file ${file ?? ''} at ${name}`, showCopy(found), text);
    },
  },
  {
    pattern: pattern('expect NAME (stopped|free \\d+)'),
    run: (cluster, name = '', what = '') => {
      if (what !== 'stopped') same(name, `free ${cluster.cacher(name).freePages}`, what);
      else if (!cluster.stopped.has(name)) throw new Error(`${name} has not stopped`);
    },
  },
  {
    pattern: pattern('expect directory (\\d+) is (.*)'),
    run: (cluster, file, text) => {
      same(`directory ${file ?? ''}`, showEntry(entryOf(cluster.server, fileOf(file))), text);
    },
  },
  {
    pattern: pattern('expect disk (\\d+) is (.*)'),
    run: (cluster, file, text) => {
      same(`disk ${file ?? ''}`, cluster.disk.show(fileOf(file)), text);
    },
  },
  {
    pattern: pattern('expect APP (.*)'),
    run: (cluster, name = '', text) => {
      const { calls, last } = cluster.application(name);
      if (calls.size > 0) throw new Error(`${name} waits, expected ${text ?? ''}`);
      same(name, last, text);
    },
  },
];

const COMMANDS = [...CALLS, ...NETWORK, ...EXPECTATIONS];

const POLICIES: readonly OpenPolicy[] = ['share', 'wait', 'fail'];

/** Leases and waits that no scenario sees the end of, unless it is about them. */
const FOREVER_MS = 1e9;

/** `cluster n1 n2 pages=2 serverPages=4 writeback=30000 policy=share degraded=refuse lease=2000 lostAfter=60000 wait=10000`. */
const startCluster = (line: string): Cluster => {
  const words = line.split(' ').slice(1);
  const value = (name: string): string | undefined =>
    words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  return new Cluster({
    nodes: words.filter((word) => !word.includes('=')),
    pages: Number(value('pages') ?? 8),
    serverPages: Number(value('serverPages') ?? 4),
    writebackMs: Number(value('writeback') ?? 30_000),
    leaseMs: Number(value('lease') ?? FOREVER_MS),
    degradedPolicy: value('degraded') === 'refuse' ? 'refuse' : 'write-through',
    lostAfterMs: Number(value('lostAfter') ?? FOREVER_MS),
    serverWaitMs: Number(value('wait') ?? FOREVER_MS),
    policy: POLICIES.find((policy) => policy === value('policy')) ?? 'share',
  });
};

/** One line; `show` prints what is under way. */
const perform = (cluster: Cluster, line: string): void => {
  if (line === 'show') {
    cluster.output.push(...underWay(cluster));
    return;
  }
  for (const command of COMMANDS) {
    const match = command.pattern.exec(line);
    if (match === null) continue;
    command.run(cluster, ...match.slice(1));
    return;
  }
  throw new Error('this is no command of a scenario');
};

/**
 * The transcript of a scenario: its own lines, each followed by what came of it. Throws for a command
 * that cannot be carried out and for an `expect` that does not hold, naming the line.
 */
export const play = (text: string): string => {
  const transcript: string[] = [];
  let cluster: Cluster | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    if (line.startsWith(OUTPUT)) continue;
    transcript.push(line);
    if (line === '' || line.startsWith('#')) continue;
    try {
      if (line.startsWith('cluster ')) {
        cluster = startCluster(line);
        continue;
      }
      if (cluster === undefined) throw new Error('a scenario begins with a cluster');
      perform(cluster, line);
      for (const each of cluster.output) transcript.push(`${OUTPUT}${each}`);
      cluster.output = [];
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const sofar = transcript.slice(-25).join('\n');
      throw new Error(
        `line ${index + 1}, "${line}": ${reason}\n${sofar}\n${cluster?.output.join('\n') ?? ''}`,
        { cause: error },
      );
    }
  }
  return transcript.join('\n');
};
