import { hasBit } from '../../bytes/bits.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { corrupt } from '../../errors.ts';
import type { Format, OpenContext } from '../../format.ts';
import type { FileSystem } from '../filesystem.ts';
import { ExtFileSystem } from './ext-filesystem.ts';
import { geometryOf } from './geometry.ts';
import { EXT_MAGIC, SUPERBLOCK, SUPERBLOCK_BYTES, SUPERBLOCK_OFFSET } from './superblock.ts';
import { ExtVolume } from './volume.ts';

const STATE_ERRORS_BIT = 1;

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
    const bytes = await readBytes(device, SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES);
    const superblock = SUPERBLOCK.parse(bytes, 0, SUPERBLOCK_OFFSET);
    const geometry = geometryOf(superblock);
    const volume = new ExtVolume(device, geometry, context);
    const filesystem = new ExtFileSystem(volume, superblock);
    const report = (field: 'state' | 'incompatible' | 'blockCountLow', message: string): void =>
      volume.report('superblock', SUPERBLOCK_OFFSET + SUPERBLOCK.fields[field].offset, message);
    if (geometry.features.incompatible.has('needs_recovery')) {
      report('incompatible', 'needs_recovery: the journal holds changes that are not shown; it is not replayed');
    }
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
