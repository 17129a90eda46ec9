/** Does I/O: what flush and forget do to real daemons, and what `cluster status` tells of a cluster in trouble. */

import { expect } from 'chai';
import { ProcessCluster, type Ran } from '../../cli/process_cluster.ts';
import { SERVER, type NodeId } from '../../protocol/ids.ts';
import { codeOf, get, put } from '../e2e/local_cluster.ts';

const N1 = 'n1' as NodeId;
const ON_DISK = 'on the disk';
const LATER = 'in memories';

describe('a cluster of processes', function () {
  this.timeout(60_000);
  let cluster: ProcessCluster;

  const coopfs = async (...args: readonly string[]): Promise<Ran> =>
    cluster.coopfs(...args, '--dir', cluster.paths.root);

  /** `coopfs cluster status`, as people read it. */
  const statusText = async (): Promise<string> => (await coopfs('cluster', 'status')).out;

  /** Kills owner and backup of the file; resolves with their names and those of the others. */
  const killHolders = async (file: number): Promise<{ gone: NodeId[]; left: NodeId[] }> => {
    const { owner, backup } = await (await cluster.at(SERVER)).where(file);
    const gone = cluster.nodes.filter((node) => node === owner || node === backup);
    expect(gone).to.have.length(2);
    await Promise.all(gone.map((node) => cluster.kill(node)));
    return { gone, left: cluster.nodes.filter((node) => !gone.includes(node)) };
  };

  afterEach(async () => {
    await cluster.close();
  });

  it('has on its disk what was flushed, whatever is killed then', async () => {
    cluster = await ProcessCluster.up('--cachers', '2', '--fill', '.', '--lost-after', '1s');
    const fs = await cluster.at(N1);
    await put(fs, 1, ON_DISK);
    await put(fs, 2, ON_DISK);
    expect(await coopfs('flush', '1')).to.deep.equal({
      status: 0,
      out: 'file 1 is on the disk\n',
      err: '',
    });
    expect((await cluster.status()).dirtyFiles).to.equal(1);
    expect((await coopfs('flush', '--all')).out).to.equal('everything is on the disk\n');
    expect((await cluster.status()).dirtyFiles).to.equal(0);
    await using file = await fs.open(3, 'w');
    await file.write(ON_DISK);
    await file.flush();
    await put(fs, 4, LATER);
    for (const name of [...cluster.nodes, SERVER]) await cluster.kill(name);
    await cluster.restart();
    const { lostFiles } = await cluster.statusWhen(
      'file 4 is lost',
      (now) => now.lostFiles.length > 0,
    );
    expect(lostFiles.map((lost) => lost.file)).to.deep.equal([4]);
    const again = await cluster.at(N1);
    for (const each of [1, 2, 3]) expect(await get(again, each, ON_DISK.length)).to.equal(ON_DISK);
    expect(await get(again, 4, 3)).to.equal('...');
  });

  it('waits for the holders of a file until they are forgotten, and says what is lost then', async () => {
    cluster = await ProcessCluster.up('--cachers', '4', '--server-wait', '1s');
    await put(await cluster.at(N1), 7, ON_DISK);
    await (await cluster.at(N1)).flush(7);
    await put(await cluster.at(N1), 7, LATER);
    const { gone, left } = await killHolders(7);
    const [reader] = left;
    if (reader === undefined) throw new Error('nobody is left');
    const fs = await cluster.at(reader);
    await using open = await fs.open(7, 'r');
    await cluster.statusWhen('it is unavailable', (status) => status.unavailableFiles === 1);
    expect(await statusText()).to.match(/^server .* unavailable 1\b/m);
    expect(await codeOf(open.read(1))).to.equal('ETIMEDOUT');
    expect((await coopfs('forget', reader)).err).to.include(`${reader} is a member of the cluster`);
    for (const node of gone) {
      const { out } = await coopfs('forget', node);
      expect(out).to.match(new RegExp(`^${node} is forgotten: 1 file waited for it`));
    }
    const { lostFiles } = await cluster.statusWhen(
      'it is lost',
      (status) => status.lostFiles.length === 1,
    );
    expect(lostFiles[0]?.holders).to.have.members(gone);
    const text = await statusText();
    expect(text)
      .to.match(/^server .* lost 1\b/m)
      .and.not.include('unavailable');
    expect(text).to.match(/^ {2}lost: the newest contents of file 7$/m);
    expect(await codeOf(open.read(1))).to.equal('ESTALE');
    expect(await get(await cluster.at(reader), 7, ON_DISK.length)).to.equal(ON_DISK);
  });

  it('tells which files are on one node only, and that one node alone is degraded', async () => {
    cluster = await ProcessCluster.up('--cachers', '3');
    await put(await cluster.at(N1), 7, LATER);
    const { owner, backup } = await (await cluster.at(SERVER)).where(7);
    const third = cluster.nodes.find((node) => node !== owner && node !== backup);
    if (third === undefined || owner === undefined) throw new Error('the file has no owner');
    // The only node that could take the second copy cannot be reached by the one that has the first.
    expect(await coopfs('netem', 'partition', String(backup), '|', third, '-d')).to.include({
      status: 0,
    });
    await cluster.kill(owner);
    await cluster.statusWhen('it is on one node', (now) => now.unprotectedFiles === 1);
    expect(await statusText()).to.match(/^server .* on one node only 1\b/m);
    // It tells of the one that is dead, and heals the others.
    const healed = await coopfs('netem', 'heal');
    expect(healed).to.deep.include({ status: 1 });
    expect(healed.err).to.match(new RegExp(`^${owner} is not reached: .*ECONNREFUSED.*\n$`));
    await cluster.statusWhen('it is on two', (now) => now.unprotectedFiles === 0);
    const whole = await statusText();
    expect(whole).to.match(/^server .* last re-protection \d+ ms/m);
    expect(whole).to.not.match(/on one node only|degraded/);
    await cluster.kill(third);
    await cluster.statusWhen('there is one node', (now) => now.degraded);
    expect(await statusText()).to.match(/^server .* degraded: writes go to the disk/m);
  });

  it('takes the flags of its daemons at "cluster up", also when it is started again', async () => {
    const flags = ['--degraded', 'refuse', '--scrub-interval', '1s', '--lost-after', '1s'];
    cluster = await ProcessCluster.up('--cachers', '1', ...flags);
    const passes = async (): Promise<number> =>
      ((await cluster.status()) as unknown as { scrub: { passes: number } }).scrub.passes;
    for (const round of ['first', 'second']) {
      expect(await codeOf(put(await cluster.at(N1), 1, LATER)), round).to.equal('EROFS');
      await cluster.until('the disk is scrubbed', async () =>
        (await passes()) > 0 ? true : undefined,
      );
      expect(await coopfs('cluster', 'down')).to.include({ status: 0 });
      expect(await coopfs('cluster', 'up')).to.include({ status: 0 });
    }
    const other = await coopfs('cluster', 'up', '--scrub-interval', '5s');
    expect(other.err).to.include('--scrub-interval 5s differs from the cluster');
  });
});
