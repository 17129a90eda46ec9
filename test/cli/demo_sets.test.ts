import { expect } from 'chai';
import { Barriers } from '../../cli/barriers.ts';
import { DEMO_NODES, demoSet } from '../../cli/demo_sets.ts';
import { parseRequestSet, type Command } from '../../cli/request_set.ts';

const commandsOf = (node: (typeof DEMO_NODES)[number]): readonly Command[] => {
  const set = parseRequestSet(demoSet(node), node);
  if (!set.ok) throw new Error(set.errors.join('\n'));
  return set.commands;
};

describe('the request sets of the demo', () => {
  it('are well-formed, and close every file they open', () => {
    for (const node of DEMO_NODES) {
      const open = new Set<number>();
      for (const command of commandsOf(node)) {
        if (command.name === 'open') expect(open.has(command.file)).to.equal(false);
        if (command.name === 'open') open.add(command.file);
        if (command.name === 'close') expect(open.delete(command.file)).to.equal(true);
      }
      expect([...open], node).to.deep.equal([]);
    }
  });

  it('all come to their end at their barriers', () => {
    const left = new Map(
      DEMO_NODES.map((node) => [
        node as string,
        commandsOf(node).flatMap((command) =>
          command.name === 'barrier' ? [command.barrier] : [],
        ),
      ]),
    );
    const barriers = new Barriers(new Map([...left].map(([node, names]) => [node, [...names]])));
    const goOn: string[] = [...left.keys()];
    for (let node = goOn.shift(); node !== undefined; node = goOn.shift()) {
      const name = left.get(node)?.shift();
      const releases = name === undefined ? barriers.finish(node) : barriers.arrive(node, name);
      expect(releases.every(({ met }) => met)).to.equal(true);
      goOn.push(...releases.map((release) => release.node));
    }
    expect([...left.values()].flat()).to.deep.equal([]);
  });

  it('share files between nodes', () => {
    const users = (file: number): number =>
      DEMO_NODES.filter((node) =>
        commandsOf(node).some((command) => 'file' in command && command.file === file),
      ).length;
    expect([1, 2, 3, 4, 5, 6, 11].map(users)).to.deep.equal([3, 3, 3, 3, 4, 4, 2]);
  });
});
