import { expect } from 'chai';
import { APART_MS, noteApart } from '../../fileserver/apart.ts';
import { chooseBackup } from '../../fileserver/backup_choice.ts';
import { handleLinkDown } from '../../fileserver/server_core.ts';
import { entryOf, type MemberRecord } from '../../fileserver/server_state.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { FILE, PAGES, ServerRun } from './server_run.ts';

const N1 = 'n1' as NodeId;

const member = (run: ServerRun, node: string): MemberRecord => {
  const found = run.server.members.get(node as NodeId);
  if (found === undefined) throw new Error(`no member ${node}`);
  return found;
};

describe('the choice of a backup', () => {
  const start = (): ServerRun => {
    const run = new ServerRun();
    run.register('n1', 'n2', 'n3');
    return run;
  };
  const choose = (run: ServerRun, ...refused: string[]): string | undefined => {
    const { server } = run;
    return chooseBackup(
      server,
      entryOf(server, FILE),
      server.nextSequence,
      N1,
      refused as NodeId[],
    );
  };

  it('takes who has most free pages', () => {
    const run = start();
    member(run, 'n2').freePages = 1;
    expect(choose(run)).to.equal('n3');
  });

  it('takes a sharer before a node with more free pages', () => {
    const run = start();
    run.read('n2');
    member(run, 'n2').freePages = 0;
    expect(choose(run)).to.equal('n2');
    expect(member(run, 'n2').freePages).to.equal(0);
  });

  it('counts the pages as used, so that many writes do not all choose one node', () => {
    const run = start();
    const chosen = [choose(run), choose(run), choose(run), choose(run)];
    expect(chosen).to.deep.equal(['n2', 'n3', 'n2', 'n3']);
    expect(member(run, 'n2').freePages).to.equal(PAGES - 2);
  });

  it('asks nobody who leaves, is out of reach, or is excluded', () => {
    const run = start();
    member(run, 'n2').leaving = true;
    expect(choose(run)).to.equal('n3');
    expect(choose(run, 'n3')).to.equal(undefined);
    handleLinkDown(run.server, 'n3#1', 0);
    expect(choose(run)).to.equal(undefined);
  });

  it('asks nobody whom the owner does not reach, until that is to be tried again', () => {
    const run = start();
    noteApart(run.server, 'n3' as NodeId, N1);
    noteApart(run.server, 'n2' as NodeId, 'n3' as NodeId);
    expect([choose(run), choose(run), choose(run)]).to.deep.equal(['n2', 'n2', 'n2']);
    run.server.now += APART_MS;
    expect(choose(run)).to.equal('n3');
  });

  it('asks nobody who came after the transaction had begun', () => {
    const run = new ServerRun();
    run.register('n1');
    run.read('n1');
    const begun = run.server.nextSequence - 1;
    run.register('n2');
    const entry = entryOf(run.server, FILE);
    expect(chooseBackup(run.server, entry, begun, N1, [])).to.equal(undefined);
    expect(chooseBackup(run.server, entry, begun + 1, N1, [])).to.equal('n2');
  });
});
