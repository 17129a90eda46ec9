/** I/O: the process that answers requests and counts bulk messages: `server_process PEER_MODULE`. */

import {
  BULK_BYTES,
  KIND,
  NUMBER_AT,
  RESPONSE_BYTES,
  type ServerCount,
  type ServerJob,
} from './jobs.ts';
import { answerParent } from './measured_process.ts';
import { loadFreshPeer, loadPeer } from './peer_module.ts';
import { cpuSeconds, nowMs } from './process_clock.ts';

/** What rudp's listener lets us see. */
interface Countable {
  readonly endpoint?: { readonly halfOpen?: number };
}

const [name = ''] = process.argv.slice(2);
let messages = 0;
let bytes = 0;
let wrong = 0;
let lastAtMs = 0;
let listener: unknown;

const onRequest = (body: Buffer): Buffer | undefined => {
  if (body[0] === KIND.bulk) {
    messages += 1;
    bytes += body.length;
    lastAtMs = nowMs();
    if (body.length !== BULK_BYTES) wrong += 1;
    return undefined;
  }
  const response = Buffer.alloc(RESPONSE_BYTES, KIND.request);
  response.writeUInt32BE(body.readUInt32BE(NUMBER_AT), NUMBER_AT);
  return response;
};

const count = (): ServerCount => {
  const { endpoint } = (listener ?? {}) as Countable;
  return {
    cpuSeconds: cpuSeconds(),
    messages,
    bytes,
    lastAtMs,
    wrong,
    nowMs: nowMs(),
    ...(endpoint?.halfOpen === undefined ? {} : { halfOpen: endpoint.halfOpen }),
  };
};

answerParent<ServerJob>(async (job) => {
  if (job.do === 'count') return count();
  const peer = await (job.fresh === true ? loadFreshPeer(name) : loadPeer(name));
  listener = await peer.listen(job.port, onRequest);
  return undefined;
});
