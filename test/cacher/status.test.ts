import { expect } from 'chai';
import type { FileNumber } from '../../protocol/ids.ts';
import { CacherRun } from './cacher_run.ts';

interface Status {
  readonly pages: number;
  readonly freePages: number;
  readonly filesHeld: number;
  readonly dirtyFiles: number;
  readonly backupsHeld: number;
  readonly applications: number;
  readonly counters: Readonly<Record<string, number>>;
}

describe('the status of a cacher', () => {
  it('counts files, pages and applications, and its counters add up', () => {
    const run = new CacherRun({ pages: 3 });
    run.read(1 as FileNumber);
    run.write('abc', 2 as FileNumber, 2);
    run.application('app', { type: 'status', request: 77 });
    const [answer] = run.replies();
    expect(answer).to.include({ type: 'statusDone', request: 77 });
    const status = JSON.parse(answer?.type === 'statusDone' ? answer.json : '{}') as Status;
    expect(status).to.include({ pages: 3, freePages: 1, filesHeld: 2, dirtyFiles: 1 });
    expect(status).to.include({ backupsHeld: 0, applications: 1 });
    const {
      reads = 0,
      readsLocal = 0,
      readsPeer = 0,
      readsServer = 0,
      readsDisk = 0,
    } = status.counters;
    expect(reads).to.equal(1);
    expect(readsLocal + readsPeer + readsServer + readsDisk).to.equal(reads);
    const { writes = 0, writesTwoMemories = 0, writesDisk = 0 } = status.counters;
    expect(writes).to.equal(1);
    expect(writesTwoMemories + writesDisk).to.equal(writes);
  });
});
