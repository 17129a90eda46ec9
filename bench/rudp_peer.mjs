/**
 * I/O: rudp as a peer of a bench that compares transports. `listen` answers requests, `connect`
 * gives `request`, `send` (await it for backpressure) and `close`. Needs `npm run build`.
 * PEER_VARIANT=insecure leaves the encryption out, PEER_VARIANT=cubic or newreno changes the
 * congestion control.
 */

export { connect, listen } from '../dist/netem/transports/peers/rudp.js';
