/** What a trace says of simulated connections: the schema's essentials, and the truth. */

import { expect } from 'chai';
import { FRAME, MESSAGE_BITS, writeClose, writeMessageHeader } from '../../rudp/frame_codec.ts';
import { describeFrames } from '../../rudp/qlog_frames.ts';
import { QlogTrace } from '../../rudp/qlog_trace.ts';
import type { Observe } from '../../rudp/observer.ts';
import { MAX_QLOG_FRAMES } from '../../rudp/limits.ts';
import { parseQlog, type QlogEvent } from './qlog_schema.ts';
import { SERVER, SimulatedPair } from './simulated_pair.ts';

const EPOCH_MS = 1_700_000_000_000;

/** An observer that keeps what it would write. */
const recorder = (): { observe: Observe; text: () => string } => {
  const records: string[] = [];
  return {
    observe: (about, now) =>
      new QlogTrace(about, now, EPOCH_MS, (record) => records.push(record) > 0),
    text: () => records.join(''),
  };
};

/** A connection over a network of 20 % loss, on which 200 messages go from the client. */
const lossyRun = () => {
  const client = recorder();
  const server = recorder();
  const pair = new SimulatedPair(
    7,
    { delayMs: 10, loss: 0.2 },
    { client: { observe: client.observe }, server: { observe: server.observe } },
  );
  pair.connect();
  for (let count = 0; count < 200; count += 1) pair.send(new Uint8Array(700), count % 5);
  pair.runUntil(() => pair.server.of('message').length === 200, 'the delivery');
  pair.runFor(500);
  const stats = pair.client.endpoint.stats(pair.client.connection);
  pair.network.setDefaults({ loss: 0 });
  pair.client.endpoint.close(pair.client.connection, 0x123, 'enough', pair.now);
  pair.runFor(500);
  return { stats, client: parseQlog(client.text()), server: parseQlog(server.text()) };
};

const numbersOf = (events: readonly QlogEvent[], name: string): number[] =>
  events.filter((event) => event.name === name).map(({ data }) => data.header!.packet_number);

