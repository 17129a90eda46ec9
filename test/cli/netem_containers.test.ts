import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect } from 'chai';
import { NetemAgent } from '../../netem/agent.ts';
import { NO_FAULT } from '../../netem/fault.ts';
import { RelayInterceptor } from '../../netem/relay_interceptor.ts';
import { SettingTable } from '../../netem/setting_table.ts';
import { coopfs, type Ended } from './coopfs.ts';

const LONG_MS = 600_000;
const NODES = ['server', 'n1', 'n2'] as const;
const addressOf = (node: string): string => `10.0.0.${NODES.indexOf(node as 'n1') + 1}`;

/** A docker whose containers are sockets of agents in a folder: n1.relay of the daemon, n1.tc if it is there. */
const DOCKER = `#!${process.execPath}
const { existsSync } = require('node:fs');
const { createConnection } = require('node:net');
const folder = process.env.FAKE_DOCKER;
const [command, ...args] = process.argv.slice(2);
const end = (text) => { console.log(text); process.exit(); };
if (command === 'compose') end(args[0] === 'ps' ? process.env.FAKE_NODES.split(',').join('\\n') : 'v2');
if (command === 'inspect') end(JSON.stringify(args.map((id, index) => ({
  Id: id,
  State: { Running: true },
  Config: {
    Env: ['COOPFS_NODE=' + id, 'COOPFS_NETEM=' + folder + '/' + id + '.relay'],
    Labels: { 'com.docker.compose.service': id },
  },
  NetworkSettings: { Networks: { net: { IPAddress: '10.0.0.' + (index + 1) } } },
}))));
const shell = args.indexOf('sh');
const tc = folder + '/' + args[shell - 1] + '.tc';
if (args[shell + 2].startsWith('test -e ')) {
  if (existsSync(tc)) end('yes');
  process.exit(1);
}
const socket = createConnection(args.includes('root') ? tc : args.at(-1));
socket.on('error', (error) => { console.error(error.message); process.exit(1); });
socket.on('close', () => process.exit());
process.stdin.pipe(socket).pipe(process.stdout);
`;

describe('coopfs netem on containers with agents of both engines', function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'coopfs-containers-'));
  const agents = new Map<string, { readonly agent: NetemAgent; readonly table: SettingTable }>();

  const startAgent = async (name: string): Promise<void> => {
    const table = new SettingTable();
    const agent = await NetemAgent.listen(join(folder, name), table, new RelayInterceptor(table));
    agents.set(name, { agent, table });
  };

  before(async () => {
    writeFileSync(join(folder, 'docker'), DOCKER, { mode: 0o755 });
    for (const node of NODES) await startAgent(`${node}.relay`);
    await startAgent('n1.tc');
  });

  after(async () => {
    for (const { agent } of agents.values()) await agent.close();
    rmSync(folder, { recursive: true });
  });

  const netem = (...args: readonly string[]): Promise<Ended> =>
    coopfs(['netem', ...args, '--compose'], {
      env: {
        PATH: `${folder}${delimiter}${process.env['PATH'] ?? ''}`,
        FAKE_DOCKER: folder,
        FAKE_NODES: NODES.join(','),
      },
    });

  /** Has an agent hold that what it sends to a peer is late. */
  const hold = (name: string, label: string, peer: string, delayMs: number): void => {
    const rules = [{ direction: 'out', peer, fault: { ...NO_FAULT, delayMs } } as const];
    const setting = { id: label, kind: 'profile', label, seed: 1, rules } as const;
    agents.get(name)?.table.hold(setting, LONG_MS, performance.now());
  };

  const holdTwo = (): void => {
    hold('n1.relay', 'inside', `${addressOf('n2')}:7000`, 10);
    hold('n1.tc', 'outside', addressOf('n2'), 30);
  };

  it('shows what either engine holds, and what both do to a link', async () => {
    holdTwo();
    const { out, err } = await netem('show', '--json', '--probes', '0');
    expect(err).to.equal('');
    const { engine, settings, links } = JSON.parse(out) as {
      engine: string;
      settings: { node: string; engine: string; settings: { label: string }[] }[];
      links: { from: string; to: string; rttConfiguredMs: number }[];
    };
    expect(engine).to.equal('relay');
    const held = settings.flatMap((each) =>
      each.settings.map(({ label }) => `${each.engine} at ${each.node}: ${label}`),
    );
    expect(held).to.deep.equal(['relay at n1: inside', 'tc at n1: outside']);
    expect(settings, 'no agent is asked that is not there').to.have.length(4);
    const trips = links.map(({ from, to, rttConfiguredMs }) => `${from}>${to} ${rttConfiguredMs}`);
    expect(trips).to.include.members(['n1>n2 40', 'n2>n1 40', 'server>n1 0']);
    expect(trips).to.have.length(6);
  });

  it('clears what either engine holds, or the one that is named', async () => {
    holdTwo();
    const one = await netem('clear', '--engine', 'relay');
    expect(one).to.deep.equal({ status: 0, out: 'cleared: inside\n', err: '' });
    const rest = await netem('clear', '--all');
    expect(rest).to.deep.equal({ status: 0, out: 'cleared: outside\n', err: '' });
  });

  it('fails if a node is not reached, and has cleared the others', async () => {
    await agents.get('server.relay')?.agent.close();
    hold('n2.relay', 'more', addressOf('n1'), 10);
    const { status, out, err } = await netem('clear');
    expect(err).to.match(/^server is not reached: .*\n$/);
    expect(out).to.equal('cleared at the other nodes: more\n');
    expect(status).to.equal(1);
    await startAgent('server.relay');
  });
});
