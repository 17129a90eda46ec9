/** A point in time or a duration in milliseconds, fractions allowed; points lie on one monotonic clock. */
export type Millis = number;

/** The point in time that never comes: what a timer that is not set reads. */
export const NEVER: Millis = Number.POSITIVE_INFINITY;
