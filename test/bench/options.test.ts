import { expect } from 'chai';
import { COMPARED_PEERS, PEERS } from '../../bench/transports/catalogue.ts';
import { GOALS } from '../../bench/transports/goals.ts';
import { LINKS, WORKS } from '../../bench/transports/links.ts';
import { parseBenchOptions, type BenchOptions } from '../../bench/transports/options.ts';

const parse = (...args: string[]): BenchOptions => {
  const options = parseBenchOptions(args);
  if (options === 'help') throw new Error('help was not asked for');
  return options;
};

const names = (all: readonly { readonly name: string }[]): string[] => all.map(({ name }) => name);

describe('the options of the benchmark of rudp', () => {
  it('are, by default, all links and workloads and the peers that goals compare with', () => {
    const options = parse();
    expect(names(options.links)).to.eql(names(LINKS));
    expect(names(options.peers)).to.eql(COMPARED_PEERS);
    expect(options.works).to.eql(WORKS);
    expect(options).to.include({ runs: 1, seconds: 2, pin: 'none', json: undefined });
  });

  it('choose links, peers and workloads by name', () => {
    const options = parse('--links', 'wan,lo', '--peers', 'rudp,tcp:cubic', '--work', 'rr32');
    expect(names(options.links)).to.eql(['wan', 'lo']);
    expect(names(options.peers)).to.eql(['rudp', 'tcp:cubic']);
    expect(options.works).to.eql(['rr32']);
    expect(names(parse('--peers', 'all').peers)).to.eql(names(PEERS));
  });

  it("take the file of a peer of one's own, with its variant", () => {
    const [plain, varied] = parse('--peers', './mine.mjs,/x/mine.mjs:fast').peers;
    expect(plain).to.eql({ name: './mine.mjs', module: './mine.mjs', variant: '' });
    expect(varied).to.include({ module: '/x/mine.mjs', variant: 'fast' });
  });

  it('that stand beside --quick win over what it means', () => {
    const quick = parse('--quick', '--links', 'bad');
    expect(names(quick.links)).to.eql(['bad']);
    expect(quick.seconds).to.equal(1);
  });

  it('that mean nothing are refused, with what would', () => {
    expect(() => parse('--links', 'moon')).to.throw('no link moon; there are one-cpu, lo, veth');
    expect(() => parse('--peers', 'quic')).to.throw('no peer quic; there are rudp');
    expect(() => parse('--pin', 'both')).to.throw('no pin both; there are same, split, none');
    expect(() => parse('--runs', '1.5')).to.throw('--runs is 1.5; it must be an integer');
    expect(() => parse('--seconds', '0')).to.throw('--seconds is 0; it must be above 0');
    expect(() => parse('--second', '1')).to.throw('--second');
  });
});

describe('the goals of rudp', () => {
  it('name links, workloads and peers that there are', () => {
    for (const { link, work, peer, than } of GOALS) {
      expect(LINKS.find(({ name }) => name === link)?.works, link).to.include(work);
      expect(COMPARED_PEERS).to.include(peer);
      if (than !== undefined) expect(COMPARED_PEERS).to.include(than);
    }
  });
});
