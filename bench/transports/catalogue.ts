/** The peers there are, and what each needs. Pure. */

export interface Peer {
  /** As `--peers` and the tables name it; what follows ':' is its variant. */
  readonly name: string;
  /** Its module: rudp and tcp come with coopfs (netem/transports/peers/), others are in `peers/`; or a path. */
  readonly module: string;
  readonly variant: string;
  /** From npm, with its version: installed on demand, never a dependency of the project. */
  readonly install?: string;
  /** What TCP uses in the namespaces; undefined: what the machine uses. */
  readonly tcpCongestion?: 'bbr' | 'cubic';
  /** A bare datagram is measured where nothing is lost, with what it can carry. */
  readonly datagramsOnly?: boolean;
}

export const PEERS: readonly Peer[] = [
  { name: 'rudp', module: 'rudp', variant: '' },
  { name: 'rudp:insecure', module: 'rudp', variant: 'insecure' },
  { name: 'dgram', module: 'dgram', variant: '', datagramsOnly: true },
  { name: 'tcp', module: 'tcp', variant: '', tcpCongestion: 'bbr' },
  { name: 'tcp:cubic', module: 'tcp', variant: 'cubic', tcpCongestion: 'cubic' },
  { name: 'udx', module: 'udx', variant: '', install: 'udx-native@1.21.3' },
  { name: 'kcp', module: 'kcp', variant: '', install: 'node-kcp@1.0.13' },
  { name: 'grpc', module: 'grpc', variant: '', install: '@grpc/grpc-js@1.14.7' },
  { name: 'ws', module: 'ws', variant: '', install: 'ws@8.23.0' },
];

/** Those that a goal compares with. */
export const COMPARED_PEERS = ['rudp', 'rudp:insecure', 'dgram', 'tcp', 'kcp', 'udx'];

/** A path to a module of the same shape may stand in for a name; undefined if it is neither. */
export const findPeer = (name: string): Peer | undefined => {
  const known = PEERS.find((peer) => peer.name === name);
  if (known !== undefined || !/\.[cm]?[jt]s(:\w+)?$/.test(name)) return known;
  const [module = '', variant = ''] = name.split(/:(?=\w+$)/);
  return { name, module, variant };
};
