import { expect } from 'chai';
import {
  compareOrders,
  compareVersions,
  fileSizeBytes,
  formatVersion,
  isNodeName,
} from '../../protocol/ids.ts';

describe('ids', () => {
  it('compares versions by term, then by counter', () => {
    expect(compareVersions({ term: 1, counter: 9 }, { term: 2, counter: 0 })).to.be.below(0);
    expect(compareVersions({ term: 2, counter: 1 }, { term: 2, counter: 0 })).to.be.above(0);
    expect(compareVersions({ term: 2, counter: 1 }, { term: 2, counter: 1 })).to.equal(0);
  });

  it('compares orders by epoch, then by sequence', () => {
    expect(compareOrders({ epoch: 1, sequence: 9 }, { epoch: 2, sequence: 0 })).to.be.below(0);
    expect(compareOrders({ epoch: 3, sequence: 1 }, { epoch: 3, sequence: 0 })).to.be.above(0);
    expect(compareOrders({ epoch: 3, sequence: 1 }, { epoch: 3, sequence: 1 })).to.equal(0);
  });

  it('takes node names of 1 to 32 letters, digits, dots, dashes and underscores', () => {
    expect(['n1', 'A.b_c-9', 'x'.repeat(32)].every(isNodeName)).to.equal(true);
    expect(['', 'x'.repeat(33), 'a b', 'ä', 'n1\n', 'n#1'].some(isNodeName)).to.equal(false);
  });

  it('knows the size of a file, and shows versions', () => {
    expect(fileSizeBytes({ files: 4, blockSizeBytes: 128, blocksPerFile: 8 })).to.equal(1024);
    expect(formatVersion({ term: 3, counter: 12 })).to.equal('3.12');
  });
});
