import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { faultOf } from '../../netem/fault.ts';
import {
  faultInWords,
  parseLoss,
  parseMs,
  parsePercent,
  parseRate,
} from '../../netem/fault_words.ts';
import { leaseNeededMs, leaseWarning } from '../../netem/lease_fit.ts';
import { yieldedLoss } from '../../netem/loss_yield.ts';
import { parseProfiles, profileNamed, readProfiles } from '../../netem/profile_file.ts';

const TEXT = readFileSync(new URL('../../netem/profiles.yaml', import.meta.url), 'utf8');

describe('the profiles', () => {
  it('are those of the vocabulary', () => {
    expect(readProfiles().map(({ name }) => name)).to.deep.equal([
      'dc',
      'dc-lossy',
      'wifi',
      'wifi-bad',
      'lte',
      '3g',
      'transcontinental',
      'geo-satellite',
      'jepsen',
      'lossy',
      'narrow',
    ]);
  });

  it('name the source of every figure', () => {
    const figures = TEXT.split('\n').filter((line) => /^ {2}(?!about)\w+:/.test(line));
    expect(figures).to.have.length(9 * 11);
    for (const line of figures) {
      expect(line).to.match(/ # (chosen|comcast|Loadero|Jepsen)\b/);
    }
  });

  it('are read with their units', () => {
    expect(profileNamed('lte')).to.deep.include({
      delayMs: 22,
      jitterMs: 7,
      distribution: 'normal',
      loss: { model: 'random', probability: 0.002, correlation: 0 },
      rate: { up: 50e6, down: 100e6 },
    });
    expect(faultOf(profileNamed('geo-satellite'), 'down').rate).to.equal(1e6);
    expect(faultOf(profileNamed('geo-satellite'), 'up').rate).to.equal(250e3);
    expect(faultOf(profileNamed('dc'), 'up').rate).to.equal(undefined);
  });

  it('are told in words', () => {
    expect(faultInWords(faultOf(profileNamed('wifi-bad'), 'up'))).to.equal(
      'delay 25 ± 20 ms, loss 3.846 % in bursts of 4 (Gilbert-Elliott 1 % 25 %), 5 Mbit/s',
    );
  });

  it('have no other name: the error tells those there are', () => {
    expect(() => profileNamed('wify')).to.throw(/no profile "wify": expected one of dc, dc-lossy/);
  });

  for (const [what, from, to, message] of [
    ['an unknown word', 'delay: 20ms', 'delay: 20ms\n  latency: 20ms', /wifi: .*latency/],
    [
      'a missing word',
      'delay: 20ms',
      '',
      /wifi\.delay: it is missing: expected a duration such as 20ms/,
    ],
    [
      'a number without unit',
      'delay: 20ms',
      'delay: "20"',
      /wifi\.delay: "20" is not right: expected a duration/,
    ],
    ['a loss above all', 'random 0.2%', 'random 200%', /wifi\.loss: "random 200%" is not right/],
    ['a rate of nothing', '30mbit', '0mbit', /wifi\.rate: "0mbit" is not right/],
  ] as const) {
    it(`are refused for ${what}`, () => {
      const start = TEXT.indexOf('\nwifi:');
      const wifi = TEXT.slice(start, TEXT.indexOf('\nwifi-bad:')).replace(from, to);
      expect(() => parseProfiles(wifi, 'x.yaml')).to.throw(message);
    });
  }

  it('are refused if the file is no YAML', () => {
    expect(() => parseProfiles('a: [', 'x.yaml')).to.throw(/x\.yaml is not YAML/);
  });
});

describe('the words of faults', () => {
  it('are read', () => {
    expect(parseMs('0.25ms')).to.equal(0.25);
    expect(parseMs('1.5s')).to.equal(1500);
    expect(parsePercent('0.5%')).to.equal(0.005);
    expect(parseRate('none')).to.equal('none');
    expect(parseRate('1gbit')).to.deep.equal({ up: 1e9, down: 1e9 });
    expect(parseLoss('none')).to.deep.equal({ model: 'none' });
    expect(parseLoss('random 20% correlation 75%')).to.deep.equal({
      model: 'random',
      probability: 0.2,
      correlation: 0.75,
    });
  });

  for (const text of [
    'random',
    'random 1',
    'random 1% 2%',
    'gilbert-elliott 1%',
    'none 1%',
    'bursts',
  ]) {
    it(`are not "${text}"`, () => {
      expect(parseLoss(text)).to.equal(undefined);
    });
  }

  it('are no nonsense', () => {
    expect([parseMs('ms'), parseMs('-1ms'), parseMs('1h')]).to.deep.equal([
      undefined,
      undefined,
      undefined,
    ]);
    expect([parsePercent('101%'), parsePercent('5')]).to.deep.equal([undefined, undefined]);
    expect([parseRate('1mbit/'), parseRate('1/2/3')]).to.deep.equal([undefined, undefined]);
  });
});

describe('what a loss model yields', () => {
  it('is its nominal figure without correlation', () => {
    expect(yieldedLoss({ model: 'random', probability: 0.2, correlation: 0 })).to.equal(0.2);
  });

  it('is far less than nominal for a small correlated loss, half for one half', () => {
    expect(yieldedLoss({ model: 'random', probability: 0.2, correlation: 0.75 })).to.be.within(
      0.0008,
      0.0016,
    );
    expect(yieldedLoss({ model: 'random', probability: 0.5, correlation: 0.75 })).to.be.closeTo(
      0.5,
      1e-6,
    );
    expect(yieldedLoss({ model: 'random', probability: 1, correlation: 0.75 })).to.equal(1);
    expect(yieldedLoss({ model: 'random', probability: 0, correlation: 0.75 })).to.equal(0);
  });
});

describe('the lease that a profile needs', () => {
  it('is four round trips', () => {
    const wifiBad = faultOf(profileNamed('wifi-bad'), 'up');
    expect(leaseNeededMs({ ...wifiBad, jitterMs: 0 })).to.equal(4 * 2 * 25);
    expect(leaseWarning('wifi-bad', wifiBad, 400)).to.match(
      /lease of this cluster is 400 ms.*--lease 600ms/,
    );
    expect(leaseWarning('wifi-bad', wifiBad, 600)).to.equal(undefined);
    expect(leaseWarning('dc', faultOf(profileNamed('dc'), 'up'), 400)).to.equal(undefined);
  });
});
