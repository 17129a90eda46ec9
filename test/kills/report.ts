/** What a soak of kills has come to, for people and for the run that counts it. Pure. */

import { SERVER } from '../../protocol/ids.ts';
import { pausesInWords } from '../../cli/load.ts';
import type { Kill, Round } from './soak.ts';
import type { WindowVerdict } from './windows.ts';

/** So many of the kills must strike while an application waits for a write. */
const LEAST_IN_FLIGHT = 0.5;

const kindOf = ({ name }: Kill): string => (name === SERVER ? 'the server' : 'a cacher');

/** How many of each name, such as "n1 40, n2 41". */
const tally = (names: readonly string[]): string => {
  const counts = new Map<string, number>();
  for (const name of [...names].sort()) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => `${name} ${count}`).join(', ') || 'none';
};

const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);

export const asText = ({ kills }: Round): string =>
  kills
    .map(({ name, whole }) => `${name} killed${whole ? '' : ' before all was whole'}`)
    .join(', ');

const inFlight = (kills: readonly Kill[]): { readonly share: number; readonly line: string } => {
  const striking = kills.filter(({ writing }) => writing.length > 0);
  const own = striking.filter(({ name, writing }) =>
    writing.some((application) => application.startsWith(`${name}.`)),
  );
  const share = striking.length / kills.length;
  const most = Math.max(...kills.map(({ writing }) => writing.length));
  const percent = `${Math.round(share * 100)} %`;
  return {
    share,
    line:
      `writes in flight when the kill struck: at ${striking.length} of ${kills.length} kills ` +
      `(${percent}; at most ${most} applications waited), of the killed node itself at ${own.length}`,
  };
};

/** The lines to print, the last of them with how many rounds passed. */
export const judgement = (
  rounds: readonly Round[],
  /** Of the look at all files when the rounds were over. */
  end: WindowVerdict,
): { readonly lines: readonly string[]; readonly failed: boolean } => {
  const kills = rounds.flatMap((round) => round.kills);
  const whole = kills.filter((kill) => kill.whole);
  const others = rounds.filter((round) => round.kills.some((kill) => !kill.whole));
  const { share, line } = inFlight(kills);
  const count = (what: 'acknowledged' | 'lookedFor' | 'lookedForAgain' | 'lostWithFiles'): number =>
    sum(rounds.map((round) => round[what]));
  const bad = rounds.filter(({ problems }) => problems.length > 0).length;
  const lost = bad + (end.problems.length > 0 ? 1 : 0);
  const pauses = ['a cacher', 'the server'].map((kind) => {
    const of = rounds.filter((round) => round.kills.every((kill) => kindOf(kill) === kind));
    const words = pausesInWords(of.map(({ pauseMs }) => pauseMs));
    return `longest wait for one call after a kill of ${kind}: ${words}, ${of.length} rounds`;
  });
  const second = others.map((round) => round.kills.map(kindOf).join(', then '));
  const lines = [
    `${whole.length} kills while every dirty file was on two nodes: ${tally(whole.map(({ name }) => name))}`,
    line,
    `${count('acknowledged')} writes acknowledged, ${count('lookedFor')} of them not overwritten ` +
      `and each looked for where it was written, ${count('lookedForAgain')} times again after later kills, and ` +
      `${end.lookedForAgain} in the end; all histories checked`,
    ...pauses,
    `second kills before all was on two nodes again, counted apart: ${tally(second)}; files that the ` +
      `cluster declared lost: ${sum(others.map((round) => round.lost.length))}, ` +
      `acknowledged writes that went with them: ${count('lostWithFiles')}`,
    'rounds with something lost that was not declared or that a node that lives had held, stale or not ' +
      `linearizable: ${lost}`,
  ];
  const idle = share < LEAST_IN_FLIGHT;
  if (idle) lines.push('too few kills struck while writes were in flight');
  lines.push(`${rounds.length - bad} passed, ${lost + (idle ? 1 : 0)} failed`);
  return { lines, failed: lost > 0 || idle };
};
