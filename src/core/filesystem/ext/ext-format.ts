import { hasBit } from '../../bytes/bits.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { corrupt, DiskError } from '../../errors.ts';
import type { Format, OpenContext } from '../../format.ts';
import type { FileSystem } from '../filesystem.ts';
import { superblockChecksum } from './checksums.ts';
import { ExtFileSystem } from './ext-filesystem.ts';
import { geometryOf } from './geometry.ts';
import { findJournal } from './journal/find-journal.ts';
import { type Replay, replayJournal } from './journal/replay.ts';
import { EXT_MAGIC, SUPERBLOCK, SUPERBLOCK_BYTES, SUPERBLOCK_OFFSET, type Superblock } from './superblock.ts';
import { findSuperblockCopy, type SuperblockCopy } from './superblock-copy.ts';
import { ExtVolume } from './volume.ts';

const STATE_ERRORS_BIT = 1;

interface OpenedVolume {
  readonly volume: ExtVolume;
  readonly superblock: Superblock;
  /** What the journal had for it; undefined for a filesystem that needs no recovery, or is shown without. */
  readonly replay: Replay | undefined;
  /** The block of the copy that it is read by; undefined for the superblock itself. */
  readonly superblockCopy: number | undefined;
}

/** ext2, ext3 and ext4, recognized by the magic 0xEF53 of the primary superblock. */
export const extFormat: Format<FileSystem> = {
  name: 'ext',

  async probe(device: BlockDevice): Promise<boolean> {
    const at = SUPERBLOCK_OFFSET + SUPERBLOCK.fields.magic.offset;
    if (device.size < at + 2) return false;
    const magic = await readBytes(device, at, 2);
    return magic[0]! + magic[1]! * 256 === EXT_MAGIC;
  },

  /** Refuses a damaged superblock as CORRUPT and a feature that it does not know as UNSUPPORTED, by name. */
  async open(device: BlockDevice, context: OpenContext): Promise<FileSystem> {
    if (device.size < SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES) {
      throw corrupt({
        layer: 'ext',
        structure: 'superblock',
        offset: SUPERBLOCK_OFFSET,
        expected: `a device of at least ${SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES} bytes`,
        found: `${device.size} bytes`,
      });
    }
    const { volume, superblock, replay, superblockCopy } = await openRecovered(device, context);
    const filesystem = new ExtFileSystem(volume, superblock, replay, superblockCopy);
    const report = (field: 'state' | 'blockCountLow', message: string): void =>
      volume.report('superblock', SUPERBLOCK_OFFSET + SUPERBLOCK.fields[field].offset, message);
    if (hasBit(superblock.state, STATE_ERRORS_BIT))
      report('state', 'the kernel has marked the filesystem as having errors');
    const { total } = filesystem.usage;
    if (device.size < total) {
      report(
        'blockCountLow',
        `the filesystem has ${total} bytes, the device only ${device.size}: the image is truncated`,
      );
    }
    return filesystem;
  },
};

async function openVolume(device: BlockDevice, context: OpenContext): Promise<OpenedVolume> {
  const bytes = await readBytes(device, SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES);
  try {
    const superblock = SUPERBLOCK.parse(bytes, 0, SUPERBLOCK_OFFSET);
    const volume = new ExtVolume(device, geometryOf(superblock), context);
    volume.verify('superblock', SUPERBLOCK_OFFSET, () => superblockChecksum(bytes));
    return { volume, superblock, replay: undefined, superblockCopy: undefined };
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== 'CORRUPT' || context.strict === true) throw error;
    const copy = await findSuperblockCopy(device);
    if (copy === undefined) throw error;
    return openByCopy(device, context, copy, error.message);
  }
}

function openByCopy(device: BlockDevice, context: OpenContext, copy: SuperblockCopy, reason: string): OpenedVolume {
  const { superblock, geometry, block } = copy;
  const volume = new ExtVolume(device, geometry, context);
  volume.report(
    'superblock',
    SUPERBLOCK_OFFSET,
    `read by its copy in block ${block}, for it cannot be used: ${reason}`,
  );
  return { volume, superblock, replay: undefined, superblockCopy: block };
}

/** A filesystem whose superblock is gone and whose copy is there; tried after all others, for a copy outlives its filesystem. */
export const extCopyFormat: Format<FileSystem> = {
  name: 'ext by a copy of its superblock',

  async probe(device: BlockDevice): Promise<boolean> {
    return (await findSuperblockCopy(device)) !== undefined;
  },

  open: (device, context) => extFormat.open(device, context),
};

/** The filesystem as it is after the replay of its journal where it needs that, and as it stands where that cannot be done. */
async function openRecovered(device: BlockDevice, context: OpenContext): Promise<OpenedVolume> {
  const opened = await openVolume(device, context);
  const { volume, superblock } = opened;
  if (!volume.geometry.features.incompatible.has('needs_recovery')) return opened;
  const offset = SUPERBLOCK_OFFSET + SUPERBLOCK.fields.incompatible.offset;
  const report = (message: string): void => volume.report('superblock', offset, `needs_recovery: ${message}`);
  if (context.log === 'ignore') {
    report('the journal holds changes that are not shown, as asked');
    return opened;
  }
  try {
    const replay = await recover(volume, superblock);
    const recovered = await openVolume(replay.device, context);
    const transactions = replay.transactionCount === 1 ? '1 transaction' : `${replay.transactionCount} transactions`;
    report(
      `${transactions} of the journal replayed in memory, ${replay.blockCount} blocks; log=ignore shows it without`,
    );
    return { ...recovered, replay };
  } catch (error) {
    if (!(error instanceof DiskError) || context.strict === true) throw error;
    report(`the journal holds changes that are not shown, for it cannot be replayed: ${error.message}`);
    return opened;
  }
}

async function recover(volume: ExtVolume, superblock: Superblock): Promise<Replay> {
  const journal = await findJournal(volume, superblock);
  const report = (message: string, block: number): void => volume.report(`journal block ${block}`, undefined, message);
  return replayJournal(journal, volume.device, volume.geometry.blockCount, report);
}
