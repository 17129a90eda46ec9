/** How urgent a message is: control before what people wait for, and that before bulk. */

import { RudpError } from './errors.ts';

/** From the most urgent to the least. */
export const PRIORITIES = ['urgent', 'normal', 'bulk'] as const;

export type Priority = (typeof PRIORITIES)[number];

/** The place of a priority in `PRIORITIES`: 0 is the most urgent. */
export type Level = number;

export const URGENT: Level = 0;
export const NORMAL: Level = 1;

/** @throws RudpError 'invalid' if there is no such priority. */
export const levelOf = (priority: Priority): Level => {
  const level = PRIORITIES.indexOf(priority);
  if (level >= 0) return level;
  throw new RudpError('invalid', `priority '${priority}'; there are ${PRIORITIES.join(', ')}`);
};
