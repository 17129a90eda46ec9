/**
 * Does I/O: the engine `tc` under a kernel that has netem, User-Mode Linux, whatever kernel this machine has:
 * `npm run test:uml`. Two of them run side by side, each on one core: one measures the profiles, one
 * runs a cluster of real daemons over one of them. Speed is nowhere looked at.
 */

import { expect } from 'chai';
import { textTable } from '../../../cli/text_table.ts';
import { faultOf, type Profile } from '../../../netem/fault.ts';
import { profileNamed, readProfiles } from '../../../netem/profile_file.ts';
import {
  chanceOf,
  judgeLoss,
  judgeRtt,
  noiseOf,
  tripsOf,
  VERDICT_TITLES,
  verdictCells,
  type RttVerdict,
  type Trips,
} from '../judgement.ts';
import { bareErrand, errandFor } from './errand.ts';
import type { Counted, Timed } from './probe.ts';
import {
  CACHERS,
  NODES,
  type DaemonOrders,
  type DaemonRecord,
  type ProfileOrders,
  type ProfileRecord,
} from './records.ts';
import { prepareCluster } from './small_cluster.ts';
import { runInside, umlUnavailable, type Records } from './user_mode_linux.ts';

const PROFILES = readProfiles();
/** Bursts of four datagrams, so that the request sets lose some in any case. */
const LOSSY = profileNamed('wifi-bad');
const DIRECTIONS = NODES.length * (NODES.length - 1);
/** Of one node: to each other one, and back. */
const NODE_DIRECTIONS = 2 * CACHERS.length;

const profileOrders = (): ProfileOrders => {
  const oneNode = errandFor(LOSSY, NODE_DIRECTIONS);
  return {
    bare: bareErrand(DIRECTIONS),
    everyLink: PROFILES.map((profile) => errandFor(profile, DIRECTIONS)),
    // Its links share one queue, in which those that come close to one another hold one another up.
    oneNode: { ...oneNode, everyUs: 2 * oneNode.everyUs, tripEveryUs: 3 * oneNode.tripEveryUs },
  };
};

interface Figures {
  readonly sent: number;
  readonly lost: number;
  readonly trips: Trips;
  readonly bare: Trips;
}

const lossesOf = (
  counted: readonly Counted[],
): { readonly sent: number; readonly lost: number } => ({
  sent: counted.reduce((sum, { sent }) => sum + sent, 0),
  lost: counted.reduce((sum, { sent, arrived }) => sum + sent - arrived, 0),
});

const mergedTrips = (timed: readonly Timed[]): Trips =>
  tripsOf(timed.flatMap(({ us }) => us.map((each) => each / 1000)));

/** All directions that the profile applies to, together. @throws if nothing was measured. */
const figuresOf = ({ target, measured, failure }: ProfileRecord): Figures => {
  if (measured === undefined) throw new Error(failure ?? 'it was not measured');
  const n1 = NODES.indexOf('n1');
  const counts = ({ from, to }: Counted | Timed): boolean =>
    target === 'all' || from === n1 || to === n1;
  return {
    ...lossesOf(measured.counted.filter(counts)),
    trips: mergedTrips(measured.timed.filter(counts)),
    bare: mergedTrips(measured.bare),
  };
};

/** With the chance in both medians: netem has no seed here. */
const judgeTrips = (profile: Profile, trips: Trips, bare: Trips): RttVerdict => {
  const faults = [faultOf(profile, 'up'), faultOf(profile, 'down')];
  return judgeRtt(faults, trips, bare, noiseOf(bare) + chanceOf(trips));
};

