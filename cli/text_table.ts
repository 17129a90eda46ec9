/** Tables for people. */

export type Align = 'left' | 'right';

/** Lines of a table whose columns are as wide as their widest cell, two spaces apart. */
export const textTable = (
  rows: readonly (readonly string[])[],
  align: readonly Align[],
): string[] => {
  const widths = align.map((_, column) =>
    Math.max(0, ...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row) =>
    widths
      .map((width, column) => {
        const cell = row[column] ?? '';
        return align[column] === 'right' ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
};

const NS_PER_MS = 1e6;

/** A duration in milliseconds with three significant digits, such as "0.412 ms" or "31.0 ms". */
export const formatMs = (ns: number): string => {
  const ms = ns / NS_PER_MS;
  const decimals = ms >= 100 ? 0 : ms >= 10 ? 1 : ms >= 1 ? 2 : 3;
  return `${ms.toFixed(decimals)} ms`;
};

/** "1 read", "2 reads". */
export const counted = (count: number, noun: string, plural = `${noun}s`): string =>
  `${count} ${count === 1 ? noun : plural}`;
