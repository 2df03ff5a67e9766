import { roundDown } from '../../bytes/rounding.ts';
import { type StructValue, viewOf } from '../../bytes/struct.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { extentsOf } from '../../device/extent.ts';
import { DiskError } from '../../errors.ts';
import { MIB } from './header.ts';
import { LOG_ENTRY_SIGNATURE, LOG_SECTOR_BYTES, logEntryHeader } from './log-entry.ts';

/** What is read of the log at once, in bytes. */
const CHUNK_BYTES = MIB;

/** The ring buffer of log entries (MS-VHDX 2.3). */
export interface LogRing {
  readonly file: BlockDevice;
  /** Where it stands in the file, in bytes. */
  readonly offset: number;
  /** Bytes, a multiple of 1 MiB. */
  readonly length: number;
}

/** The header of a log entry, and where the entry begins, in bytes from the start of the log. */
export interface LogEntry {
  readonly at: number;
  readonly header: StructValue<typeof logEntryHeader.fields>;
}

/** `length` bytes of the log from `start` on, around its end, in chunks that begin at whole sectors. */
export async function* readRing(log: LogRing, start: number, length: number): AsyncGenerator<Uint8Array, void> {
  let at = start;
  for (let left = length; left > 0; ) {
    const size = Math.min(left, CHUNK_BYTES, log.length - at);
    yield await readBytes(log.file, log.offset + at, size);
    left -= size;
    at = (at + size) % log.length;
  }
}

/** Every sector that begins like an entry header, in order; holes of the file are passed over. */
export async function* findEntryHeaders(log: LogRing): AsyncGenerator<LogEntry, void> {
  const range = { start: log.offset, length: log.length };
  let at = 0;
  for await (const extent of extentsOf(log.file, range)) {
    if (extent.kind === 'zero') continue;
    // A hole may begin and end anywhere: sectors are looked at whole, those that it cuts too.
    at = Math.max(at, roundDown(extent.start - log.offset, LOG_SECTOR_BYTES));
    const end = extent.start + extent.length - log.offset;
    while (at < end) {
      const chunk = await readBytes(log.file, log.offset + at, Math.min(CHUNK_BYTES, log.length - at));
      yield* entryHeaders(chunk, at);
      at += chunk.length;
    }
  }
}

function* entryHeaders(chunk: Uint8Array, start: number): Generator<LogEntry, void> {
  const view = viewOf(chunk);
  for (let at = 0; at < chunk.length; at += LOG_SECTOR_BYTES) {
    if (logEntryHeader.fields.signature.get(view, at) !== LOG_ENTRY_SIGNATURE) continue;
    const header = parseHeader(chunk, at);
    if (header !== undefined) yield { at: start + at, header };
  }
}

/** Undefined when a field is above 2^53: that is no entry, and none of what else may be in the log's unused parts stops the search. */
function parseHeader(chunk: Uint8Array, at: number): LogEntry['header'] | undefined {
  try {
    return logEntryHeader.parse(chunk, at);
  } catch (error) {
    if (error instanceof DiskError) return undefined;
    throw error;
  }
}
