import { RangeSet } from '../../bytes/range-set.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { corrupt, unsupported } from '../../errors.ts';
import type { OpenContext } from '../../format.ts';
import { type CurrentHeader, type HeaderFields, ZERO_GUID } from './current-header.ts';
import { vhdxHeader } from './header.ts';
import {
  DATA_DESCRIPTOR_SIGNATURE,
  dataDescriptor,
  LOG_SECTOR_BYTES,
  logEntryHeader,
  zeroDescriptor,
} from './log-entry.ts';
import { DESCRIPTOR_BYTES, descriptorSectors, isPlausibleHeader, isWholeEntry } from './log-entry-check.ts';
import { findEntryHeaders, type LogEntry, type LogRing, readRing } from './log-reader.ts';
import { activeSequence } from './log-sequence.ts';
import { ReplayDevice } from './replay-device.ts';

/** Entries that a log may hold, replayed or not: a log of 512 MiB full of the smallest that have data. */
const MAX_ENTRIES = 65_536;
/** How often the log's length may be read to check its entries. Whole ones do not overlap, what is left of older ones does a little. */
const MAX_CHECK_ROUNDS = 4;
/** Descriptors that are checked in all: a log of 4 GiB full of data. */
const MAX_CHECKED_DESCRIPTORS = 2 ** 20;
/** Descriptors that are replayed, and sectors of 4 KiB that are kept in memory for it: 64 MiB. Windows makes logs of 1 MiB. */
const MAX_REPLAYED_DESCRIPTORS = 65_536;
const MAX_REPLAYED_SECTORS = 16_384;

/** The file as it is to be read. */
export interface ReplayedFile {
  readonly device: BlockDevice;
  /** How many log entries were replayed in memory. */
  readonly entryCount: number;
}

/** Whether the header says that the log may hold updates that the file does not have yet (MS-VHDX 2.2.2, LogGuid). */
export function hasPendingLog({ logGuid, logLength }: HeaderFields): boolean {
  return logGuid !== ZERO_GUID && logLength > 0;
}

/**
 * The file as after the replay of its pending log (MS-VHDX 2.3.3), in memory. CORRUPT when the log has entries but no valid
 * sequence of them, or when the file is shorter than it was. A log without any entry is left alone, as QEMU does: its writer
 * stopped before the first.
 */
export async function replayLog(
  file: BlockDevice,
  current: CurrentHeader,
  context: OpenContext,
): Promise<ReplayedFile> {
  const log = checkLog(file, current);
  const { logGuid } = current.fields;
  const plausible = await findPlausible(log, logGuid);
  if (plausible.length === 0) {
    context.report({
      layer: 'vhdx',
      structure: 'log',
      offset: log.offset,
      message: 'the header says that the log is in use, but it holds no entry: nothing is replayed',
    });
    return { device: file, entryCount: 0 };
  }
  const sequence = activeSequence(await wholeEntries(log, plausible), log.length);
  if (sequence === undefined) {
    throw corrupt({
      layer: 'vhdx',
      structure: 'log',
      offset: log.offset,
      expected: 'a valid sequence of entries',
      found: `none in ${plausible.length} entries of the log ${logGuid}`,
    });
  }
  return { device: await replaySequence(log, sequence), entryCount: sequence.length };
}

function checkLog(file: BlockDevice, { fields, offset }: CurrentHeader): LogRing {
  const { logVersion, logOffset, logLength } = fields;
  if (logVersion !== 0) {
    throw unsupported({
      layer: 'vhdx',
      structure: 'header logVersion',
      offset: offset + vhdxHeader.fields.logVersion.offset,
      expected: 'version 0',
      found: logVersion,
    });
  }
  if (logOffset + logLength > file.size) {
    throw corrupt({
      layer: 'vhdx',
      structure: 'header logOffset',
      offset: offset + vhdxHeader.fields.logOffset.offset,
      expected: `a log inside the file of ${file.size} bytes`,
      found: `${logLength} bytes at ${logOffset}`,
    });
  }
  return { file, offset: logOffset, length: logLength };
}

async function findPlausible(log: LogRing, logGuid: string): Promise<LogEntry[]> {
  const found: LogEntry[] = [];
  let checkedBytes = 0;
  let checkedDescriptors = 0;
  for await (const entry of findEntryHeaders(log)) {
    if (!isPlausibleHeader(entry, log, logGuid)) continue;
    found.push(entry);
    checkedBytes += entry.header.entryLength;
    checkedDescriptors += entry.header.descriptorCount;
    const isTooMuch = checkedBytes > MAX_CHECK_ROUNDS * log.length || checkedDescriptors > MAX_CHECKED_DESCRIPTORS;
    if (isTooMuch || found.length > MAX_ENTRIES) {
      throw corrupt({
        layer: 'vhdx',
        structure: 'log',
        offset: log.offset + entry.at,
        expected: `at most ${MAX_ENTRIES} entries with ${MAX_CHECKED_DESCRIPTORS} descriptors that hardly overlap`,
        found: `${found.length} of ${checkedBytes} bytes with ${checkedDescriptors}`,
      });
    }
  }
  return found;
}

