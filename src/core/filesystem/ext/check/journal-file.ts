import { isZero } from '../../../bytes/is-zero.ts';
import { divideDown } from '../../../bytes/rounding.ts';
import { readBytes } from '../../../device/block-device.ts';
import { ExtentDevice } from '../../../device/extent-device.ts';
import { DiskError } from '../../../errors.ts';
import { INODE_FLAG } from '../inode-flags.ts';
import { openJournal } from '../journal/journal.ts';
import { BLOCK_TYPE, JOURNAL_SUPERBLOCK, JOURNAL_SUPERBLOCK_BYTES } from '../journal/structures.ts';
import { nodeOf } from '../nodes.ts';
import type { ExtVolume } from '../volume.ts';
import type { CheckState } from './state.ts';
import { readRawInode } from './value-inodes.ts';

/** `JBD2_MIN_JOURNAL_BLOCKS`. */
const MIN_BLOCKS = 1024;

/** Whether there is a journal where the superblock says so, and its own superblock makes sense; `isReplayed` when what it holds is read as done. */
export async function checkJournal(state: CheckState, volume: ExtVolume, isReplayed: boolean): Promise<void> {
  const { superblock } = state;
  const id = superblock.journalInode;
  if (!state.has('has_journal') && !state.has('needs_recovery') && id === 0 && isZero(superblock.journalUuid)) return;
  const warn = (message: string): void => state.warn('journal', `journal inode ${id}`, undefined, message);
  const error = (message: string, offset?: number): void =>
    state.error('journal', id === 0 ? 'journal' : `journal inode ${id}`, offset, message);
  if (!isZero(superblock.journalUuid)) return error('it is on another device, and cannot be looked at');
  if (id === 0 || id > state.geometry.inodeCount) return error(`the superblock says that it is inode ${id}`);
  const inode = await readRawInode(state, id);
  if (inode === undefined) return;
  if (inode.linkCount === 0 || !inode.is('file') || inode.has(INODE_FLAG.encrypted))
    return error('it is no regular file', inode.offset);
  const blocks = divideDown(inode.size, state.geometry.blockSize);
  if (blocks < MIN_BLOCKS) return error(`it has ${blocks} blocks, at least ${MIN_BLOCKS} are needed`, inode.offset);
  try {
    const node = nodeOf(volume, await volume.inode(id, state.readOptions));
    if (node.kind !== 'file') return;
    const device = new ExtentDevice(node, volume.device.sectorSize);
    await checkMapped(node, inode.size, error);
    const journal = await openJournal(device, state.geometry.blockSize);
    const bytes = await readBytes(device, 0, JOURNAL_SUPERBLOCK_BYTES, state.readOptions);
    checkFields(JOURNAL_SUPERBLOCK.parse(bytes), error, warn);
    if (isReplayed)
      note(state, 'this is the state after its replay; log=ignore/ is the one before, which e2fsck -n looks at');
    else if (state.has('needs_recovery')) note(state, 'it holds changes that are not in the filesystem yet');
    else if (journal.start !== undefined) warn('it holds changes, and the filesystem is not marked so');
  } catch (caught) {
    if (!(caught instanceof DiskError)) throw caught;
    error(caught.message, caught.offset);
  }
}

async function checkMapped(
  node: {
    extents(range: { start: number; length: number }): AsyncIterable<{ kind: string; start: number; length: number }>;
  },
  size: number,
  error: (message: string) => void,
): Promise<void> {
  for await (const extent of node.extents({ start: 0, length: size })) {
    if (extent.kind === 'data') continue;
    error(`${extent.length} bytes of it, from byte ${extent.start} on, have no place`);
    return;
  }
}

function checkFields(
  superblock: {
    blockType: number;
    compatible: number;
    incompatible: number;
    readOnlyCompatible: number;
    userCount: number;
  },
  error: (message: string) => void,
  warn: (message: string) => void,
): void {
  const { blockType, compatible, incompatible, readOnlyCompatible, userCount } = superblock;
  const isOld = blockType === BLOCK_TYPE.superblockV1;
  if (isOld && (compatible !== 0 || incompatible !== 0 || readOnlyCompatible !== 0 || userCount !== 0))
    warn('its superblock is of the first version, and has fields of the second');
  if (!isOld && userCount > 1) error(`${userCount} filesystems are said to use it`);
}

function note(state: CheckState, message: string): void {
  state.add({ severity: 'note', code: 'journal', structure: 'journal', message });
}
