import { expect } from 'chai';
import { filesInWords } from '../../protocol/stopping.ts';

describe('filesInWords', () => {
  it('names twenty files at most', () => {
    const files = (count: number): number[] => Array.from({ length: count }, (_, file) => file);
    expect(filesInWords([7])).to.equal('file 7');
    expect(filesInWords(files(2))).to.equal('files 0, 1');
    expect(filesInWords(files(20))).to.match(/ 18, 19$/);
    expect(filesInWords(files(21))).to.match(/ 18, 19 and 1 more$/);
  });
});
