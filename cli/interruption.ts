/** Does I/O: Ctrl-C and SIGTERM as a signal to finish early, rather than as an end in mid-air. */

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Does `work`, whose `signal` aborts when this process is asked to end. */
export const untilInterrupted = async <T>(
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const controller = new AbortController();
  const interrupt = (name: string): void => {
    controller.abort(new Error(`interrupted by ${name}`));
  };
  for (const name of SIGNALS) process.on(name, interrupt);
  try {
    return await work(controller.signal);
  } finally {
    for (const name of SIGNALS) process.off(name, interrupt);
  }
};
