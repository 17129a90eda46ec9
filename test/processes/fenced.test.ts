/** Does I/O: cachers that stand still or are cut off beyond their leases serve nothing stale, and join again. */

import { expect } from 'chai';
import type { CoopFs } from '../../applib/index.ts';
import { ProcessCluster } from '../../cli/process_cluster.ts';
import { FsError } from '../../protocol/errors.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { codeOf, get, put } from '../e2e/local_cluster.ts';

const N1 = 'n1' as NodeId;
const N2 = 'n2' as NodeId;
const OLD = 'old contents';
const NEW = 'new contents';
const FILES = [1, 2, 3, 4, 5, 6, 7, 8];
/** Nobody changes it while n1 is away. */
const UNCHANGED = 9;

describe('a cacher without a lease', function () {
  this.timeout(60_000);
  let cluster: ProcessCluster;
  let first: CoopFs;
  let second: CoopFs;

  const start = async (...flags: readonly string[]): Promise<void> => {
    cluster = await ProcessCluster.up('--cachers', '3', '--pages', '128', ...flags);
    first = await cluster.at(N1);
    second = await cluster.at(N2);
    for (const file of [...FILES, UNCHANGED]) await put(second, file, OLD);
    // Clean and shared: n1 may read its copies without asking anybody.
    await second.flush();
    for (const file of [...FILES, UNCHANGED]) {
      expect(await get(first, file, OLD.length)).to.equal(OLD);
    }
  };

  /** Writes to the files on n2, which has to wait until n1 may not serve them any more. */
  const change = async (): Promise<void> => {
    await Promise.all(FILES.map((file) => put(second, file, NEW)));
  };

  const n1IsGone = async (): Promise<void> => {
    await cluster.statusWhen('n1 is no member', ({ members }) =>
      members.every(({ node }) => node !== N1),
    );
  };

  const cutOff = async (): Promise<void> => {
    const dir = ['--dir', cluster.paths.root];
    const cut = await cluster.coopfs('netem', 'partition', 'n1', '|', 'n2,n3,server', '-d', ...dir);
    expect(cut).to.include({ status: 0, err: '' });
  };

  const heal = async (): Promise<void> => {
    expect(await cluster.coopfs('netem', 'heal', '--dir', cluster.paths.root)).to.include({
      status: 0,
    });
  };

  afterEach(async () => {
    await cluster.close();
  });

  it('reads nothing stale when it goes on after it stood still, though asked before it did', async () => {
    await start();
    const files = await Promise.all(FILES.map((file) => first.open(file, 'r')));
    cluster.signal(N1, 'SIGSTOP');
    await change();
    await n1IsGone();
    // These lie in its socket: they are the first that it sees.
    const reads = files.map((file) => file.read(NEW.length));
    cluster.signal(N1, 'SIGCONT');
    const found = (await Promise.all(reads)).map((bytes) => Buffer.from(bytes).toString());
    expect(found).to.deep.equal(FILES.map(() => NEW));
    await cluster.settled();
  });

  it('fails calls with ETIMEDOUT after --server-wait while it is cut off, then joins again warm', async () => {
    await start('--server-wait', '500ms');
    await cutOff();
    await change();
    await n1IsGone();
    // A copy that was good a second ago, and a write: it may serve neither.
    for (const file of FILES) expect(await codeOf(get(first, file, 1))).to.equal('ETIMEDOUT');
    expect(await codeOf(put(first, UNCHANGED, NEW))).to.equal('ETIMEDOUT');
    await heal();
    await cluster.settled();
    // It is a member again, and may still have to reach the node that has the file, for longer than half a second.
    for (const file of FILES) {
      await cluster.until(`n1 reads file ${file}`, async () => {
        try {
          expect(await get(first, file, NEW.length)).to.equal(NEW);
          return true;
        } catch (error) {
          if (error instanceof FsError && error.code === 'ETIMEDOUT') return undefined;
          throw error;
        }
      });
    }
    // What is still the newest it has kept.
    await using unchanged = await first.open(UNCHANGED, 'r');
    const { source, bytes } = await unchanged.readDetailed(OLD.length);
    expect([source, Buffer.from(bytes).toString()]).to.deep.equal(['local', OLD]);
  });

  it('lets calls wait with --server-wait forever, and answers them when it is back', async () => {
    await start('--server-wait', 'forever');
    const files = await Promise.all(FILES.map((file) => first.open(file, 'w')));
    await cutOff();
    await change();
    await n1IsGone();
    const reads = files.map((file) => file.read(NEW.length));
    await heal();
    const found = (await Promise.all(reads)).map((bytes) => Buffer.from(bytes).toString());
    expect(found).to.deep.equal(FILES.map(() => NEW));
  });
});