describe('the engine tc under User-Mode Linux', function () {
  // Whatever hangs inside is ended, with its last words, before this.
  this.timeout(600_000);
  let records: Records = [];
  let daemons: DaemonRecord = {};
  const table = [['profile', ...VERDICT_TITLES]];

  const recordOf = (profile: string, target = 'all'): ProfileRecord => {
    const record = records.find((each) => each['profile'] === profile && each['target'] === target);
    if (record === undefined) throw new Error(`nothing was told of ${profile}`);
    return record as unknown as ProfileRecord;
  };
  const found = (key: string): unknown => records.find((each) => key in each)?.[key];

  before(async function () {
    const reason = umlUnavailable();
    if (reason !== undefined) {
      console.log(`      left out: ${reason}`);
      this.skip();
    }
    const orders: DaemonOrders = { profile: LOSSY.name };
    // One that fails is told, and does not keep the other from being looked at.
    const told = (records: Promise<Records>): Promise<Records> =>
      records.catch((error: unknown) => {
        console.log(error);
        return [];
      });
    const [ofProfiles, ofDaemons] = await Promise.all([
      told(runInside('profiles_main.js', profileOrders())),
      told(runInside('daemons_main.js', orders, prepareCluster)),
    ]);
    records = ofProfiles;
    daemons = Object.fromEntries(ofDaemons.flatMap((each) => Object.entries(each)));
  });

  after(() => {
    const [left, ...right] = table[0] ?? [];
    if (table.length === 1 || left === undefined) return;
    const lines = textTable(table, ['left', ...right.map(() => 'right' as const)]);
    console.log(`\n${lines.map((line) => `      ${line}`).join('\n')}`);
  });

  /** Puts a line into the table, and fails unless loss and round trips are what the profile says. */
  const check = (profile: Profile, record: ProfileRecord): void => {
    const { sent, lost, trips, bare } = figuresOf(record);
    const loss = judgeLoss(profile.loss, sent, lost);
    const rtt = judgeTrips(profile, trips, bare);
    table.push([
      record.target === 'all' ? profile.name : `${profile.name} of n1`,
      ...verdictCells(loss, rtt),
    ]);
    expect(loss, 'loss').to.include({ met: true });
    expect(rtt, 'round trips').to.include({ met: true });
    expect(record.leftovers, 'after it was cleared').to.deep.equal([]);
  };

  for (const profile of PROFILES) {
    it(`loses and delays as ${profile.name} says, on every link, and is gone when it is cleared`, () => {
      check(profile, recordOf(profile.name));
    });
  }

  it('loses and delays what one node sends and what it gets', () => {
    check(LOSSY, recordOf(LOSSY.name, 'node'));
  });

  it('is found out where it does nothing: neither loss nor delay of any profile is met without it', () => {
    const { sent, lost } = lossesOf(found('bare') as Counted[]);
    expect(sent).to.be.greaterThan(0);
    expect(lost).to.equal(0);
    for (const profile of PROFILES) {
      const { datagrams } = errandFor(profile, DIRECTIONS);
      const { met, expected } = judgeLoss(profile.loss, datagrams * DIRECTIONS, lost);
      expect(met, `loss of ${profile.name}`).to.equal(expected === 0);
      // What half a millisecond is lies below the noise of this kernel.
      if (profile.delayMs < 1) continue;
      const { bare } = figuresOf(recordOf(profile.name));
      const { met: delayed } = judgeTrips(profile, bare, bare);
      expect(delayed, `round trips of ${profile.name}`).to.equal(false);
    }
  });

  it('leaves no agent, process or namespace when its commands have ended', () => {
    expect(found('over')).to.deep.equal({ namespaces: [], agents: [] });
  });

  it(`carries request sets of a cluster of daemons over ${LOSSY.name}, and they are linearizable`, () => {
    const { run, sent = 0, dropped = 0 } = daemons;
    console.log(`      netem lost ${dropped} of ${sent + dropped} datagrams of the daemons`);
    expect(run?.out, run?.err).to.match(/^linearizable: yes/m);
    expect(run?.status).to.equal(0);
    expect(dropped).to.be.greaterThan(0);
  });

  it('lets go of daemons that end in order, and nothing is left of the profile', () => {
    expect(daemons.stopped).to.deep.equal(NODES.map(() => 0));
    expect(daemons.leftovers).to.deep.equal([]);
  });
});
