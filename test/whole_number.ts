/** The whole numbers that the programs of this folder take as flags. */

import { InvalidArgumentError } from 'commander';

/** A parser of commander: decimal digits, from `least` to `most`. */
export const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d{1,15}$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`must be a whole number of ${least} to ${most}.`);
    }
    return value;
  };
