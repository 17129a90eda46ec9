import { expect } from 'chai';
import { clusterFlags, type ClusterOptions } from '../../cli/netem_cluster.ts';
import { namespaces } from '../../cli/option_values.ts';

describe('the options that name a cluster again', () => {
  const flags = (options: Partial<ClusterOptions>): string =>
    clusterFlags({
      dir: undefined,
      compose: false,
      composeFile: undefined,
      netns: undefined,
      ownAgent: undefined,
      engine: undefined,
      ...options,
    });

  it('are those that were given, as a shell takes them', () => {
    for (const [options, text] of [
      [{ dir: '/tmp/c' }, ' --dir /tmp/c'],
      [{ dir: "/tmp/it's here" }, " --dir '/tmp/it'\\''s here'"],
      [{ compose: true }, ' --compose'],
      [{ compose: true, engine: 'tc' }, ' --compose --engine tc'],
      [{ compose: true, composeFile: 'x.yaml' }, ' --compose-file x.yaml'],
      [{ ownAgent: '/run/n1.sock' }, ' --agent /run/n1.sock'],
      [{ compose: true, ownAgent: '/run/n1.sock' }, ' --compose'],
    ] as const) {
      expect(flags(options)).to.equal(text);
    }
    const netns = namespaces.parse('server,n1=blue');
    expect(flags({ netns })).to.equal(' --netns server=server,n1=blue');
  });
});
