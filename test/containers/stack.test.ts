/** Does I/O: compose/stack.yaml on a swarm of one machine: a task is killed, all are updated in turn. */

import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { composeProgram } from '../../cli/compose.ts';
import { endOf } from '../cli/coopfs.ts';
import { docker, leftovers, output, removeAtTheEnd, ROOT } from './engine.ts';

const WAIT_LIMIT_MS = 120_000;
const POLL_MS = 300;
/** With the network that an engine makes for its first swarm. */
const LEAVE = 'docker swarm leave --force && docker network rm docker_gwbridge';
const FILES = [1, 2, 3];
const CACHERS = ['c1', 'c2', 'c3'];

/** Tries until it does not fail any more; fails with the last error after a while. */
const until = async <T>(what: string, attempt: () => Promise<T>): Promise<T> => {
  const begunMs = performance.now();
  while (true) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() < begunMs + WAIT_LIMIT_MS) await pause(POLL_MS);
      else throw new Error(`it never came to this: ${what}`, { cause: error });
    }
  }
};

interface Status {
  readonly dirtyFiles: number;
  readonly unprotectedFiles: number;
  readonly lostFiles: readonly unknown[];
  readonly members: readonly { readonly node: string; readonly incarnation: number }[];
}

describe('the cluster as a stack of a swarm', function () {
  this.timeout(300_000);
  const stack = `coopfs-stack-${process.pid}`;
  const secret = `${stack}-key`;
  const label = `com.docker.stack.namespace=${stack}`;
  let ownSwarm = false;

  before(async () => {
    const compose = [...(await composeProgram(join(ROOT, 'compose/compose.yaml')))];
    await output([...compose, 'build']);
    ownSwarm = (await docker('info', '--format', '{{.Swarm.LocalNodeState}}')) !== 'active';
    const leave = ownSwarm ? LEAVE : '';
    removeAtTheEnd(label, `docker stack rm ${stack}; docker secret rm ${secret}; ${leave}`);
    if (ownSwarm) await docker('swarm', 'init', '--advertise-addr', '127.0.0.1');
    const self = await docker('info', '--format', '{{.Swarm.NodeID}}');
    await docker('node', 'update', '--label-add', 'coopfs.disk=true', self);
    const child = spawn('docker', ['secret', 'create', secret, '-'], { stdio: 'pipe' });
    child.stdin.end(`${randomBytes(32).toString('hex')}\n`);
    expect((await endOf(child)).status).to.equal(0);
    const files = ['compose/stack.yaml', 'test/containers/one_machine.yaml'];
    const flags = files.flatMap((file) => ['--compose-file', join(ROOT, file)]);
    const deploy = ['docker', 'stack', 'deploy', ...flags, '--resolve-image', 'never', stack];
    await output(deploy, { COOPFS_SECRET_NAME: secret });
    await whole();
  });

  after(async () => {
    await docker('stack', 'rm', stack);
    await until('nothing is left of the stack', async () => {
      const left = await leftovers(label);
      for (const each of left.filter((one) => one.startsWith('volumes '))) {
        await docker('volume', 'rm', each.slice('volumes '.length));
      }
      expect(left).to.deep.equal([]);
    });
    await docker('secret', 'rm', secret);
    if (ownSwarm) await output(['sh', '-c', LEAVE]);
  });

  /** The running container of the file server, or of the cacher of that name. */
  const container = async (name: string): Promise<string> => {
    const service = `label=com.docker.swarm.service.name=${stack}_${name === 'server' ? name : 'cacher'}`;
    const ids = (await docker('ps', '--quiet', '--filter', service)).split('\n');
    for (const id of ids.filter((each) => each !== '')) {
      const node = await docker('exec', id, 'sh', '-c', 'echo $COOPFS_NODE');
      if (name === 'server' || node === name) return id;
    }
    throw new Error(`${name} does not run`);
  };

  const statusOfServer = async (): Promise<Status> =>
    JSON.parse(
      await docker('exec', await container('server'), 'coopfs', 'status', '--json'),
    ) as Status;

  /** Waits until all three are members, and every dirty file is on two nodes. */
  const whole = (): Promise<Status> =>
    until('three cachers are members', async () => {
      const status = await statusOfServer();
      const names = status.members.map(({ node }) => node).sort();
      expect([names, status.unprotectedFiles]).to.deep.equal([CACHERS, 0]);
      return status;
    });

  /** Runs a request set in the container of a cacher. */
  const run = async (node: string, lines: readonly string[]): Promise<void> => {
    const args = ['exec', '-i', await container(node), 'coopfs', 'run', '/dev/stdin'];
    const child = spawn('docker', args, { stdio: 'pipe' });
    child.stdin.end(lines.join('\n'));
    const { status, out, err } = await endOf(child);
    expect(status, `${node}: ${out}${err}`).to.equal(0);
  };

  const write = (node: string, text: string): Promise<void> =>
    run(
      node,
      FILES.flatMap((file) => [`open ${file} 1`, `write ${file} ${text}`, `close ${file}`]),
    );

  const expectThere = async (nodes: readonly string[], text: string): Promise<void> => {
    const lines = FILES.flatMap((file) => [
      `open ${file} 0`,
      `read ${file} ${text.length}`,
      `expect ${text}`,
      `close ${file}`,
    ]);
    for (const node of nodes) await run(node, lines);
  };

  const livesOf = ({ members }: Status): Map<string, number> =>
    new Map(members.map(({ node, incarnation }) => [node, incarnation]));

  it('has what a killed task had written, and takes the next task as a new life of its node', async () => {
    await write('c1', 'before the kill');
    const before = await whole();
    expect(before.dirtyFiles).to.equal(FILES.length);
    const begunMs = performance.now();
    await docker('kill', await container('c1'));
    await expectThere(['c2', 'c3'], 'before the kill');
    const after = await until('c1 lives again', async () => {
      const status = await whole();
      expect(livesOf(status).get('c1')).to.be.greaterThan(livesOf(before).get('c1') ?? Infinity);
      return status;
    });
    console.log(
      `      until the next task was a member: ${(performance.now() - begunMs).toFixed(0)} ms`,
    );
    expect(after.lostFiles).to.deep.equal([]);
    await expectThere(['c1'], 'before the kill');
  });

  it('has in each container what impairs its own node', async () => {
    const netem = async (...args: readonly string[]): Promise<string> =>
      docker('exec', await container('c2'), 'coopfs', 'netem', ...args);
    await netem('apply', 'dc', '--detach');
    expect(await netem('show')).to.match(/^c2: dc, to everybody/);
    expect(await netem('clear')).to.equal('cleared: dc');
  });

  it('drains each cacher before an update stops it', async () => {
    await write('c2', 'before the update');
    const before = livesOf(await whole());
    const begunMs = performance.now();
    await docker('service', 'update', '--force', '--quiet', `${stack}_cacher`);
    const after = await whole();
    console.log(
      `      the update of three cachers: ${(performance.now() - begunMs).toFixed(0)} ms`,
    );
    for (const [node, life] of livesOf(after)) {
      expect(life).to.be.greaterThan(before.get(node) ?? 0);
    }
    expect(after.lostFiles).to.deep.equal([]);
    const log = await docker('logs', await container('server'));
    for (const node of CACHERS) expect(log, node).to.match(new RegExp(`"${node} left"`));
    await expectThere(CACHERS, 'before the update');
  });

  it('finds the next server when the task of the first was killed, with all that was dirty', async () => {
    await write('c3', 'before the server');
    await docker('kill', await container('server'));
    const begunMs = performance.now();
    await whole();
    console.log(
      `      until the next server had all members: ${(performance.now() - begunMs).toFixed(0)} ms`,
    );
    await expectThere(CACHERS, 'before the server');
    expect((await statusOfServer()).lostFiles).to.deep.equal([]);
  });
});
