/** I/O: the memory of this process, after garbage collections (node --expose-gc). */

export interface Memory {
  /** What lives: objects and array buffers. */
  readonly retained: number;
  readonly rss: number;
}

export interface ReceiverReport {
  readonly messages: number;
  readonly bytes: number;
  readonly problems: readonly string[];
  readonly memory: Memory;
}

export const memoryNow = (): Memory => {
  if (globalThis.gc === undefined) throw new Error('run with node --expose-gc');
  // A collection leaves array buffers to be freed in the background; the next one waits for them first.
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  return { retained: heapUsed + arrayBuffers, rss };
};
