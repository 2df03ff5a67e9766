import type { ByteRange, ReadOptions } from '../../device/block-device.ts';
import { readExtents } from '../../device/extent.ts';
import { corrupt } from '../../errors.ts';
import type { ExtendedAttribute } from '../filesystem.ts';
import { attributeBlockChecksum } from './checksums.ts';
import { INLINE_ATTRIBUTE } from './inline-data.ts';
import { hasFlag, type Inode } from './inode.ts';
import { inodeExtents } from './mapping.ts';
import type { ExtVolume } from './volume.ts';
import { blockXattrs, inodeXattrs, type Xattr } from './xattr.ts';

/** Linux's XATTR_SIZE_MAX is 64 KiB; the format's EXT4_XATTR_SIZE_MAX lets a value inode hold 2^24 bytes. */
const MAX_VALUE_BYTES = 2 ** 24;

/** The extended attributes in the inode, then those in its attribute block. Inline data is content and left out. ACLs have their on-disk form. */
export async function readAttributes(
  volume: ExtVolume,
  inode: Inode,
  options?: ReadOptions,
): Promise<ExtendedAttribute[]> {
  const listed = inodeXattrs(inode).filter(({ name }) => !(name === INLINE_ATTRIBUTE && hasFlag(inode, 'inlineData')));
  if (inode.attributeBlock !== 0) listed.push(...(await attributeBlock(volume, inode, options)));
  const attributes: ExtendedAttribute[] = [];
  for (const xattr of listed) {
    const value = xattr.valueInode === 0 ? xattr.value : await valueFromInode(volume, xattr, options);
    attributes.push({ name: xattr.name, value });
  }
  return attributes;
}

async function attributeBlock(volume: ExtVolume, inode: Inode, options?: ReadOptions): Promise<Xattr[]> {
  const block = inode.attributeBlock;
  if (!volume.hasDataBlocks(block, 1)) {
    throw corrupt({
      layer: 'ext',
      structure: `inode ${inode.id} attribute block`,
      offset: inode.offset,
      expected: `blocks ${volume.dataBlocks.first} to ${volume.dataBlocks.end - 1}, or 0`,
      found: block,
    });
  }
  const bytes = await volume.readMetadata(block, 'extended attribute block', options);
  const offset = volume.blockOffset(block);
  volume.verify(`attribute block of inode ${inode.id}`, offset, (seed) => attributeBlockChecksum(bytes, block, seed));
  return blockXattrs(bytes, offset);
}

/** The ea_inode feature: a large value is the content of an inode of its own. */
async function valueFromInode(volume: ExtVolume, xattr: Xattr, options?: ReadOptions): Promise<Uint8Array> {
  const holder = await volume.inode(xattr.valueInode, options);
  const isRight = holder.kind === 'file' && hasFlag(holder, 'attributeInode') && holder.size === xattr.valueSize;
  if (!isRight || xattr.valueSize > MAX_VALUE_BYTES) {
    throw corrupt({
      layer: 'ext',
      structure: `extended attribute ${xattr.name}`,
      offset: xattr.offset,
      expected: `a value inode of ${xattr.valueSize} bytes, at most ${MAX_VALUE_BYTES}`,
      found: `inode ${holder.id}, ${holder.kind} of ${holder.size} bytes`,
    });
  }
  const value = new Uint8Array(holder.size);
  const extents = (range: ByteRange) => inodeExtents(volume, holder, range, options);
  if (value.length > 0) await readExtents({ size: holder.size, extents }, value, 0, options);
  return value;
}
