/** I/O: the clock that all processes of a machine share, and what this one has used. */

/** Ms since the machine was started. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** User and system time of this process, in seconds. */
export const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
