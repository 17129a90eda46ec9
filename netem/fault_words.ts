/** How faults are written: the words of profiles and scenarios, read and shown. Pure. */

import type { Fault, Loss } from './fault.ts';
import { yieldedLoss } from './loss_yield.ts';

const UNITS_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };
const UNITS_BITS: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 };

/** A number with one of the units, in the unit of the table; undefined if it is none. */
const withUnit = (text: string, units: Readonly<Record<string, number>>): number | undefined => {
  const [, digits, unit = ''] = /^(\d{1,9}(?:\.\d{1,6})?)([a-z]+)$/.exec(text) ?? [];
  const factor = units[unit];
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor;
};

/** "20ms", "0.25ms", "1s", in ms. */
export const parseMs = (text: string): number | undefined => withUnit(text, UNITS_MS);

/** "0.5%" as 0.005. */
export const parsePercent = (text: string): number | undefined => {
  const [, digits] = /^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(text) ?? [];
  const part = Number(digits) / 100;
  return digits === undefined || part > 1 ? undefined : part;
};

const parseBits = (text: string): number | undefined => {
  const bits = withUnit(text, UNITS_BITS);
  return bits === 0 ? undefined : bits;
};

/** "none", "30mbit", or "50mbit/100mbit" for up and down; undefined if it is none of these. */
export const parseRate = (text: string): { up: number; down: number } | 'none' | undefined => {
  if (text === 'none') return 'none';
  const [first = '', second = first, ...more] = text.split('/');
  const up = parseBits(first);
  const down = parseBits(second);
  return up === undefined || down === undefined || more.length > 0 ? undefined : { up, down };
};

/** "none", "random 1%", "random 20% correlation 75%", "gilbert-elliott 1% 25%". */
export const parseLoss = (text: string): Loss | undefined => {
  const [model, ...words] = text.split(/\s+/);
  const figures = words.filter((word) => word !== 'correlation').map(parsePercent);
  const [first, second] = figures;
  if (model === 'none' && words.length === 0) return { model };
  if (first === undefined) return undefined;
  if (model === 'random' && words.length === 1) {
    return { model, probability: first, correlation: 0 };
  }
  if (second === undefined) return undefined;
  if (model === 'random' && words.length === 3 && words[1] === 'correlation') {
    return { model, probability: first, correlation: second };
  }
  if (model === 'gilbert-elliott' && words.length === 2) {
    return { model, toBad: first, toGood: second, lossInGood: 0, lossInBad: 1 };
  }
  return undefined;
};

/** At most four significant digits, no more than are needed. */
const short = (value: number): string => String(Number(value.toPrecision(4)));

/** 0.005 as "0.5 %". */
export const percent = (part: number): string => `${short(part * 100)} %`;

const lossInWords = (loss: Loss): string => {
  switch (loss.model) {
    case 'none':
      return '';
    case 'random':
      return loss.correlation === 0
        ? `loss ${percent(loss.probability)}`
        : `loss ${percent(loss.probability)} with correlation ${percent(loss.correlation)}, ` +
            `which yields ${percent(yieldedLoss(loss))}`;
    case 'gilbert-elliott':
      return (
        `loss ${percent(yieldedLoss(loss))} in bursts of ${short(1 / loss.toGood)} ` +
        `(Gilbert-Elliott ${percent(loss.toBad)} ${percent(loss.toGood)})`
      );
  }
};

const rateInWords = (bits: number): string =>
  bits >= 1e6 ? `${short(bits / 1e6)} Mbit/s` : `${short(bits / 1e3)} kbit/s`;

/** "delay 25 ± 20 ms, loss 3.846 % in bursts of 4 (…), 5 Mbit/s"; "nothing" for no fault. */
export const faultInWords = (fault: Fault): string => {
  const { delayMs, jitterMs, duplicate, corrupt, reorder, rate } = fault;
  const jitter = jitterMs === 0 ? '' : ` ± ${short(jitterMs)}`;
  const words = [
    delayMs === 0 && jitterMs === 0 ? '' : `delay ${short(delayMs)}${jitter} ms`,
    lossInWords(fault.loss),
    duplicate === 0 ? '' : `duplicate ${percent(duplicate)}`,
    corrupt === 0 ? '' : `corrupt ${percent(corrupt)}`,
    reorder === 0 ? '' : `reorder ${percent(reorder)}`,
    rate === undefined ? '' : rateInWords(rate),
  ].filter((each) => each !== '');
  return words.length === 0 ? 'nothing' : words.join(', ');
};
