/** Whether memory stays flat: the rule that the soak judges by. */

/** The first samples are left out: what is loaded, compiled and pooled comes with them. */
const WARM_UP_SHARE = 0.25;

/** How much a series may rise from its first judged sample to its last, by its trend. */
export const MAX_RISE_BYTES = {
  /** Objects and array buffers that live after a garbage collection. */
  retained: 4 * 1024 * 1024,
  /** The process as the system sees it, which gives memory back late if ever. */
  rss: 64 * 1024 * 1024,
} as const;

/**
 * The slope of a series by Theil and Sen: the median of the slopes between all pairs of samples, which
 * a few outliers cannot tilt. In units of the series per sample.
 */
export const trendOf = (series: readonly number[]): number => {
  const slopes: number[] = [];
  for (let later = 1; later < series.length; later += 1) {
    for (let earlier = 0; earlier < later; earlier += 1) {
      slopes.push(((series[later] ?? 0) - (series[earlier] ?? 0)) / (later - earlier));
    }
  }
  slopes.sort((a, b) => a - b);
  return slopes[slopes.length >>> 1] ?? 0;
};

/** By how much a series of memory sizes has risen after its warm-up, by its trend. */
export const riseOf = (series: readonly number[]): number => {
  const judged = series.slice(Math.floor(series.length * WARM_UP_SHARE));
  return trendOf(judged) * Math.max(judged.length - 1, 0);
};
