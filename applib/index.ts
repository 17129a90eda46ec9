/** The application library of coopfs: numbered files, kept in the memories of a cluster. */

export { connect, type ConnectOptions, type CoopFs, type FileLocation } from './client.ts';
export { InitLib, myclose, myopen, myread, mywrite } from './course.ts';
export type { CoopFile, ReadResult, WriteResult } from './file.ts';
export { ERROR_CODES, FsError, type ErrorCode } from '../protocol/errors.ts';
export {
  formatTerm,
  formatVersion,
  type FileNumber,
  type Geometry,
  type NodeId,
  type Source,
  type Version,
} from '../protocol/ids.ts';
