/**
 * What of qlog 0.3 a reader such as qvis relies on, checked record by record: the framing of RFC 7464,
 * the header, ascending times, and the required fields of each event (draft-ietf-quic-qlog-main-schema-02,
 * draft-ietf-quic-qlog-quic-events-01).
 */

import { expect } from 'chai';

interface QlogHeader {
  readonly trace: {
    readonly vantage_point: unknown;
    readonly common_fields: { readonly group_id: string; readonly reference_time: number };
  };
}

interface QlogFrame extends Readonly<Record<string, unknown>> {
  readonly frame_type: string;
  readonly acked_ranges?: readonly (readonly number[])[];
}

interface EventData extends Readonly<Record<string, unknown>> {
  readonly header?: { readonly packet_type: string; readonly packet_number: number };
  readonly raw?: { readonly length: number; readonly payload_length: number };
  readonly frames?: readonly QlogFrame[];
}

export interface QlogEvent {
  readonly time: number;
  readonly name: string;
  readonly data: EventData;
}

/** The records of a JSON text sequence. */
const recordsOf = (text: string): unknown[] => {
  expect(text[0], 'the first byte').to.equal('\x1e');
  return text
    .slice(1)
    .split('\x1e')
    .map((record): unknown => {
      expect(record.at(-1), 'the last byte of a record').to.equal('\n');
      return JSON.parse(record);
    });
};

const checkHeader = (header: unknown): void => {
  expect(header).to.deep.include({ qlog_version: '0.3', qlog_format: 'JSON-SEQ' });
  expect(header)
    .to.have.nested.property('trace.vantage_point.type')
    .that.is.oneOf(['client', 'server']);
  const fields = 'trace.common_fields';
  expect(header).to.have.nested.property(`${fields}.time_format`, 'relative');
  expect(header).to.have.nested.property(`${fields}.reference_time`).that.is.a('number');
  expect(header)
    .to.have.nested.property(`${fields}.group_id`)
    .that.matches(/^[0-9a-f]{16}$/);
  expect(header)
    .to.have.nested.property(`${fields}.ODCID`)
    .that.matches(/^[0-9a-f]{16}$/);
  expect(header).to.have.nested.property(`${fields}.protocol_type`).that.is.an('array');
};

/** The fields that a frame must have, by its type. */
const FRAME_FIELDS: Readonly<Record<string, readonly string[]>> = {
  padding: ['payload_length'],
  ping: [],
  ack: ['ack_delay', 'acked_ranges'],
  max_data: ['maximum'],
  stream: ['stream_id', 'offset', 'length'],
  reset_stream: ['stream_id', 'error_code', 'final_size'],
  connection_close: ['error_space', 'error_code', 'reason'],
};

const checkFrame = (frame: QlogFrame): void => {
  const fields = FRAME_FIELDS[frame.frame_type];
  expect(fields, `frame type ${frame.frame_type}`).to.be.an('array');
  expect(frame).to.include.all.keys('frame_type', ...(fields ?? []));
  for (const range of frame.acked_ranges ?? []) {
    const [first = -1, last = first, ...rest] = range;
    expect(rest).to.eql([]);
    expect(first).to.be.within(0, last);
  }
};

const checkPacket = ({ header, raw, frames }: EventData): void => {
  expect(header).to.have.property('packet_type', '1RTT');
  expect(header?.packet_number).to.be.at.least(0);
  expect(raw?.length).to.be.greaterThan(raw?.payload_length ?? Infinity);
  expect(frames).to.not.be.empty;
  for (const frame of frames ?? []) checkFrame(frame);
};

/** Each event by name, with what must hold of its data. */
const EVENTS: Readonly<Record<string, (data: EventData) => void>> = {
  'transport:parameters_set': (data) => {
    expect(data['owner']).to.be.oneOf(['local', 'remote']);
    expect(data['initial_max_data']).to.be.a('number');
  },
  'transport:packet_sent': checkPacket,
  'transport:packet_received': checkPacket,
  'recovery:packet_lost': ({ header }) => {
    expect(header).to.include.all.keys('packet_type', 'packet_number');
  },
  'recovery:metrics_updated': (data) => {
    for (const value of Object.values(data)) expect(value).to.be.a('number');
  },
  'connectivity:connection_closed': (data) => {
    expect(data['owner']).to.be.oneOf(['local', 'remote']);
  },
  'generic:warning': (data) => {
    expect(data['message']).to.be.a('string');
  },
};

/** Takes a trace apart; throws where it is not what a reader of qlog expects. */
export const parseQlog = (text: string): { header: QlogHeader; events: QlogEvent[] } => {
  const [header, ...events] = recordsOf(text);
  checkHeader(header);
  let time = 0;
  for (const event of events as QlogEvent[]) {
    expect(event.time, event.name).to.be.at.least(time);
    ({ time } = event);
    const check = EVENTS[event.name];
    if (check === undefined) throw new Error(`no event of qlog is named ${event.name}`);
    check(event.data);
  }
  return { header: header as QlogHeader, events: events as QlogEvent[] };
};
