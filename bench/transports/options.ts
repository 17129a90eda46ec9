/** The options of `npm run bench:rudp`. Pure. */

import { parseArgs } from 'node:util';
import { COMPARED_PEERS, findPeer, PEERS, type Peer } from './catalogue.ts';
import { LINKS, WORKS, type LinkProfile, type Work } from './links.ts';

export const PINS = ['same', 'split', 'none'] as const;
export type Pin = (typeof PINS)[number];

export interface BenchOptions {
  readonly links: readonly LinkProfile[];
  readonly peers: readonly Peer[];
  readonly works: readonly Work[];
  readonly runs: number;
  /** Of each phase of load. */
  readonly seconds: number;
  readonly pin: Pin;
  /** A file for one JSON object a line. */
  readonly json: string | undefined;
}

export const HELP = `npm run bench:rudp -- [options]

  --links a,b    ${LINKS.map(({ name }) => name).join(', ')}; default all
  --peers a,b    ${PEERS.map(({ name }) => name).join(', ')}, all, or a file of that shape;
                 default those that a goal compares with: ${COMPARED_PEERS.join(', ')}
  --work a,b     ${WORKS.join(', ')}; default all
  --runs N       repeats everything; medians are shown (default 1)
  --seconds N    of each phase of load (default 2)
  --pin P        same: server and client on one CPU; split: one each; none (default)
  --json FILE    adds each result to FILE, an object a line
  --quick        lo and wan, rudp, tcp and kcp, a second each: about a minute
`;

const MAX_RUNS = 100;
const MAX_SECONDS = 600;
const QUICK = { links: 'lo,wan', peers: 'rudp,tcp,kcp', work: 'rr1,rr32,bulk', seconds: '1' };

const choose = <Value>(
  what: string,
  words: string | undefined,
  find: (word: string) => Value | undefined,
  all: readonly string[],
): readonly Value[] => {
  const wanted = words === undefined || words === 'all' ? all : words.split(',');
  return wanted.map((word) => {
    const found = find(word);
    if (found === undefined) {
      throw new RangeError(`no ${what} ${word}; there are ${all.join(', ')}`);
    }
    return found;
  });
};

const numberOf = (what: string, word: string, greatest: number): number => {
  const value = Number(word);
  if (value > 0 && value <= greatest) return value;
  throw new RangeError(`${what} is ${word}; it must be above 0 and at most ${greatest}`);
};

/** @throws Error for what is not understood, with what would be. 'help' if that was asked for. */
export const parseBenchOptions = (args: readonly string[]): BenchOptions | 'help' => {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      links: text,
      peers: text,
      work: text,
      runs: text,
      seconds: text,
      pin: text,
      json: text,
      quick: flag,
      help: flag,
    },
  });
  if (values.help === true) return 'help';
  const given = { ...(values.quick === true ? QUICK : {}), ...values };
  const linkNamed = (name: string): LinkProfile | undefined =>
    LINKS.find((link) => link.name === name);
  const names = PEERS.map(({ name }) => name);
  const runs = numberOf('--runs', given.runs ?? '1', MAX_RUNS);
  if (!Number.isInteger(runs)) throw new RangeError(`--runs is ${runs}; it must be an integer`);
  const [pin = 'none'] = choose(
    'pin',
    given.pin ?? 'none',
    (word) => PINS.find((each) => each === word),
    PINS,
  );
  return {
    links: choose(
      'link',
      given.links,
      linkNamed,
      LINKS.map(({ name }) => name),
    ),
    peers: choose('peer', given.peers ?? COMPARED_PEERS.join(','), findPeer, names),
    works: choose('work', given.work, (word) => WORKS.find((each) => each === word), WORKS),
    runs,
    seconds: numberOf('--seconds', given.seconds ?? '2', MAX_SECONDS),
    pin,
    json: given.json,
  };
};
