/** `coopfs netem`: makes the network between nodes as bad as a profile says, measures it, and heals it. */

import { Command } from 'commander';
import { withExamples } from './action.ts';
import { applyCommand, partitionCommand } from './netem_apply.ts';
import { netemRunCommand } from './netem_run.ts';
import { clearCommand, healCommand, profilesCommand, showCommand } from './netem_show.ts';

export const netemCommand = (): Command =>
  withExamples(
    new Command('netem')
      .description('impair the network between the nodes of a cluster')
      .helpCommand(false)
      .addCommand(applyCommand())
      .addCommand(showCommand())
      .addCommand(clearCommand())
      .addCommand(partitionCommand())
      .addCommand(healCommand())
      .addCommand(netemRunCommand())
      .addCommand(profilesCommand()),
    [
      ['coopfs netem apply wifi-bad --dir /tmp/c --for 60s', 'every link for a minute'],
      ['coopfs netem show --dir /tmp/c', 'what is applied, and what probes measure'],
      ["coopfs netem partition n1,n2 '|' n3,server --dir /tmp/c", 'until Ctrl-C'],
      ['coopfs netem run kills --dir /tmp/c', 'a timeline of faults and kills'],
    ],
  );
