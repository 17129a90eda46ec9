import { expect } from 'chai';
import { handleCommitted, handleMessage, pollCommand } from '../../fileserver/server_core.ts';
import type { ServerCommand } from '../../fileserver/server_state.ts';
import { REGISTRATIONS_PER_EPOCH } from '../../protocol/client_numbers.ts';
import type { ClientId, NodeId } from '../../protocol/ids.ts';
import { FILE, LONG_MS, registerOf, ServerRun } from './server_run.ts';

/** A node comes and goes; which range it had for its applications. */
const comeAndGo = (run: ServerRun, life: number): number => {
  const link = `n9#${life}`;
  run.from(link, registerOf('n9', life));
  run.beat(link);
  const first = run.registrationOf(link);
  run.from(link, { type: 'leave' });
  run.take();
  return first;
};

describe('the numbers that are given to registrations', () => {
  it('never come again, so that no write is taken for one of an earlier application', () => {
    const lives = 2 ** 14;
    const run = new ServerRun();
    const seen = new Set<number>();
    run.register('n1');
    const write = (node: string, text: string): void => {
      const registration = run.registrationOf(`${node}#1`);
      const bytes = new TextEncoder().encode(text);
      const what = { file: FILE, request: 1, operation: 1, offset: 0, bytes } as const;
      const how = { keep: false, again: false, registration } as const;
      const client = registration as ClientId;
      run.from(`${node}#1`, { type: 'writeThrough', ...what, ...how, client });
      run.settle();
    };
    write('n1', 'first');
    for (let life = 2; life <= lives; life++) seen.add(comeAndGo(run, life));
    expect(seen.size).to.equal(lives - 1);
    run.register('n2');
    write('n2', 'other');
    const last = run.records.at(-1);
    expect(last?.kind === 'contents' && new TextDecoder().decode(last.bytes)).to.equal('othernts');
  });

  it('are not begun with before the disk has it, and until then nobody more is admitted', () => {
    const longestLeaseMs = LONG_MS;
    const { server } = new ServerRun();
    const register = (node: string): ServerCommand[] => {
      handleMessage(server, `${node}#1`, registerOf(node), 0);
      const commands: ServerCommand[] = [];
      for (let next = pollCommand(server); next; next = pollCommand(server)) commands.push(next);
      return commands;
    };
    const commits: ServerCommand[] = [];
    for (let count = 1; count < REGISTRATIONS_PER_EPOCH; count++) {
      commits.push(...register(`n${count}`).filter((each) => each.do === 'commit'));
    }
    expect(server.members.size).to.equal(REGISTRATIONS_PER_EPOCH - 1);
    const records = [{ kind: 'epoch', clusterEpoch: 2, longestLeaseMs }];
    expect(commits).to.have.length(1);
    expect(commits[0]).to.deep.include({ do: 'commit', records });
    expect(register('late')).to.deep.equal([]);
    expect(server.members.has('late' as NodeId)).to.equal(false);
    handleCommitted(server, commits[0]?.do === 'commit' ? commits[0].token : 0, 0);
    register('late');
    const first = server.members.get('late' as NodeId)?.firstClient ?? 0;
    const before = server.members.get('n1' as NodeId)?.firstClient ?? 0;
    expect(first).to.be.greaterThan(before);
  });
});
