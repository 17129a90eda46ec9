/** I/O: with keys or without: what an endpoint on a socket protects its packets by. */

import { createChecksumProtection } from './checksum_protection.ts';
import { createNoiseProtection } from './noise_protection.ts';
import type { Protection } from './protection.ts';

/**
 * Keys of 32 bytes, of which the first is used and all are accepted; or plain packets with a
 * checksum, which keep nobody out: for benchmarks alone.
 */
export type Security =
  | { readonly keys: readonly Uint8Array[] }
  | {
      /** Nothing is encrypted, and anybody can say anything. */
      readonly insecure: true;
    };

/** @throws RudpError 'invalid' for keys of another number or length than allowed. */
export const createProtection = (security: Security): Protection =>
  'insecure' in security ? createChecksumProtection() : createNoiseProtection(security);
