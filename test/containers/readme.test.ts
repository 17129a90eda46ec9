/** Does I/O: types the commands of compose/README.md, and compares what comes with what it shows. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { composeProgram } from '../../cli/compose.ts';
import { leftovers, output, removeAtTheEnd, removeLabelled, ROOT } from './engine.ts';

/** A person needs longer from one command to the next; nodes that were just started take this long. */
const BETWEEN_COMMANDS_MS = 3000;

interface Typed {
  readonly command: string;
  /** Lines that it shows; those that are only "…" are left out. */
  readonly shows: readonly string[];
}

/** Figures differ from run to run, and so does the width of a column. */
const blurred = (line: string): string =>
  line
    .replace(/\d+(\.\d+)? ms/g, 'TIME')
    // Written back when 30 s have passed.
    .replace(/\bdirty \d+/, 'dirty N')
    .replace(/\s+/g, ' ')
    .trim();

const commandsIn = (text: string): Typed[] =>
  [...text.matchAll(/^```\n([\s\S]*?)^```/gm)].flatMap(([, block = '']) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((each) => {
        const [command = '', ...lines] = each.trimEnd().split('\n');
        return { command, shows: lines.filter((line) => line.trim() !== '…').map(blurred) };
      }),
  );

describe('compose/README.md', function () {
  this.timeout(280_000);
  const project = `coopfs-readme-${process.pid}`;
  const label = `com.docker.compose.project=${project}`;
  const typed = commandsIn(readFileSync(join(ROOT, 'compose/README.md'), 'utf8'));

  before(() => {
    removeAtTheEnd(label);
  });

  after(async () => {
    await removeLabelled(label);
  });

  it('shows what its commands do, and leaves nothing behind', async () => {
    expect(typed.length).to.be.greaterThan(10);
    const compose = (await composeProgram(undefined)).join(' ');
    const env = { COMPOSE_PROJECT_NAME: project, COMPOSE_FILE: 'compose/compose.yaml' };
    for (const { command, shows } of typed) {
      if (command.startsWith('export ')) continue;
      // Nobody sits at a terminal here.
      const line = command.replace(/^docker compose/, compose).replace(' exec ', ' exec -T ');
      const out = await output(['sh', '-c', `cd ${ROOT} && ${line}`], env);
      const lines = out.split('\n').map(blurred);
      for (const shown of shows) expect(lines, command).to.include(shown);
      await pause(BETWEEN_COMMANDS_MS);
    }
    expect(await leftovers(label)).to.deep.equal([]);
  });
});
