/** rudp: reliable messages over UDP. `RudpEndpoint` for applications, the pure parts for the rest. */

export { createChecksumProtection } from './checksum_protection.ts';
export { createNoiseProtection, type NoiseOptions } from './noise_protection.ts';
export { createKeyFile, parseKeys, readKeyFile } from './key_file.ts';
export type { Security } from './security.ts';
export type { CongestionController, CongestionName } from './congestion.ts';
export type { ConnectionHandle } from './connection.ts';
export { Endpoint, type EndpointEvent, type Peer, type Transmit } from './endpoint.ts';
export { CLOSE, RUDP_ERROR_CODES, RudpError, type CloseReason } from './errors.ts';
export type { RudpErrorCode } from './errors.ts';
export type { Millis } from './millis.ts';
export type { EndpointOptions } from './options.ts';
export { PeerLinks, type DialPolicy, type PeerEvent, type PeerKey } from './peer_links.ts';
export type { HandshakeProtection, PacketProtection, Protection } from './protection.ts';
export { RudpConnection, type RequestHandler, type RudpMessage } from './rudp_connection.ts';
export type { RequestOptions } from './rudp_connection.ts';
export type { MessageOptions } from './message_sender.ts';
export { PRIORITIES, type Priority } from './priorities.ts';
export type { Outcome, SendOptions } from './send_options.ts';
export { interfaceDatagramBytes } from './interface_mtu.ts';
export { createSecureRandom, RudpEndpoint } from './rudp_endpoint.ts';
export type { BindOptions } from './rudp_endpoint.ts';
export { SocketEndpoint, type DatagramCore, type SocketOptions } from './socket_endpoint.ts';
export type { ConnectionStats, EndpointCounters } from './stats.ts';
