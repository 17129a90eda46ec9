/**
 * One connection in the words of qlog 0.3 (draft-ietf-quic-qlog-main-schema-02, -quic-events-01), as
 * JSON text sequences (RFC 7464): a header, then a record an event. qvis reads them.
 */

import type { CongestionController } from './congestion.ts';
import { CLOSE, type CloseReason } from './errors.ts';
import type { Introduction } from './handshake_codec.ts';
import type { LossDetection } from './loss_detection.ts';
import type { Millis } from './millis.ts';
import type { ConnectionObserver, ObservedConnection, Owner } from './observer.ts';
import type { ConnectionId } from './packet_codec.ts';
import { describeFrames } from './qlog_frames.ts';
import type { SentPacket } from './sent_packets.ts';

const RECORD_SEPARATOR = '\x1e';
const HEX = 16;
const ID_DIGITS = 16;
const MICROS_PER_MS = 1000;
/** Bytes a millisecond to bits a second. */
const BITS_PER_SECOND = 8000;
const FIRST_APPLICATION_CODE = 0x100;

/** A record as it lies in a file. */
export const qlogRecord = (value: unknown): string =>
  `${RECORD_SEPARATOR}${JSON.stringify(value)}\n`;

const hexOf = (id: ConnectionId): string => id.toString(HEX).padStart(ID_DIGITS, '0');

/** The id that the client chose, which both sides know: the traces of one connection share it. */
export const groupIdOf = ({ initiator, localId, remoteId }: ObservedConnection): string =>
  hexOf(initiator ? localId : remoteId);

export const vantagePointOf = ({ initiator }: ObservedConnection): 'client' | 'server' =>
  initiator ? 'client' : 'server';

const headerOf = (about: ObservedConnection, referenceTime: number): unknown => {
  const type = vantagePointOf(about);
  const groupId = groupIdOf(about);
  return {
    qlog_version: '0.3',
    qlog_format: 'JSON-SEQ',
    title: `rudp ${type} ${about.local.name}`.trimEnd(),
    description: `with ${about.peer.name} at ${about.address}`,
    trace: {
      vantage_point: { type, name: about.local.name },
      common_fields: {
        protocol_type: ['RUDP'],
        group_id: groupId,
        ODCID: groupId,
        time_format: 'relative',
        reference_time: referenceTime,
      },
    },
  };
};

/** To microseconds, which is finer than anything that is measured here. */
const rounded = (ms: Millis): Millis => Math.round(ms * MICROS_PER_MS) / MICROS_PER_MS;

const parametersOf = (owner: Owner, side: Introduction): unknown => ({
  owner,
  max_idle_timeout: side.idleTimeoutMs,
  max_udp_payload_size: side.maxDatagramBytes,
  max_ack_delay: side.maxAckDelayMs,
  initial_max_data: side.connectionWindowBytes,
  initial_max_stream_data_uni: side.maxMessageBytes,
  max_channels: side.maxChannels,
  channel_window: side.channelWindowBytes,
});

/** The closed vocabulary of connectivity:connection_closed. */
const triggerOf = (code: number): string => {
  if (code >= FIRST_APPLICATION_CODE) return 'application';
  if (code === CLOSE.none) return 'clean';
  if (code === CLOSE.idleTimeout) return 'idle_timeout';
  if (code === CLOSE.handshakeTimeout) return 'handshake_timeout';
  if (code === CLOSE.reset) return 'stateless_reset';
  return code === CLOSE.versionMismatch ? 'version_mismatch' : 'error';
};

