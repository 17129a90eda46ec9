import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DgramAsPromised } from 'dgram-as-promised';
import { expect } from 'chai';
import type { ClusterStatus } from '../../cli/cluster_status.ts';
import { freePorts } from '../../cli/free_ports.ts';
import { coopfs } from './coopfs.ts';

const HOST = '127.0.0.1';

const statesOf = (json: string): string[] =>
  (JSON.parse(json) as ClusterStatus).daemons.map(({ name, state }) => `${name} ${state}`);

const linesOf = (json: string): Record<string, unknown>[] =>
  json
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('a local cluster', function () {
  this.timeout(120_000);
  let folder = '';
  let dir = '';

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'coopfs-test-'));
    dir = join(folder, 'c');
  });

  afterEach(async () => {
    if (existsSync(join(dir, 'cluster.json'))) await coopfs(['cluster', 'down', '--dir', dir]);
    rmSync(folder, { recursive: true });
  });

  const setAt = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return `${name}=${join(folder, name)}`;
  };

  it('comes up, runs sets of several nodes against one another, grows, and goes down', async () => {
    const up = await coopfs(['cluster', 'up', '--dir', dir, '--cachers', '2']);
    expect(up).to.include({ status: 0, err: '' });
    expect(up.out).to.match(/^formatted .*disk\.img: 256 files/);
    const status = await coopfs(['cluster', 'status', '--dir', dir, '--json']);
    expect(statesOf(status.out)).to.deep.equal(['server up', 'n1 up', 'n2 up']);

    const writer = setAt('n1', 'open 7 1\nwrite 7 from n1\nbarrier b\nclose 7\n');
    const reader = setAt('n2', 'barrier b\nopen 7 0\nread 7 7\nexpect from n1\nclose 7\n');
    const run = await coopfs(['run', '--dir', dir, '--check', '--json', writer, reader]);
    expect(run.err).to.equal('linearizable: yes (2 operations on 1 file)\n');
    expect(run.status).to.equal(0);
    expect(linesOf(run.out).find(({ command }) => command === 'read')).to.include({
      node: 'n2',
      data: 'from n1',
      // Of two nodes the other one is the backup, which reads what it keeps for the owner.
      servedFrom: 'local',
    });
    // Dirty for the first time: its contents are no longer what filled the disk.
    const later = setAt('n1', 'open 7 0\nread 7 7\nexpect from n1\n');
    expect(await coopfs(['run', '--dir', dir, '--check', later])).to.include({ status: 0 });
    const where = await coopfs(['where', '7', '--dir', dir, '--json']);
    expect(JSON.parse(where.out)).to.include({ file: 7, state: 'dirty', owner: 'n1' });

    const add = await coopfs(['cluster', 'add', '--dir', dir]);
    expect(add.out).to.match(/^started: n3$/m);
    const again = await coopfs(['cluster', 'up', '--dir', dir]);
    expect(again.out).to.match(/^already running: server, n1, n2, n3$/m);

    const down = await coopfs(['cluster', 'down', '--dir', dir]);
    expect(down).to.include({ status: 0, err: '' });
    expect(down.out).to.equal('n1 stopped\nn2 stopped\nn3 stopped\nserver stopped\n');
    expect(readdirSync(join(dir, 'run'))).to.deep.equal([]);
    const after = await coopfs(['cluster', 'status', '--dir', dir]);
    expect(after.status).to.equal(1);
    expect(after.out).to.match(/not up in .*: server, n1, n2, n3\n$/);
  });

  it('starts again what was stopped, on the same disk with the same contents', async () => {
    await coopfs(['cluster', 'up', '--dir', dir, '--cachers', '1', '--files', '16']);
    const writer = setAt('n1', 'open 3 1\nwrite 3 kept\n');
    expect(await coopfs(['run', '--dir', dir, writer])).to.include({ status: 0 });
    await coopfs(['cluster', 'down', '--dir', dir]);
    expect(await coopfs(['fsck', '--disk', join(dir, 'disk.img')])).to.include({ status: 0 });

    const refused = await coopfs(['cluster', 'up', '--dir', dir, '--cachers', '5']);
    expect(refused.status).to.equal(2);
    expect(refused.err).to.match(/--cachers 5 differs from the cluster .* made with 1/);
    const up = await coopfs(['cluster', 'up', '--dir', dir]);
    expect(up.out).to.not.match(/formatted/);
    const reader = setAt('n1', 'open 3 0\nread 3 4\nexpect kept\n');
    expect(await coopfs(['run', '--dir', dir, '--check', reader])).to.include({ status: 0 });
  });

  it('tells why a daemon does not come up, and leaves nothing of the attempt', async () => {
    const socket = DgramAsPromised.createSocket('udp4');
    const [basePort = 0] = await freePorts(HOST, 1);
    await socket.bind(basePort, HOST);
    const ports = ['--base-port', String(basePort)];
    const failed = await coopfs(['cluster', 'up', '--dir', dir, '--cachers', '1', ...ports]);
    await socket.close();
    expect(failed.status).to.equal(1);
    expect(failed.err).to.match(/^coopfs cluster up: server ended at its start/);
    expect(failed.err).to.include(String(basePort));
    expect(readdirSync(join(dir, 'run'))).to.deep.equal([]);
    const retry = await coopfs(['cluster', 'up', '--dir', dir, '--cachers', '1']);
    expect(retry.status).to.equal(0);
  });

  it('remembers its parameters where the next start finds them', async () => {
    await coopfs(['cluster', 'up', '--dir', dir, '--cachers', '1', '--pages', '64']);
    const config = JSON.parse(readFileSync(join(dir, 'cluster.json'), 'utf8')) as {
      nodes: { pages: number }[];
    };
    expect(config.nodes.map(({ pages }) => pages)).to.deep.equal([64]);
  });

  it('serves applications without caching daemons too', async () => {
    await coopfs(['cluster', 'up', '--dir', dir, '--cachers', '0']);
    const { host, serverPort } = JSON.parse(readFileSync(join(dir, 'cluster.json'), 'utf8')) as {
      host: string;
      serverPort: number;
    };
    const set = setAt('a', 'open 1 1\nwrite 1 abc\nclose 1\nopen 1 0\nread 1 3\nexpect abc\n');
    const run = await coopfs([
      'run',
      ...['--direct', `${host}:${serverPort}`, '--key-file', join(dir, 'cluster.key')],
      ...['--check', set],
    ]);
    expect(run.status).to.equal(0);
    expect(run.out).to.match(/write 1 .* "abc" on disk$/m);
  });
});
