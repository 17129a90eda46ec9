/** Capture files of UDP datagrams, in the classic pcap format, without a link layer (LINKTYPE_RAW). */

export interface Captured {
  /** "10.0.0.1:1000" */
  readonly from: string;
  readonly to: string;
  readonly bytes: Uint8Array;
  readonly at: number;
}

const MAGIC = 0xa1b2c3d4;
const LINKTYPE_RAW = 101;
const SNAP_BYTES = 65_535;
const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const IP_HEADER_BYTES = 20;
const UDP_HEADER_BYTES = 8;
const UDP = 17;
const TTL = 64;
const MS_PER_SECOND = 1000;

const splitAddress = (address: string): { readonly host: number[]; readonly port: number } => {
  const [host = '', port = ''] = address.split(':');
  return { host: host.split('.').map(Number), port: Number(port) };
};

/** An IPv4 packet; checksums are left out, as by a sender whose network card makes them. */
const ipPacket = ({ from, to, bytes }: Captured): Uint8Array => {
  const packet = new Uint8Array(IP_HEADER_BYTES + UDP_HEADER_BYTES + bytes.length);
  const view = new DataView(packet.buffer);
  const [source, destination] = [splitAddress(from), splitAddress(to)];
  packet[0] = 0x45;
  view.setUint16(2, packet.length);
  packet[8] = TTL;
  packet[9] = UDP;
  packet.set(source.host, 12);
  packet.set(destination.host, 16);
  view.setUint16(20, source.port);
  view.setUint16(22, destination.port);
  view.setUint16(24, UDP_HEADER_BYTES + bytes.length);
  packet.set(bytes, IP_HEADER_BYTES + UDP_HEADER_BYTES);
  return packet;
};

/** The bytes of a capture file that holds `datagrams`. */
export const encodePcap = (datagrams: readonly Captured[]): Uint8Array => {
  const header = new DataView(new ArrayBuffer(FILE_HEADER_BYTES));
  header.setUint32(0, MAGIC);
  header.setUint16(4, 2);
  header.setUint16(6, 4);
  header.setUint32(16, SNAP_BYTES);
  header.setUint32(20, LINKTYPE_RAW);
  const parts: Uint8Array[] = [new Uint8Array(header.buffer)];
  for (const datagram of datagrams) {
    const packet = ipPacket(datagram);
    const record = new DataView(new ArrayBuffer(RECORD_HEADER_BYTES));
    record.setUint32(0, Math.floor(datagram.at / MS_PER_SECOND));
    record.setUint32(4, Math.floor((datagram.at % MS_PER_SECOND) * MS_PER_SECOND));
    record.setUint32(8, packet.length);
    record.setUint32(12, packet.length);
    parts.push(new Uint8Array(record.buffer), packet);
  }
  return Buffer.concat(parts);
};
