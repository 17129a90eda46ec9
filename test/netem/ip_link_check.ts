/**
 * The link as it is: namespaces, TUN devices, packets. Needs root and gcc, so `npm test` leaves it out:
 * `npm run test:link`. Counts are exact; times are only bounded by what a busy machine cannot break.
 */

import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { IpLink, linkUnavailable } from '../../netem/link/ip_link.ts';
import { measureLink } from '../../netem/link/measure_link.ts';

/** Sends datagrams there and back; answers how many came back of how many. */
const echo = async (link: IpLink): Promise<{ sent: number; back: number }> => {
  const { sent, roundTripLoss } = await measureLink(link, false);
  return { sent, back: Math.round(sent * (1 - roundTripLoss)) };
};

describe('an IP link', () => {
  before(function () {
    const reason = linkUnavailable();
    if (reason === undefined) return;
    console.log(`    no IP link here: ${reason}`);
    this.skip();
  });

  let link: IpLink;

  afterEach(async () => {
    await link.close();
  });

  it('carries everything until it is told otherwise', async () => {
    link = await IpLink.open();
    expect((await measureLink(link, false)).roundTripLoss).to.equal(0);
    const { ab, ba } = await link.stats();
    expect(ab.lost + ab.queueDropped + ba.lost + ba.queueDropped).to.equal(0);
  });

  it('delays, both ways, and is itself not late', async () => {
    link = await IpLink.open({ delayMs: 20 });
    expect((await measureLink(link, false)).medianRttMs).to.be.within(40, 45);
    expect((await link.stats()).ab.meanLateMs).to.be.below(1);
  });

  it('loses as large a share as it is told, the same packets for the same seed', async () => {
    const lost: number[] = [];
    for (const seed of [1, 1, 2]) {
      link = await IpLink.open();
      await link.set('ab', { loss: 0.2, seed });
      await link.resetStats();
      const { sent, back } = await echo(link);
      const { ab } = await link.stats();
      expect(back).to.equal(sent - ab.lost);
      expect(ab.lost / sent).to.be.within(0.17, 0.23);
      lost.push(ab.lost);
      if (lost.length < 3) await link.close();
    }
    expect(lost[0]).to.equal(lost[1]);
    expect(lost[0]).not.to.equal(lost[2]);
  });

  it('loses in bursts by Gilbert-Elliott', async () => {
    link = await IpLink.open();
    await link.set('ab', { badEnter: 0.05, badLeave: 0.25, badLoss: 1, seed: 3 });
    const { roundTripLoss } = await measureLink(link, false);
    // p / (p + r): a sixth.
    expect(roundTripLoss).to.be.within(0.11, 0.23);
  });

  it('loses exactly the next packets that it is told to', async () => {
    link = await IpLink.open();
    await link.dropNext('ab', 3);
    const { sent, back } = await echo(link);
    expect(back).to.equal(sent - 3);
    expect((await link.stats()).ab.toldLost).to.equal(3);
  });

  it('keeps to its rate, and drops what its queue cannot hold', async () => {
    link = await IpLink.open({ rateMbit: 20, queueMs: 10 });
    const { mbit = 0 } = await measureLink(link);
    expect(mbit).to.be.within(15, 22);
    const { ab } = await link.stats();
    expect(ab.queueDropped).to.be.above(0);
    expect(ab.meanDelayMs).to.be.below(12);
  });

  it('sends twice and holds back as it is told', async () => {
    link = await IpLink.open({ delayMs: 1, jitterMs: 0.5 });
    await link.set('ab', { duplicate: 1, reorder: 0.3, reorderMs: 5 });
    await echo(link);
    const { ab } = await link.stats();
    expect(ab.duplicated).to.equal(ab.packets);
    expect(ab.reordered / ab.duplicated).to.be.within(0.3, 0.9);
  });

  it('refuses what it does not understand', async () => {
    link = await IpLink.open();
    let refused: unknown;
    await link.set('ab', { delayMs: -1 }).catch((error: unknown) => (refused = error));
    expect(refused).to.be.instanceOf(RangeError);
    await link.set('ab', { delayMs: 1 });
  });

  it('leaves nothing behind, even when whoever opened it is killed', async () => {
    link = await IpLink.open();
    const links = (): number =>
      readdirSync('/proc').filter((pid) => {
        try {
          return readlinkSync(`/proc/${pid}/exe`).includes('coopfs-link-');
        } catch {
          // No process, one of the kernel's, or one that has ended meanwhile.
          return false;
        }
      }).length;
    const before = links();
    expect(before).to.be.at.least(1);
    const here = fileURLToPath(new URL('../../netem/link/ip_link.ts', import.meta.url));
    const script = `import { IpLink } from ${JSON.stringify(here)};
      await IpLink.open({ delayMs: 5 });
      process.kill(process.pid, 'SIGKILL');`;
    const child = spawnSync(
      process.execPath,
      [...process.execArgv, '--input-type=module', '--eval', script],
      { encoding: 'utf8' },
    );
    expect(child.signal, child.stderr).to.equal('SIGKILL');
    // The link ends when it has read the end of its stdin.
    for (let waited = 0; links() > before && waited < 100; waited += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(links()).to.equal(before);
  });
});
