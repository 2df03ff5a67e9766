import { isZero } from '../../../bytes/is-zero.ts';
import { viewOf } from '../../../bytes/struct.ts';
import { readBytes } from '../../../device/block-device.ts';
import { inodeTableBlocks } from './groups.ts';
import { RawInode } from './raw-inode.ts';
import type { CheckState } from './state.ts';

/** Inode tables are read in pieces of this many bytes. */
const PIECE_BYTES = 1024 * 1024;

/** How many inodes of a group may be in use: those behind were never written, which only checksums make believable. */
export function scannedInodes(state: CheckState, group: number): number {
  const { geometry, groups } = state;
  if (!state.hasGroupSums) return geometry.inodesPerGroup;
  if (groups.has(group, 'inodesUnwritten')) return 0;
  return Math.max(0, geometry.inodesPerGroup - groups.unusedInodeCount[group]!);
}

/** Every inode that is not all zeros, in order. It is good until the next one is asked for. */
export async function* inodesOf(state: CheckState): AsyncGenerator<readonly RawInode[], void> {
  const { geometry, groups } = state;
  for (let group = 0; group < geometry.groupCount; group++) {
    const count = scannedInodes(state, group);
    const table = groups.inodeTable[group]!;
    if (count === 0 || state.lostTables.has(group)) continue;
    if (!state.hasBlock(table) || table + inodeTableBlocks(state) > geometry.blockCount) continue;
    const first = group * geometry.inodesPerGroup + 1;
    yield* inodesOfTable(state, group, state.blockOffset(table), first, count);
  }
}

async function* inodesOfTable(
  state: CheckState,
  group: number,
  start: number,
  firstId: number,
  count: number,
): AsyncGenerator<readonly RawInode[], void> {
  const { inodeSize } = state.geometry;
  const perPiece = PIECE_BYTES / inodeSize;
  for (let done = 0; done < count; done += perPiece) {
    const part = Math.min(perPiece, count - done);
    const offset = start + done * inodeSize;
    const bytes = await readTable(state, group, offset, part * inodeSize);
    if (bytes === undefined) continue;
    const found: RawInode[] = [];
    const view = viewOf(bytes);
    for (let index = 0; index < part; index++) {
      const at = index * inodeSize;
      if (isZero(bytes, at, at + inodeSize)) continue;
      const one = bytes.subarray(at, at + inodeSize);
      found.push(new RawInode(one, firstId + done + index, offset + at, view, at));
    }
    if (found.length > 0) yield found;
  }
}

async function readTable(
  state: CheckState,
  group: number,
  offset: number,
  length: number,
): Promise<Uint8Array | undefined> {
  const there = Math.min(length, state.device.size - offset);
  const structure = `inode table of group ${group}`;
  if (there < length)
    state.error(
      'outside-device',
      structure,
      offset,
      `it reaches behind the end of the device, which has ${state.device.size} bytes`,
    );
  if (there <= 0) return undefined;
  const bytes = new Uint8Array(length);
  try {
    bytes.set(await readBytes(state.device, offset, there, state.readOptions));
  } catch (error) {
    state.options.signal?.throwIfAborted();
    state.error('unreadable', structure, offset, error instanceof Error ? error.message : String(error));
    return undefined;
  }
  return bytes;
}
