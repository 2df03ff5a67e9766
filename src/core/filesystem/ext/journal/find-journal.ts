import { ExtentDevice } from '../../../device/extent-device.ts';
import { corrupt, unsupported } from '../../../errors.ts';
import { nodeOf } from '../nodes.ts';
import { SUPERBLOCK, SUPERBLOCK_OFFSET, type Superblock } from '../superblock.ts';
import type { ExtVolume } from '../volume.ts';
import { type Journal, openJournal } from './journal.ts';

/** The journal inside a filesystem; an external one is refused by name. */
export async function findJournal(
  volume: ExtVolume,
  { journalInode, journalDevice }: Pick<Superblock, 'journalInode' | 'journalDevice'>,
): Promise<Journal> {
  if (journalInode === 0) {
    const offset = SUPERBLOCK_OFFSET + SUPERBLOCK.fields.journalInode.offset;
    const found = journalDevice === 0 ? 'none' : 'an external journal, on another device';
    throw unsupported({
      layer: 'ext',
      structure: 'journal',
      offset,
      expected: 'a journal inside the filesystem',
      found,
    });
  }
  const node = nodeOf(volume, await volume.inode(journalInode));
  if (node.kind !== 'file') {
    const { start: offset } = node.location;
    throw corrupt({
      layer: 'ext',
      structure: `journal inode ${node.id}`,
      offset,
      expected: 'a file',
      found: node.kind,
    });
  }
  return openJournal(new ExtentDevice(node, volume.device.sectorSize), volume.geometry.blockSize);
}
