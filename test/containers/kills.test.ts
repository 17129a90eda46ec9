/** Does I/O: containers of a real cluster are killed, suspended and cut off; what was written is there. */

import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { FsError } from '../../protocol/errors.ts';
import {
  NODES,
  readFile,
  sharedCluster,
  writeFile,
  type ComposeCluster,
} from './compose_cluster.ts';

/** Longer than lease and margin together. */
const BEYOND_THE_LEASE_MS = 1500;
const FILES = [1, 2, 3, 4, 5, 6];

describe('a cluster in containers', function () {
  this.timeout(180_000);
  let cluster: ComposeCluster;
  let count = 0;

  /** Contents that were never there before, of the same length always. */
  const fresh = (): string => `written ${String(++count).padStart(8, '0')}`;

  const writeAll = async (node: string): Promise<Map<number, string>> => {
    const fs = await cluster.at(node);
    const written = new Map(FILES.map((file) => [file, fresh()]));
    for (const [file, contents] of written) await writeFile(fs, file, contents);
    return written;
  };

  const expectThere = async (written: Map<number, string>, nodes: readonly string[]) => {
    for (const node of nodes) {
      const fs = await cluster.at(node);
      for (const [file, contents] of written) {
        const found = await readFile(fs, file, contents.length);
        expect(found, `file ${file} on ${node}`).to.equal(contents);
      }
    }
  };

  /** Prints how long the cluster needed. */
  const timed = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    const begunMs = performance.now();
    const result = await work();
    console.log(`      ${what}: ${(performance.now() - begunMs).toFixed(0)} ms`);
    return result;
  };

  const others = (...gone: readonly string[]): string[] => NODES.filter((n) => !gone.includes(n));

  before(async () => {
    cluster = await sharedCluster();
  });

  beforeEach(async () => {
    await cluster.settled();
  });

  it('has everything that n1 wrote when n1 is killed before any write-back', async () => {
    const written = await writeAll('n1');
    await cluster.kill('n1');
    await timed('from the kill to all of it read on three nodes', () =>
      expectThere(written, others('n1')),
    );
    await cluster.start('n1');
    await timed('until n1 is back', () => cluster.settled());
    await expectThere(written, NODES);
  });

  it('loses nothing when the backup is killed, and then the owner', async () => {
    const written = await writeAll('n1');
    const { backup, owner } = await (await cluster.at('n1')).where(1);
    expect(owner).to.equal('n1');
    await cluster.kill(String(backup));
    await timed('from the kill of the backup to another one', () =>
      cluster.until('no dirty file is on one node', async () => {
        const status = await cluster.serverStatus();
        const gone = status.members.every(({ node }) => node !== backup);
        expect([gone, status.unprotectedFiles]).to.deep.equal([true, 0]);
      }),
    );
    await cluster.kill('n1');
    await expectThere(written, others('n1', String(backup)));
    await cluster.start('n1', String(backup));
  });

  it('has what is dirty when the server is killed and started again', async () => {
    const written = await writeAll('n2');
    await cluster.kill('server');
    await cluster.start('server');
    await timed('from the start of the server to all of it read on four nodes', () =>
      expectThere(written, NODES),
    );
    const later = await timed('until all is written anew', () => writeAll('n3'));
    await expectThere(later, NODES);
  });

  it('reads nothing stale on a node that was suspended beyond its lease', async () => {
    await expectThere(await writeAll('n1'), NODES);
    await cluster.suspend('n2');
    const later = await timed('from the pause to all written by another node', () =>
      writeAll('n3'),
    );
    await pause(BEYOND_THE_LEASE_MS);
    await cluster.resume('n2');
    await timed('from its end to all read on four nodes', () => expectThere(later, NODES));
  });

  it('has everything when a node with dirty files is cut off, and reads nothing stale there', async () => {
    const written = await writeAll('n1');
    await cluster.cutOff('n1');
    await timed('from the cut to all read on three nodes', () =>
      expectThere(written, others('n1')),
    );
    const later = await writeAll('n4');
    await cluster.reconnect('n1');
    await timed('from its end to all read on four nodes', () => expectThere(later, NODES));
  });

  it('reports what is lost when owner and backup are killed at once', async () => {
    const before = await writeAll('n1');
    const witness = await cluster.at('n1');
    const { owner, backup } = await witness.where(1);
    const survivor = others(String(owner), String(backup))[0] ?? '';
    const open = await (await cluster.at(survivor)).open(1, 'r');
    await cluster.kill(String(owner), String(backup));
    await cluster.start(String(owner), String(backup));
    const { lostFiles } = await timed('until the loss is reported', () =>
      cluster.until('the loss is in the status', async () => {
        const status = await cluster.settled();
        expect(status.lostFiles.map(({ file }) => file)).to.include(1);
        return status;
      }),
    );
    expect(await cluster.logs('server')).to.match(/file 1\b.*lost/i);
    const error = await open.read(8).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(FsError).with.property('code', 'ESTALE');
    await open.close().catch(() => undefined);
    // What is not reported is not lost.
    const lost = lostFiles.map(({ file }) => file);
    const kept = new Map([...before].filter(([file]) => !lost.includes(file)));
    await expectThere(kept, NODES);
    await expectThere(await writeAll('n2'), NODES);
  });

  it('has all data after "down" and "up"', async () => {
    const written = await writeAll('n1');
    await timed('down', () => cluster.down());
    await timed('up', () => cluster.up());
    await expectThere(written, NODES);
  });
});
