import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { isUnreachable } from '../../netem/agent_link.ts';
import { reachAgent } from '../../netem/agent_socket.ts';

/** Far less than what is waited for an agent. */
const SOON_MS = 5000;

describe('reaching an agent that has to be started', () => {
  let folder = '';

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'coopfs-agent-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const failureOf = (enter: readonly string[], signal?: AbortSignal): Promise<unknown> =>
    reachAgent(join(folder, 'a.sock'), enter, signal).catch((error: unknown) => error);

  it('ends with what it says when it ends at its start, which is an answer', async () => {
    const error = await failureOf(['sh', '-c', 'echo "no such queue" >&2; exit 1']);
    expect(String(error)).to.equal('FsError: no such queue');
    expect(isUnreachable(error)).to.equal(false);
  });

  it('ends at once when it is interrupted', async () => {
    const stop = new AbortController();
    const startMs = performance.now();
    const failed = failureOf(['sh', '-c', 'sleep 1'], stop.signal);
    setImmediate(() => {
      stop.abort();
    });
    expect(isUnreachable(await failed)).to.equal(true);
    expect(performance.now() - startMs).to.be.lessThan(SOON_MS);
  });
});