describe('qlog traces', () => {
  it('of both sides have one group id, and say who dialled and when', () => {
    const { client, server } = lossyRun();
    const { vantage_point, common_fields } = client.header.trace;
    expect(vantage_point).to.eql({ type: 'client', name: 'client' });
    expect(server.header.trace.vantage_point).to.eql({ type: 'server', name: 'server' });
    expect(common_fields.group_id).to.equal(server.header.trace.common_fields.group_id);
    expect(common_fields.reference_time).to.be.within(EPOCH_MS, EPOCH_MS + 10_000);
  });

  it('tell every packet that was sent and came, in order, and what it acknowledged', () => {
    const { client, server, stats } = lossyRun();
    const sent = numbersOf(client.events, 'transport:packet_sent');
    expect(sent).to.eql([...sent.keys()]);
    expect(sent.length).to.be.at.least(stats.packetsSent);
    const received = new Set(numbersOf(server.events, 'transport:packet_received'));
    expect(received.size).to.be.lessThan(sent.length);
    // What the server says it has acknowledged is what it says has come.
    const acks = server.events
      .filter(({ name }) => name === 'transport:packet_sent')
      .flatMap(({ data }) => data.frames!.filter(({ frame_type }) => frame_type === 'ack'));
    expect(acks.length).to.be.greaterThan(10);
    for (const { acked_ranges } of acks) {
      for (const [first = -1, last = first] of acked_ranges!) {
        for (let number = first; number <= last; number += 1) {
          expect(received.has(number), `packet ${number}`).to.equal(true);
        }
      }
    }
  });

  it('tell every packet that was lost, with its reason, and the metrics as they change', () => {
    const { client, stats } = lossyRun();
    const lost = client.events.filter(({ name }) => name === 'recovery:packet_lost');
    expect(lost.length).to.equal(stats.packetsLost).and.to.be.greaterThan(10);
    const triggers = new Set(lost.map(({ data }) => data['trigger']));
    expect([...triggers].sort()).to.eql(['reordering_threshold', 'time_threshold']);
    const metrics = client.events
      .filter(({ name }) => name === 'recovery:metrics_updated')
      .map(({ data }) => data);
    const last = Object.assign({}, ...metrics) as Record<string, number>;
    expect(last['smoothed_rtt']).to.be.closeTo(stats.smoothedRtt, 0.001);
    expect(last['congestion_window']).to.be.closeTo(stats.congestionWindow, 1);
    expect(last['bytes_in_flight']).to.equal(0);
    expect(metrics.some((each) => Object.keys(each).length === 0)).to.equal(false);
  });

  it('tell who closed the connection, and why', () => {
    const { client, server } = lossyRun();
    const closed = { application_code: 0x123, reason: 'enough', trigger: 'application' };
    const last = (events: readonly QlogEvent[]) =>
      events
        .filter(({ name }) => name === 'connectivity:connection_closed')
        .map(({ data }) => data);
    expect(last(client.events)).to.eql([{ owner: 'local', ...closed }]);
    expect(last(server.events)).to.eql([{ owner: 'remote', ...closed }]);
  });

  it('say how many events had no room, once there is room again', () => {
    const records: string[] = [];
    let room = 3;
    const observe: Observe = (about, now) =>
      new QlogTrace(about, now, EPOCH_MS, (record) => room-- > 0 && records.push(record) > 0);
    const pair = new SimulatedPair(1, {}, { client: { observe } });
    pair.connect();
    pair.runFor(100);
    expect(records.length).to.equal(3);
    room = Number.POSITIVE_INFINITY;
    pair.send(new Uint8Array(1));
    pair.runFor(100);
    expect(records[3]).to.match(/"generic:warning".*"\d+ events are missing here/);
    parseQlog(records.join(''));
  });

  it('without room for a header are not begun', () => {
    const records: string[] = [];
    let calls = 0;
    const observe: Observe = (about, now) =>
      new QlogTrace(about, now, EPOCH_MS, (record) => calls++ > 0 && records.push(record) > 0);
    const pair = new SimulatedPair(1, {}, { client: { observe } });
    pair.client.endpoint.connect(SERVER, 0);
    pair.runFor(100);
    expect(calls).to.equal(1);
    expect(records).to.eql([]);
  });
});

describe('frames in the words of qlog', () => {
  it('are all told, neighbouring padding as one', () => {
    const payload = new Uint8Array(64);
    let at = 0;
    payload[at++] = FRAME.ping;
    const message = { id: 9, channelNumber: 2, ordered: false, predecessor: 0, totalBytes: 500 };
    at = writeMessageHeader(payload, at, message, MESSAGE_BITS.abandoned);
    at = writeClose(payload, at + 3, 4, 'why');
    const end = describeFrames(payload.subarray(0, at));
    expect(end).to.eql([
      { frame_type: 'ping' },
      { frame_type: 'reset_stream', stream_id: 9, error_code: 0, final_size: 500, channel: 2 },
      { frame_type: 'padding', payload_length: 3 },
      { frame_type: 'connection_close', error_space: 'transport', error_code: 4, reason: 'why' },
    ]);
  });

  it('that cannot be read, and those beyond a bound, are one of type "unknown"', () => {
    const unknown = Uint8Array.from([FRAME.ping, 0x3f, 1, 2]);
    expect(describeFrames(unknown)).to.eql([
      { frame_type: 'ping' },
      { frame_type: 'unknown', raw_frame_type: 0x3f, raw_length: 3 },
    ]);
    const pings = describeFrames(new Uint8Array(MAX_QLOG_FRAMES + 10).fill(FRAME.ping));
    expect(pings.length).to.equal(MAX_QLOG_FRAMES + 1);
    expect(pings.at(-1)).to.include({ frame_type: 'unknown', raw_length: 10 });
  });
});
