/** What controllers that are driven by losses share: their first window, least window and pace. */

import type { Millis } from './millis.ts';

const INITIAL_WINDOW_PACKETS = 10;
const INITIAL_WINDOW_BYTES = 14_720;
export const MINIMUM_WINDOW_PACKETS = 2;

/** Faster than the window's own rate, so that pacing alone never leaves the window unused. */
const PACING_FACTOR = 1.25;
const SHORTEST_RTT_MS: Millis = 0.01;

/** The first window (RFC 9002 §7.2). */
export const initialWindowBytes = (maxDatagramBytes: number): number =>
  Math.min(
    INITIAL_WINDOW_PACKETS * maxDatagramBytes,
    Math.max(INITIAL_WINDOW_BYTES, MINIMUM_WINDOW_PACKETS * maxDatagramBytes),
  );

/** The rate in bytes per millisecond that spreads a window over a round trip (RFC 9002 §7.7). */
export const windowPacingRate = (windowBytes: number, smoothedRtt: Millis): number =>
  (PACING_FACTOR * windowBytes) / Math.max(smoothedRtt, SHORTEST_RTT_MS);
