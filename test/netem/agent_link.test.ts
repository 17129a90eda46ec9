import { duplexPair } from 'node:stream';
import { expect } from 'chai';
import { AgentLink } from '../../netem/agent_link.ts';
import { dialCommand } from '../../netem/agent_process.ts';

describe('a connection to an agent', () => {
  /** How a request ends whose only answer is this text. */
  const endWith = async (text: string): Promise<{ error: string; lost: boolean }> => {
    const [ours, theirs] = duplexPair();
    const link = new AgentLink('n1', theirs);
    const asking = link.ask<'show'>({ do: 'show' });
    ours.resume();
    ours.write(text);
    const error = await asking.then(() => 'it has not failed', String);
    return { error, lost: link.lost };
  };

  it('is lost with what was said in place of an answer, and the process goes on', async () => {
    for (const [text, cause] of [
      ['OCI runtime exec failed: no such file\n', 'OCI runtime exec failed: no such file'],
      ['{"engine":"relay"}\n', '{"engine":"relay"}'],
      [`${'x'.repeat(1000)}\n`, 'x'.repeat(200)],
      ['x'.repeat(5 * 1024 * 1024), 'a line has more than 4194304 characters'],
    ] as const) {
      const { error, lost } = await endWith(text);
      expect(error).to.match(/its agent is lost: its answers cannot be read: /);
      expect(error.endsWith(`: ${cause}`), cause).to.equal(true);
      expect(lost).to.equal(true);
    }
  });

  it('that a command cannot make fails with what it says, wherever it says it', async () => {
    const failureOf = (script: string): Promise<string> =>
      dialCommand('n1', ['sh', '-c', script]).then(() => 'it has not failed', String);
    expect(await failureOf('read request; echo OCI runtime exec failed; exit 126')).to.match(
      /its agent is lost: .* OCI runtime exec failed$/,
    );
    expect(await failureOf('read request; echo no such container >&2; exit 1')).to.match(
      /: no such container$/,
    );
  });
});
