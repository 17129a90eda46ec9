import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  checkSocketPaths,
  clusterPaths,
  freeNodeNames,
  readClusterConfig,
  requireClusterConfig,
  writeClusterConfig,
  type ClusterConfig,
} from '../../cli/cluster_config.ts';
import { cacherCommand, serverCommand } from '../../cli/cluster_daemons.ts';
import { addressAt, checkPlaces, newNetworkName } from '../../cli/cluster_network.ts';
import { UsageError } from '../../cli/exit_status.ts';
import { FOREVER_MS } from '../../cli/option_values.ts';
import { SERVER, type NodeId } from '../../protocol/ids.ts';

const node = { name: 'n1' as NodeId, port: 7001, pages: 32 };
const config: ClusterConfig = {
  host: '127.0.0.1',
  serverPort: 7000,
  serverPages: 128,
  openPolicy: 'wait',
  heartbeatMs: 100,
  leaseMs: 400,
  marginMs: 100,
  lostAfterMs: 60_000,
  degradedPolicy: 'write-through',
  scrubMs: 1_800_000,
  serverWaitMs: 10_000,
  writebackIntervalMs: 1500,
  logLevel: 'info',
  geometry: { files: 256, blockSizeBytes: 128, blocksPerFile: 8 },
  fill: 'pattern',
  nodes: [node],
};

describe('cluster.json', () => {
  let folder = '';

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'coopfs-test-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('gives back what was written', () => {
    const paths = clusterPaths(folder);
    expect(readClusterConfig(paths)).to.equal(undefined);
    writeClusterConfig(paths, config);
    expect(readClusterConfig(paths)).to.deep.equal(config);
  });

  it('from before there were leases gets the usual ones', () => {
    const paths = clusterPaths(folder);
    const old: Record<string, unknown> = { ...config };
    for (const name of ['leaseMs', 'marginMs', 'lostAfterMs', 'scrubMs', 'serverWaitMs']) {
      Reflect.deleteProperty(old, name);
    }
    writeFileSync(paths.config, JSON.stringify(old));
    expect(readClusterConfig(paths)).to.deep.equal({ ...config, scrubMs: 3_600_000 });
  });

  it('is refused with the place of what is wrong', () => {
    const paths = clusterPaths(folder);
    writeFileSync(paths.config, '{');
    expect(() => readClusterConfig(paths)).to.throw(UsageError, 'is not JSON');
    writeFileSync(paths.config, JSON.stringify({ ...config, serverPort: 70_000 }));
    expect(() => readClusterConfig(paths)).to.throw(UsageError, 'serverPort');
    const twice = JSON.stringify({ ...config, nodes: [{ ...node, name: 'server' }] });
    writeFileSync(paths.config, twice);
    expect(() => readClusterConfig(paths)).to.throw(UsageError, 'nodes.0.name');
  });

  it('that is missing is told with the command that makes it', () => {
    expect(() => requireClusterConfig(clusterPaths(folder))).to.throw(UsageError, 'cluster up');
  });
});

describe('checkSocketPaths', () => {
  it('allows 107 bytes and no more, and says what to do', () => {
    // The longest is that of the file server's agent.
    const { length } = clusterPaths('/').netem(SERVER);
    const folder = (bytes: number): string => `/${'x'.repeat(bytes - length - 1)}`;
    expect(clusterPaths(folder(107)).netem(SERVER)).to.have.length(107);
    expect(() => {
      checkSocketPaths(clusterPaths(folder(107)), [node]);
    }).to.not.throw();
    expect(() => {
      checkSocketPaths(clusterPaths(folder(108)), [node]);
    }).to.throw(UsageError, /108 bytes.* 107.*shorter path for --dir/);
  });
});

describe('the daemons of a cluster', () => {
  it('are started with everything said by flags', () => {
    const paths = clusterPaths('/c');
    expect(serverCommand(paths, config).args.join(' ')).to.equal(
      'server --disk /c/disk.img --listen 127.0.0.1:7000 --key-file /c/cluster.key' +
        ' --server-pages 128 --open-policy wait --heartbeat 100ms --lease 400ms' +
        ' --margin 100ms --lost-after 60s --netem /c/run/server.netem --scrub-interval 1800s' +
        ' --degraded write-through --log-level info',
    );
    expect(cacherCommand(paths, config, node).args.join(' ')).to.equal(
      'cacher --node n1 --server 127.0.0.1:7000 --listen 127.0.0.1:7001 --socket /c/run/n1.sock' +
        ' --key-file /c/cluster.key --pages 32 --writeback-interval 1500ms --server-wait 10s' +
        ' --netem /c/run/n1.netem --log-level info',
    );
  });

  it('are told to wait without end in the word that they understand', () => {
    const { args } = cacherCommand(
      clusterPaths('/c'),
      { ...config, serverWaitMs: FOREVER_MS },
      node,
    );
    expect(args.join(' ')).to.include(' --server-wait forever ');
  });

  it('run in their namespaces, at an address each, if the cluster has a network', () => {
    const paths = clusterPaths('/c');
    const network = { name: 'coopfs1', subnet: '10.70.3' };
    const cluster = { ...config, network };
    const server = serverCommand(paths, cluster);
    expect(server.args.join(' ')).to.include(' --listen 10.70.3.1:7000 ');
    expect(server.enter).to.deep.equal(['nsenter', '--net=/run/netns/coopfs1-server', '--']);
    const cacher = cacherCommand(paths, cluster, node);
    expect(cacher.args.join(' ')).to.include(' --server 10.70.3.1:7000 --listen 10.70.3.2:7001 ');
    expect(cacher.enter).to.include('--net=/run/netns/coopfs1-n1');
    expect(cacherCommand(paths, config, node).enter).to.deep.equal([]);
  });

  it('are at most as many as a subnet has addresses for', () => {
    const network = { name: 'coopfs1', subnet: '10.70.3' };
    expect(addressAt(network, 253)).to.equal('10.70.3.253');
    expect(() => addressAt(network, 254)).to.throw(UsageError, /at most 252 cachers, not 253/);
    checkPlaces(252);
    expect(() => {
      checkPlaces(253);
    }).to.throw(UsageError, /at most 252 cachers, not 253/);
  });

  it('have a network whose name the kernel takes, and which is theirs alone', () => {
    expect(newNetworkName())
      .to.match(/^coopfs[0-9a-f]{8}$/)
      .and.not.equal(newNetworkName());
  });

  it('get the key file of the cluster, wherever it is, or none', () => {
    const paths = clusterPaths('/c');
    const elsewhere = { ...config, keyFile: '/etc/k' };
    expect(serverCommand(paths, elsewhere).args.join(' ')).to.include(' --key-file /etc/k ');
    const { args } = cacherCommand(paths, { ...config, insecure: true }, node);
    expect(args).to.include('--insecure').and.not.include('--key-file');
  });
});

describe('freeNodeNames', () => {
  it('fills the gaps first', () => {
    expect(freeNodeNames(['n2', 'big'], 3)).to.deep.equal(['n1', 'n3', 'n4']);
    expect(freeNodeNames([], 0)).to.deep.equal([]);
  });
});
