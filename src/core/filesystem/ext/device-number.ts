import { bitField } from '../../bytes/bits.ts';
import { viewOf } from '../../bytes/struct.ts';

/**
 * The number of a device node, from the 60 bytes of `i_block` (kernel, fs/ext4/inode.c): the first word holds the old
 * 8:8 encoding; when it is zero, the second holds the new one of 12 bits major and 20 bits minor.
 */
export function decodeDeviceNumber(iBlock: Uint8Array): { major: number; minor: number } {
  const view = viewOf(iBlock);
  const old = view.getUint32(0, true);
  if (old !== 0) return { major: bitField(old, 8, 8), minor: bitField(old, 0, 8) };
  const word = view.getUint32(4, true);
  return { major: bitField(word, 8, 12), minor: bitField(word, 0, 8) + bitField(word, 20, 12) * 256 };
}
