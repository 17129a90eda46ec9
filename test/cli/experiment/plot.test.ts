import { expect } from 'chai';
import {
  lanesOf,
  plotAsSvg,
  scaleOf,
  shortNumber,
  type Plot,
} from '../../../cli/experiment/plot.ts';

const PLOT: Plot = {
  title: 'A & B',
  x: { label: 'loss, %', from: 0 },
  y: { label: 'ms', log: true },
  series: [
    {
      name: 'rudp',
      colour: 0,
      kind: 'line',
      points: [
        [0, 10],
        [10, 1000],
        [20, Number.NaN],
      ],
    },
    {
      name: 'dots',
      colour: 1,
      kind: 'dots',
      points: [
        [5, 0],
        [5, 100],
      ],
    },
  ],
  bands: [{ label: 'n1 <down>', kind: 'down', from: 2, to: 4 }],
};

describe('a plot', () => {
  it('has an axis of round numbers around all values', () => {
    expect(scaleOf({ label: '' }, [3, 97]).ticks).to.deep.equal([0, 20, 40, 60, 80, 100]);
    expect(scaleOf({ label: '', from: 0 }, [0.2, 0.31]).ticks).to.deep.equal([
      0, 0.1, 0.2, 0.3, 0.4,
    ]);
    const { at } = scaleOf({ label: '' }, [0, 100]);
    expect([0, 50, 100].map(at)).to.deep.equal([0, 0.5, 1]);
    expect(scaleOf({ label: '', from: 0 }, []).ticks, 'without values').to.have.length.above(1);
    expect(scaleOf({ label: '' }, [7]).at(7), 'of one value').to.be.within(0, 1);
  });

  it('has a logarithmic axis of decades, which knows no zero', () => {
    const { at, ticks } = scaleOf({ label: '', log: true }, [0, 2, 3000]);
    expect(ticks).to.deep.equal([1, 10, 100, 1000, 10_000]);
    expect(at(100)).to.be.closeTo(0.5, 1e-9);
    expect(scaleOf({ label: '', log: true }, [2, 30]).ticks).to.deep.equal([
      1, 2, 5, 10, 20, 50, 100,
    ]);
  });

  it('draws what can be drawn, with names that are escaped', () => {
    const svg = plotAsSvg(PLOT);
    const text = svg.replace(/<[^>]*>/g, ' ');
    expect(svg.match(/<circle/g), 'NaN, and 0 on a logarithmic axis, are left out').to.have.length(
      3,
    );
    expect(svg).to.match(/<polyline points="64\.0,\S+ \S+"/);
    expect(text).to.contain('loss, %').and.contain('n1 &lt;down&gt;');
    expect(svg)
      .to.contain('aria-label="A &amp; B"')
      .and.not.contain('NaN')
      .and.not.contain('<down>');
  });

  it('puts the labels of bands that overlap below one another', () => {
    const band = (from: number, to: number) => ({ label: '', kind: '', from, to });
    expect(lanesOf([band(0, 5), band(1, 3), band(4, 6), band(5, 7)])).to.deep.equal([0, 1, 1, 0]);
  });

  it('has figures with three digits that count', () => {
    expect([0, 0.04, 1.2345, 99.96, 12_345.6, Number.NaN].map(shortNumber)).to.deep.equal([
      '0',
      '0.04',
      '1.23',
      '100',
      '12,346',
      '–',
    ]);
  });
});
