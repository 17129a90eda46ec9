/** Does I/O: a cacher that is killed and started again at once is served by the others from the first on. */

import { expect } from 'chai';
import { ProcessCluster } from '../../cli/process_cluster.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { get, put } from '../e2e/local_cluster.ts';

const N1 = 'n1' as NodeId;
/** Others dial it: it cannot tell them by a dial that it lives anew. */
const LAST = 'n3' as NodeId;
const FILES = [1, 2, 3, 4];
const CONTENTS = 'from n1';
/** Longer than a process takes to start, so that it comes back as another life of a member. */
const LEASE = '3s';
/** The server repeats an order after 2 s. */
const LIMIT_MS = 1500;

describe('a cacher that starts again within its lease', function () {
  this.timeout(60_000);
  let cluster: ProcessCluster;

  afterEach(async () => {
    await cluster.close();
  });

  it('reads what others own without a wait for the repeat of an order', async () => {
    cluster = await ProcessCluster.up('--cachers', '3', '--lease', LEASE);
    const owner = await cluster.at(N1);
    for (const file of FILES) await put(owner, file, CONTENTS);
    // Whatever the killed one may be the backup of is clean, and comes from n1 all the same.
    await owner.flush();
    await cluster.kill(LAST);
    await cluster.restart();
    const reader = await cluster.at(LAST);
    const startMs = performance.now();
    for (const file of FILES) expect(await get(reader, file, CONTENTS.length)).to.equal(CONTENTS);
    expect(performance.now() - startMs).to.be.lessThan(LIMIT_MS);
  });
});