/** What recovery:metrics_updated can say; an event says only what has changed. */
const metricsOf = (
  loss: LossDetection,
  congestion: CongestionController,
): Record<string, number> => ({
  smoothed_rtt: rounded(loss.rtt.smoothedRtt),
  min_rtt: rounded(loss.rtt.minRtt),
  latest_rtt: rounded(loss.rtt.latestRtt),
  rtt_variance: rounded(loss.rtt.rttvar),
  pto_count: loss.ptoCount,
  congestion_window: Math.round(congestion.windowBytes),
  bytes_in_flight: loss.bytesInFlight,
  ssthresh: congestion.ssthreshBytes,
  packets_in_flight: loss.sent.outstanding,
  pacing_rate: Math.round(BITS_PER_SECOND * congestion.pacingRate(loss.rtt.smoothedRtt)),
});

export class QlogTrace implements ConnectionObserver {
  readonly #write: (record: string) => boolean;
  readonly #begunAt: Millis;
  #metrics: Readonly<Record<string, number>> = {};
  /** Without its header a file cannot be read. */
  readonly #begun: boolean;
  /** Events left out since the last one that was taken. */
  #missing = 0;

  /**
   * @param epochMs the wall clock, in milliseconds since 1970, at time 0 of the connection's clock
   * @param write takes each record, the header first; false if it has no room for one
   */
  constructor(
    about: ObservedConnection,
    now: Millis,
    epochMs: number,
    write: (record: string) => boolean,
  ) {
    this.#write = write;
    this.#begunAt = now;
    this.#begun = write(qlogRecord(headerOf(about, rounded(epochMs + now))));
    this.#event('transport:parameters_set', parametersOf('local', about.local), now);
    this.#event('transport:parameters_set', parametersOf('remote', about.peer), now);
  }

  #event(name: string, data: unknown, now: Millis): void {
    if (!this.#begun) return;
    const time = rounded(now - this.#begunAt);
    if (this.#missing > 0) {
      const message = `${this.#missing} events are missing here: there was no room for them`;
      const warning = { time, name: 'generic:warning', data: { message } };
      if (this.#write(qlogRecord(warning))) this.#missing = 0;
    }
    if (this.#missing > 0 || !this.#write(qlogRecord({ time, name, data }))) this.#missing += 1;
  }

  #packet(
    name: string,
    packetNumber: number,
    sizeBytes: number,
    payload: Uint8Array,
    now: Millis,
  ): void {
    const data = {
      header: { packet_type: '1RTT', packet_number: packetNumber },
      raw: { length: sizeBytes, payload_length: payload.length },
      frames: describeFrames(payload),
    };
    this.#event(name, data, now);
  }

  packetSent(packetNumber: number, sizeBytes: number, payload: Uint8Array, now: Millis): void {
    this.#packet('transport:packet_sent', packetNumber, sizeBytes, payload, now);
  }

  packetReceived(packetNumber: number, sizeBytes: number, payload: Uint8Array, now: Millis): void {
    this.#packet('transport:packet_received', packetNumber, sizeBytes, payload, now);
  }

  packetLost({ packetNumber, lostByTime }: Readonly<SentPacket>, now: Millis): void {
    const header = { packet_type: '1RTT', packet_number: packetNumber };
    const trigger = lostByTime ? 'time_threshold' : 'reordering_threshold';
    this.#event('recovery:packet_lost', { header, trigger }, now);
  }

  metricsUpdated(loss: LossDetection, congestion: CongestionController, now: Millis): void {
    const metrics = metricsOf(loss, congestion);
    const changed: Record<string, number> = {};
    let changes = 0;
    for (const [name, value] of Object.entries(metrics)) {
      // JSON has no infinity, which a threshold is before the first loss.
      if (value === this.#metrics[name] || !Number.isFinite(value)) continue;
      changed[name] = value;
      changes += 1;
    }
    if (changes === 0) return;
    this.#metrics = metrics;
    this.#event('recovery:metrics_updated', changed, now);
  }

  closed(owner: Owner, { code, reason }: CloseReason, now: Millis): void {
    const whose = code < FIRST_APPLICATION_CODE ? 'connection_code' : 'application_code';
    const data = { owner, [whose]: code, reason, trigger: triggerOf(code) };
    this.#event('connectivity:connection_closed', data, now);
  }
}
