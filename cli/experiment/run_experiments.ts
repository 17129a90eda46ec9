/** Does I/O: runs experiments step by step, tells how far they are, and gathers what they found, whole or in part. */

import { messageOf } from '../../protocol/errors.ts';
import type { Context, Experiment, Plan } from './experiment.ts';
import { Progress } from './progress.ts';
import type { Section } from './report.ts';

export interface Outcome {
  readonly sections: readonly Section[];
  /** Why not everything was done; undefined if it was. */
  readonly partial: string | undefined;
  /** A step has failed, or all was left out. */
  readonly failed: boolean;
}

interface Begun {
  readonly experiment: Experiment;
  readonly leftOut: string | undefined;
  readonly plan: Plan | undefined;
  readonly problems: string[];
  done: number;
}

const begin = (experiment: Experiment, context: Context): Begun => {
  const leftOut = experiment.unavailable(context.engine);
  const plan = leftOut === undefined ? experiment.plan(context) : undefined;
  return { experiment, leftOut, plan, problems: [], done: 0 };
};

const missingOf = ({ leftOut, plan, problems, done }: Begun): string | undefined => {
  if (leftOut !== undefined) return `Left out: ${leftOut}.`;
  const total = plan?.steps.length ?? 0;
  const notDone = done < total ? [`interrupted after ${done} of ${total} steps`] : [];
  const missing = [...(plan?.leftOut ?? []), ...problems, ...notDone];
  if (plan !== undefined && total === 0) return `Left out: ${missing.join('; ')}.`;
  return missing.length === 0 ? undefined : `Not whole: ${missing.join('; ')}.`;
};

const sectionOf = (begun: Begun): Section => {
  const { name, title } = begun.experiment;
  const none = { says: [], plots: [], tables: [], data: [] };
  return { name, title, ...(begun.plan?.section() ?? none), missing: missingOf(begun) };
};

/**
 * Runs them all. A step that fails is told, in the report too, and the others go on; when the signal of the
 * context aborts, what there is until then is the outcome.
 */
export const runExperiments = async (
  experiments: readonly Experiment[],
  context: Context,
  tell: (line: string) => void,
): Promise<Outcome> => {
  const isOver = (): boolean => context.signal.aborted;
  const all = experiments.map((experiment) => begin(experiment, context));
  const progress = new Progress(all.flatMap(({ plan }) => plan?.steps ?? []));
  for (const { experiment, leftOut, plan } of all) {
    if (leftOut !== undefined) tell(`${experiment.name} is left out: ${leftOut}`);
    for (const part of plan?.leftOut ?? []) tell(`${experiment.name} is without ${part}`);
  }
  for (const begun of all) {
    for (const step of begun.plan?.steps ?? []) {
      if (isOver()) break;
      tell(progress.line(begun.experiment.name, step.label));
      const startMs = performance.now();
      try {
        await step.run();
      } catch (error) {
        if (isOver()) break;
        begun.problems.push(`${step.label}: ${messageOf(error)}`);
        tell(`  failed: ${messageOf(error)}`);
      }
      begun.done += 1;
      progress.take(step, (performance.now() - startMs) / 1000);
    }
  }
  const why = isOver()
    ? `interrupted after ${progress.done} of ${progress.total} steps`
    : undefined;
  return {
    sections: all.map(sectionOf),
    partial: why === undefined ? undefined : `This report is partial: it was ${why}.`,
    failed:
      all.some(({ problems }) => problems.length > 0) ||
      all.every(({ plan }) => plan === undefined || plan.steps.length === 0),
  };
};
