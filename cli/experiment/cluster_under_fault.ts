/** Does I/O: a cluster of processes whose lease fits a profile, the profile on all of its links, and its end. */

import { randomBytes } from 'node:crypto';
import { NO_FAULT, faultOf, type Profile } from '../../netem/fault.ts';
import { Holder, HOLD_LEASE_MS } from '../../netem/holder.ts';
import { leaseNeededMs } from '../../netem/lease_fit.ts';
import { missingInWords } from '../../netem/missing.ts';
import { planProfile } from '../../netem/plan.ts';
import { DEFAULT_LEASE_MS } from '../lease_terms.ts';
import { localCluster } from '../netem_cluster.ts';
import { formatDuration } from '../option_values.ts';
import { ProcessCluster } from '../process_cluster.ts';
import type { Context } from './experiment.ts';

/** What never was written holds this. */
export const FILL = '.';

/** The least lease that fits the profiles, in ms. */
export const leaseFor = (profiles: readonly (Profile | undefined)[]): number => {
  const needed = profiles.map((profile) =>
    leaseNeededMs(profile === undefined ? NO_FAULT : faultOf(profile, 'up')),
  );
  return Math.max(DEFAULT_LEASE_MS, Math.ceil(Math.max(0, ...needed) / 100) * 100);
};

/** Runs `work` on a cluster that is gone afterwards, however it ends. @throws when `signal` aborts. */
export const withCluster = async <T>(
  { engine, signal }: Context,
  leaseMs: number,
  flags: readonly string[],
  work: (cluster: ProcessCluster) => Promise<T>,
): Promise<T> => {
  const own = engine === 'tc' ? ['--namespaces'] : [];
  const lease = ['--lease', formatDuration(leaseMs), '--fill', FILL];
  const cluster = await ProcessCluster.up(...lease, ...own, ...flags);
  const interrupted = new Promise<never>((_, reject) => {
    const stop = (): void => {
      reject(signal.reason instanceof Error ? signal.reason : new Error('interrupted'));
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  interrupted.catch(() => undefined);
  const working = work(cluster);
  // What it still does once the cluster is gone fails, and nobody waits for it.
  working.catch(() => undefined);
  try {
    return await Promise.race([working, interrupted]);
  } finally {
    await cluster.close();
  }
};

/** The cluster by the engine of the experiments. */
export const impairedBy = (cluster: ProcessCluster, { engine }: Context) =>
  localCluster(cluster.paths.root, engine === 'tc' ? 'tc' : 'relay');

/** Runs `work` while every link has the profile; with none if there is none. */
export const underProfile = async <T>(
  cluster: ProcessCluster,
  profile: Profile | undefined,
  context: Context,
  work: () => Promise<T>,
): Promise<T> => {
  if (profile === undefined) return work();
  const { nodes, dial } = impairedBy(cluster, context);
  const id = `experiment.${randomBytes(4).toString('hex')}`;
  const holder = new Holder(planProfile(nodes, profile, { kind: 'all' }, context.seed, id), dial);
  await holder.connect();
  const [first] = (await holder.begin(HOLD_LEASE_MS)).missing;
  if (first !== undefined) {
    await holder.release();
    throw new Error(missingInWords(first));
  }
  const over = new AbortController();
  const held = holder.keep(undefined, over.signal);
  try {
    return await work();
  } finally {
    over.abort();
    await held;
  }
};