async function wholeEntries(log: LogRing, entries: readonly LogEntry[]): Promise<LogEntry[]> {
  const whole: LogEntry[] = [];
  for (const entry of entries) if (await isWholeEntry(log, entry)) whole.push(entry);
  return whole;
}

/** One descriptor: `sectorAt` is where its data sector stands in the log; undefined for zeros. */
interface Update {
  readonly fileOffset: number;
  readonly length: number;
  readonly sectorAt: number | undefined;
  readonly leadingBytes?: Uint8Array;
  readonly trailingBytes?: Uint8Array;
}

/** What `sequence` changes, the newest first: what says something about a place before has the last word on it. */
async function replaySequence(log: LogRing, sequence: readonly LogEntry[]): Promise<ReplayDevice> {
  const { file } = log;
  const head = sequence.at(-1)!;
  const { flushedFileOffset, lastFileOffset } = head.header;
  if (file.size < flushedFileOffset) {
    throw corrupt({
      layer: 'vhdx',
      structure: 'log entry flushedFileOffset',
      offset: log.offset + head.at + logEntryHeader.fields.flushedFileOffset.offset,
      expected: `a file of at least ${flushedFileOffset} bytes, as when the entry was written`,
      found: `${file.size}: the file is truncated`,
    });
  }
  checkReplayLimit(
    log,
    head,
    'descriptors',
    sequence.reduce((sum, { header }) => sum + header.descriptorCount, 0),
    MAX_REPLAYED_DESCRIPTORS,
  );
  const sectors = new Map<number, Uint8Array>();
  const zeros = new RangeSet();
  let size = Math.max(file.size, lastFileOffset);
  for (const entry of sequence.toReversed()) {
    for (const update of (await readUpdates(log, entry)).toReversed()) {
      const { fileOffset, length, sectorAt } = update;
      if (length > 0) size = Math.max(size, fileOffset + length);
      if (sectorAt === undefined) zeros.add(fileOffset, fileOffset + length);
      else if (!sectors.has(fileOffset) && zeros.endOfRangeAt(fileOffset) === undefined)
        sectors.set(fileOffset, await readSector(log, sectorAt, update));
      checkReplayLimit(log, entry, 'sectors', sectors.size, MAX_REPLAYED_SECTORS);
    }
  }
  return new ReplayDevice(file, { sectors, zeros, size });
}

function checkReplayLimit(log: LogRing, { at }: LogEntry, what: string, count: number, limit: number): void {
  if (count <= limit) return;
  throw unsupported({
    layer: 'vhdx',
    structure: 'log entry',
    offset: log.offset + at,
    expected: `at most ${limit} ${what} to replay in memory`,
    found: count,
  });
}

/** The descriptors of a whole entry, in their order. */
async function readUpdates(log: LogRing, { at, header }: LogEntry): Promise<Update[]> {
  const sectors = descriptorSectors(header.descriptorCount);
  const chunks: Uint8Array[] = [];
  for await (const chunk of readRing(log, at, sectors * LOG_SECTOR_BYTES)) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const updates: Update[] = [];
  let dataCount = 0;
  for (let index = 0; index < header.descriptorCount; index++) {
    const start = logEntryHeader.size + index * DESCRIPTOR_BYTES;
    const data = dataDescriptor.parse(bytes, start);
    if (data.signature !== DATA_DESCRIPTOR_SIGNATURE) {
      const { fileOffset, zeroLength } = zeroDescriptor.parse(bytes, start);
      updates.push({ fileOffset, length: zeroLength, sectorAt: undefined });
      continue;
    }
    const sectorAt = (at + (sectors + dataCount) * LOG_SECTOR_BYTES) % log.length;
    const { fileOffset, leadingBytes, trailingBytes } = data;
    updates.push({ fileOffset, length: LOG_SECTOR_BYTES, sectorAt, leadingBytes, trailingBytes });
    dataCount += 1;
  }
  return updates;
}

/** MS-VHDX 2.3.1.3: the first and the last bytes of the sector were kept in the descriptor. */
async function readSector(log: LogRing, sectorAt: number, update: Update): Promise<Uint8Array> {
  const sector = await readBytes(log.file, log.offset + sectorAt, LOG_SECTOR_BYTES);
  sector.set(update.leadingBytes!, 0);
  sector.set(update.trailingBytes!, LOG_SECTOR_BYTES - update.trailingBytes!.length);
  return sector;
}
