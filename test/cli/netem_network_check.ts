/** Does I/O: the network of a cluster by itself: what is there of it is mended, and whose it is; as root. */

import { execFile, execFileSync } from 'node:child_process';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { promisify } from 'node:util';
import { expect } from 'chai';
import {
  enterWords,
  makeNetwork,
  namespaceFile,
  networkUnavailable,
  newNetworkName,
  removeFromNetwork,
  removeNetwork,
  type ClusterNetwork,
} from '../../cli/cluster_network.ts';
import { agentPath } from '../../netem/agent_socket.ts';
import { hasNetem } from '../../netem/tc_engine.ts';
import { traces } from './network_traces.ts';

const OWNER = 'coopfs cluster 1:1';
const NODES = ['server', 'n1', 'hub'];

const ip = (words: string): string =>
  execFileSync('ip', words.split(' '), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

describe('the network of a cluster', function () {
  this.timeout(60_000);
  let network: ClusterNetwork = { name: '', subnet: '10.79.1' };

  before(function () {
    const reason = networkUnavailable();
    if (reason === undefined) return;
    console.log(`      left out: ${reason}`);
    this.skip();
  });

  beforeEach(async () => {
    network = { ...network, name: newNetworkName() };
    await makeNetwork(network, OWNER, NODES);
  });

  afterEach(async () => {
    await removeNetwork(network, OWNER);
    expect(traces(network.name)).to.deep.equal([]);
  });

  const listening = (server: Server): Promise<AddressInfo> =>
    new Promise((resolve) => {
      server.listen(0, `${network.subnet}.254`, () => {
        resolve(server.address() as AddressInfo);
      });
    });

  /** The nodes that reach this machine. */
  const reaching = async (): Promise<string[]> => {
    const server = createServer((socket) => socket.destroy());
    const { address, port } = await listening(server);
    const call = `require('net').connect(${port}, '${address}', () => process.exit())`;
    const called = NODES.map(async (node) => {
      const [program = '', ...words] = enterWords(network, node);
      const args = [...words, 'timeout', '5', process.execPath, '-e', call];
      await promisify(execFile)(program, args);
      return node;
    });
    const ended = await Promise.allSettled(called);
    server.close();
    return ended.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  };

  /** What tells a namespace, and e0 in it, from others that are made in their place. */
  const identity = (node: string): string => {
    const { ino } = statSync(namespaceFile(network, node), { bigint: true });
    return `${ino} ${ip(`-n ${network.name}-${node} -o link show e0`).split(' ', 2).join(' ')}`;
  };

  it('is mended where half of it is there, and whatever is whole stays as it is', async () => {
    expect(await reaching()).to.deep.equal(NODES);
    const { name } = network;
    const damages = {
      'a namespace that cannot be entered': () => {
        ip(`netns del ${name}-n1`);
        writeFileSync(namespaceFile(network, 'n1'), '');
      },
      'no namespace': () => ip(`netns del ${name}-n1`),
      'no device': () => ip(`-n ${name}-n1 link del e0`),
      'a device that is down': () => ip(`-n ${name}-n1 link set e0 down`),
      'no address': () => ip(`-n ${name}-n1 addr flush dev e0`),
      'a port that is not of the bridge': () => ip(`-n ${name} link set p2 nomaster`),
      'no way from this machine': () => ip(`link del ${name}`),
    };
    for (const [what, damage] of Object.entries(damages)) {
      damage();
      const before = identity('server');
      await makeNetwork(network, OWNER, NODES);
      expect(await reaching(), what).to.deep.equal(NODES);
      expect(identity('server'), what).to.equal(before);
    }
    const { ino } = statSync(namespaceFile(network, 'n1'));
    ip(`netns del ${name}`);
    await makeNetwork(network, OWNER, NODES);
    expect(await reaching(), 'no hub').to.deep.equal(NODES);
    expect(statSync(namespaceFile(network, 'n1')).ino, 'who runs in it stays in it').to.equal(ino);
  });

  /** What agents of a node are asked for while something is done. */
  const askedOf = async (node: string, work: () => Promise<void>): Promise<string> => {
    let asked = '';
    const agent = createServer((socket) => {
      socket.on('data', (bytes) => {
        asked += bytes.toString();
        socket.end('{"number":1,"cleared":[]}\n');
      });
    });
    await new Promise<void>((resolve) => {
      agent.listen(agentPath(namespaceFile(network, node)), resolve);
    });
    await work();
    agent.close();
    return asked;
  };

  it('is not touched for somebody else', async () => {
    const there = traces(network.name);
    const other = 'coopfs cluster 1:2';
    const error: unknown = await makeNetwork(network, other, NODES).catch((e: unknown) => e);
    expect(String(error)).to.match(/belongs to somebody else: its alias is coopfs cluster 1:1/);
    const asked = await askedOf('n1', async () => {
      await removeFromNetwork(network, other, ['n1']);
      await removeNetwork(network, other);
    });
    expect(asked).to.equal('');
    expect(traces(network.name)).to.deep.equal(there);
    // What was never finished is its own who knows its name.
    ip(`link del ${network.name}`);
    await removeNetwork(network, other);
    expect(traces(network.name)).to.deep.equal([]);
  });

  it('gives nodes back, and keeps the others and the hub', async () => {
    const asked = await askedOf('hub', () => removeFromNetwork(network, OWNER, ['hub', 'n9']));
    expect(asked).to.match(/"do":"clear","what":"all"/);
    const { name } = network;
    expect(traces(name)).to.deep.equal([name, name, `${name}-n1`, `${name}-server`]);
  });

  it('can be asked whether the kernel has netem, by many at once, and has nothing of it left', async () => {
    const words = [
      ['unshare', '--net', '--'],
      ...[1, 2, 3, 4].map(() => enterWords(network, 'n1')),
    ];
    const before = readdirSync('/sys/class/net');
    const answers = await Promise.all(words.map(hasNetem));
    expect(new Set(answers).size, 'they get the same answer').to.equal(1);
    expect(readdirSync('/sys/class/net')).to.deep.equal(before);
    expect(ip(`-n ${network.name}-n1 -o link`)).to.not.contain('cfs-');
  });
});
