/**
 * I/O: rudp beside other transports over the same links, in the same run: `npm run bench:rudp`.
 * docs/benchmarks.md says what is measured, and how.
 */

import { appendFileSync, existsSync } from 'node:fs';
import { measureLink } from '../netem/link/measure_link.ts';
import { IpLink } from '../netem/link/ip_link.ts';
import {
  nextPort,
  startClient,
  startServer,
  type Figures,
  type Scene,
} from './transports/bench_run.ts';
import type { Peer } from './transports/catalogue.ts';
import { installPeer } from './transports/installed_peers.ts';
import type { LinkProfile, Work } from './transports/links.ts';
import { HELP, parseBenchOptions, type BenchOptions } from './transports/options.ts';
import { openPlace, peerUnavailable, placeUnavailable } from './transports/place.ts';
import { formatFigure, goalTable, linkTable, type Result } from './transports/report.ts';
import { bulk } from './transports/workloads/bulk.ts';
import { fairness } from './transports/workloads/fairness.ts';
import { firstAnswer } from './transports/workloads/first_answer.ts';
import { flood } from './transports/workloads/flood.ts';
import { oneInFlight, thirtyTwoInFlight } from './transports/workloads/requests.ts';
import { tail } from './transports/workloads/tail.ts';

const WORKLOADS: Readonly<Record<Work, (scene: Scene) => Promise<Figures>>> = {
  rr1: oneInFlight,
  rr32: thirtyTwoInFlight,
  bulk,
  tail,
  first: firstAnswer,
  fair: fairness,
  flood,
};

/** Fairness of others is known, but for one to compare with; a flood of hellos is rudp's own. */
const concerns = (work: Work, peer: Peer): boolean => {
  if (work === 'fair') return peer.name === 'rudp' || peer.name === 'tcp';
  if (work === 'flood') return peer.name === 'rudp';
  return !(peer.datagramsOnly === true && work !== 'rr1' && work !== 'rr32');
};

const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';

/** On a terminal a line that is written over; else a line each. */
const progress = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text.slice(0, 100)}`);
  else process.stderr.write(`${text}\n`);
};

interface Step {
  readonly run: number;
  readonly profile: LinkProfile;
  readonly peer: Peer;
  readonly works: readonly Work[];
}

/** What will be measured, in order; `leave` is told what will not, and why. */
const plan = (
  options: BenchOptions,
  peers: readonly Peer[],
  leave: (what: string, reason: string) => void,
): Step[] => {
  const steps: Step[] = [];
  for (let run = 1; run <= options.runs; run += 1) {
    for (const profile of options.links) {
      const reason = placeUnavailable(profile);
      if (reason !== undefined) leave(profile.name, reason);
      for (const peer of reason === undefined ? peers : []) {
        const works = profile.works.filter(
          (work) => options.works.includes(work) && concerns(work, peer),
        );
        if (works.length === 0) continue;
        const unfit = peerUnavailable(peer, profile);
        if (unfit !== undefined) leave(`${peer.name} on ${profile.name}`, unfit);
        else steps.push({ run, profile, peer, works });
      }
    }
  }
  return steps;
};

const measureStep = async (
  { run, profile, peer, works }: Step,
  options: BenchOptions,
  take: (result: Result) => void,
): Promise<void> => {
  const place = await openPlace(profile, peer, options.pin, run);
  const server = startServer(peer, place);
  const client = startClient(peer, place);
  const { seconds } = options;
  const scene: Scene = { peer, profile, place, server, client, seconds, nextPort };
  try {
    for (const work of works) {
      const result = { run, link: profile.name, peer: peer.name, work };
      try {
        take({ ...result, figures: await WORKLOADS[work](scene) });
      } catch (error) {
        take({ ...result, figures: {}, problem: messageOf(error) });
        return;
      }
    }
  } finally {
    await client.end();
    await server.end();
    await place.close();
  }
};

/** That the link does what it says, as seen from outside. */
const checkLink = async ({ settings = {} }: LinkProfile): Promise<string> => {
  const link = await IpLink.open({ ...settings, seed: 1 });
  try {
    const { medianRttMs, roundTripLoss, mbit = Number.NaN } = await measureLink(link);
    const loss = 1 - (1 - (settings.loss ?? 0)) ** 2;
    return (
      `checked: round trip ${medianRttMs.toFixed(2)} ms (${2 * (settings.delayMs ?? 0)}), ` +
      `lost there and back ${(100 * roundTripLoss).toFixed(1)} % (${(100 * loss).toFixed(1)}), ` +
      `${mbit.toFixed(0)} Mbit/s arrive (${(1 - (settings.loss ?? 0)) * (settings.rateMbit ?? 0)})`
    );
  } finally {
    await link.close();
  }
};

const printTables = async (options: BenchOptions, results: readonly Result[]): Promise<void> => {
  for (const profile of options.links) {
    const table = linkTable(results, profile.name);
    if (table === '') continue;
    console.log(`\n### ${profile.name}: ${profile.says}\n`);
    if (profile.kind === 'ip') console.log(`${await checkLink(profile)}\n`);
    console.log(table);
  }
  const goals = goalTable(results);
  if (goals !== '') console.log(`\n### Goals, medians of ${options.runs} run(s)\n\n${goals}`);
  for (const { link, peer, work, run, problem } of results) {
    if (problem !== undefined) {
      console.log(`\n${work} of ${peer} on ${link}, run ${run}: ${problem}`);
    }
  }
};

const bench = async (options: BenchOptions): Promise<void> => {
  const left = new Map<string, string>();
  const leave = (what: string, reason: string): void => {
    if (!left.has(what)) progress(`left out: ${what}: ${reason}`);
    left.set(what, reason);
  };
  const peers: Peer[] = [];
  for (const peer of options.peers) {
    if (peer.install !== undefined) progress(`installing ${peer.install}`);
    const reason = await installPeer(peer);
    if (reason === undefined) peers.push(peer);
    else leave(peer.name, `${peer.install ?? peer.module} cannot be installed: ${reason}`);
  }
  const steps = plan(options, peers, leave);
  const results: Result[] = [];
  const take = (result: Result): void => {
    results.push(result);
    const host = { node: process.version, at: new Date().toISOString() };
    if (options.json !== undefined) {
      appendFileSync(options.json, `${JSON.stringify({ ...result, ...host })}\n`);
    }
  };
  for (const [index, step] of steps.entries()) {
    const { run, profile, peer, works } = step;
    progress(
      `[${index + 1}/${steps.length}] run ${run}, ${profile.name}, ${peer.name}: ${works.join(' ')}`,
    );
    await measureStep(step, options, (result) => {
      take(result);
      const shown = Object.entries(result.figures).map(
        ([name, value]) => `${name} ${formatFigure(value)}`,
      );
      progress(`  ${result.work}: ${result.problem ?? shown.join(', ')}`);
    });
  }
  progress('');
  await printTables(options, results);
  for (const [what, reason] of left) console.log(`\nleft out: ${what}: ${reason}`);
};

const main = async (): Promise<void> => {
  try {
    const options = parseBenchOptions(process.argv.slice(2));
    if (options === 'help') console.log(HELP);
    else if (!existsSync('bench/rudp_peer.mjs')) {
      throw new Error('run it from the root of the project');
    } else await bench(options);
  } catch (error) {
    console.error(messageOf(error));
    process.exitCode = 2;
  }
};

await main();
