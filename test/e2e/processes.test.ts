import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { connect } from '../../applib/index.ts';
import { clusterPaths } from '../../cli/cluster_config.ts';
import { freePorts } from '../../cli/free_ports.ts';
import { readProcessFile } from '../../cli/process_file.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { coopfs } from '../cli/coopfs.ts';
import { codeOf, get, HOST, put } from './local_cluster.ts';

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

describe('daemons as processes', function () {
  this.timeout(60_000);
  let folder = '';
  const children: ChildProcess[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'coopfs-e2e-'));
  });

  afterEach(async () => {
    if (existsSync(join(folder, 'cluster.json'))) {
      await coopfs(['cluster', 'down', '--dir', folder]);
    }
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(folder, { recursive: true });
  });

  /** Starts a daemon; resolves when it says that it serves. */
  const daemon = async (...args: string[]): Promise<ChildProcess> => {
    const child = spawn(process.execPath, ['--import', 'tsx', MAIN, ...args], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    children.push(child);
    const ready = once(child, 'message');
    const ended = once(child, 'exit').then(([status]) => {
      throw new Error(`coopfs ${args[0] ?? ''} ended with status ${String(status)}`);
    });
    await Promise.race([ready, ended]);
    ended.catch(() => undefined);
    return child;
  };

  const terminate = async (child: ChildProcess): Promise<number | null> => {
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    const [status] = (await exit) as [number | null];
    return status;
  };

  it('stop on SIGTERM in order: dirty files reach the disk, and a new cluster reads them', async () => {
    const disk = join(folder, 'disk.img');
    const socket = (node: string): string => join(folder, `${node}.sock`);
    await coopfs(['format', '--disk', disk, '--files', '16', '--fill', '-']);
    const key = ['--key-file', join(folder, 'cluster.key')];
    await coopfs(['key', '--out', join(folder, 'cluster.key')]);
    const start = async (): Promise<[ChildProcess, ChildProcess, ChildProcess]> => {
      const [port = 0] = await freePorts(HOST, 1);
      const address = `${HOST}:${port}`;
      const server = await daemon('server', '--disk', disk, '--listen', address, ...key);
      const cacher = (node: string): Promise<ChildProcess> =>
        daemon(
          'cacher',
          '--node',
          node,
          '--server',
          address,
          '--listen',
          `${HOST}:0`,
          '--socket',
          socket(node),
          ...key,
        );
      return [server, ...(await Promise.all([cacher('n1'), cacher('n2')]))];
    };
    const [server, first, second] = await start();
    const fs = await connect({ socket: socket('n1') });
    for (let number = 0; number < 4; number++) await put(fs, number, `file ${number}`);
    expect((await fs.where(3)).state).to.equal('dirty');
    const file = await fs.open(5, 'w');
    expect(await terminate(first)).to.equal(0);
    expect(await codeOf(file.write('x'))).to.equal('ECONNLOST');
    expect(existsSync(socket('n1'))).to.equal(false);
    expect(await terminate(second)).to.equal(0);
    expect(await terminate(server)).to.equal(0);
    expect(await coopfs(['fsck', '--disk', disk])).to.include({ status: 0 });
    await start();
    const again = await connect({ socket: socket('n2') });
    for (let number = 0; number < 4; number++) {
      expect(await get(again, number, 6)).to.equal(`file ${number}`);
    }
    expect(await get(again, 5, 1)).to.equal('-');
    await again.close();
  });

  it('lose nothing that was acknowledged when a node is killed, and then the server', async () => {
    const up = ['cluster', 'up', '--dir', folder, '--cachers', '3'];
    expect(await coopfs(up)).to.include({ status: 0, err: '' });
    const paths = clusterPaths(folder);
    const kill = (name: string): void => {
      const record = readProcessFile(paths.pid(name));
      expect(record, name).to.not.equal(undefined);
      if (record !== undefined) process.kill(record.pid, 'SIGKILL');
    };
    const first = await connect({ socket: paths.socket('n1' as NodeId) });
    const second = await connect({ socket: paths.socket('n2' as NodeId) });
    for (let number = 0; number < 8; number++) await put(first, number, `file ${number}`);
    kill('n1');
    // These wait until the lease of n1 is over, and no longer.
    for (let number = 0; number < 8; number++) {
      expect(await get(second, number, 6)).to.equal(`file ${number}`);
    }
    await put(second, 3, 'after');
    const { owner, backup } = await second.where(3);
    expect([owner, backup].sort()).to.deep.equal(['n2', 'n3']);
    kill('server');
    expect(await coopfs(['cluster', 'up', '--dir', folder])).to.include({ status: 0, err: '' });
    expect(await get(second, 3, 5)).to.equal('after');
    await put(second, 4, 'again');
    await second.close();
    // n1 is up again too, under its old name.
    const back = await connect({ socket: paths.socket('n1' as NodeId) });
    expect(await get(back, 4, 5)).to.equal('again');
    await back.close();
  });

  it('with a memory of one file each serve sets that fight for files, linearizably', async () => {
    const up = ['cluster', 'up', '--dir', folder, '--cachers', '3', '--pages', '8'];
    expect(await coopfs(up)).to.include({ status: 0, err: '' });
    const sets = ['n1', 'n2', 'n3'].map((node) => {
      const lines: string[] = [];
      for (let round = 0; round < 15; round++) {
        const [written, read] = [round % 3, (round + 1) % 3];
        lines.push(
          `open ${written} 1`,
          `write ${written} ${node} round ${round}`,
          `close ${written}`,
        );
        lines.push(`open ${read} 0`, `read ${read} 32`, `close ${read}`);
      }
      const path = join(folder, `${node}.set`);
      writeFileSync(path, lines.join('\n'));
      return `${node}=${path}`;
    });
    const run = await coopfs(['run', '--dir', folder, '--check', ...sets]);
    expect(run.err).to.equal('');
    expect(run.out).to.include('linearizable: yes (90 operations on 3 files)');
    expect(run.status).to.equal(0);
    const fatal = ['server', 'n1', 'n2', 'n3'].filter((name) =>
      readFileSync(join(folder, 'log', `${name}.log`), 'utf8').includes('"level":60'),
    );
    expect(fatal).to.deep.equal([]);
  });
});
