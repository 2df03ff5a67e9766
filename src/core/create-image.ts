import path from 'node:path';
import { roundUp } from './bytes/rounding.ts';
import type { ContainerFormatName, ContainerOptions } from './container/container.ts';
import { createQcow2 } from './container/qcow2/write/create.ts';
import { VhdxContainer } from './container/vhdx/vhdx-container.ts';
import { createVhdx } from './container/vhdx/write/create-vhdx.ts';
import type { ParentReference } from './container/vhdx/write/metadata-region.ts';
import { DEFAULT_SECTOR_SIZE, type ResizableBlockDevice } from './device/block-device.ts';
import { fileIdentity, WritableFileDevice } from './device/file-device.ts';
import { denied, outOfRange, unsupported } from './errors.ts';
import type { Image } from './image.ts';
import { openImage } from './open-image.ts';
import { checkTarget, writeNewFile } from './output/new-file.ts';
import { plainFileName, type ReferencePolicy, realPath } from './references.ts';

/** The image below a new one. */
export interface BackingFile {
  /** As it is to stand in the new image: a relative name is relative to that image's folder. */
  readonly name: string;
  /** Never guessed: a guest could make a raw disk look like something else. */
  readonly format: ContainerFormatName;
}

/** A passphrase is for the backing file. */
export interface CreateImageOptions
  extends ReferencePolicy,
    Pick<ContainerOptions, 'passphrase' | 'offeredPassphrase'> {
  readonly format: ContainerFormatName;
  /** Bytes of the disk; that of the backing file, in whole sectors, unless given. */
  readonly size?: number | undefined;
  readonly backing?: BackingFile | undefined;
  /** QCOW2 only: bytes, a power of two from 512 to 2 MiB; 64 KiB unless given. */
  readonly clusterSize?: number | undefined;
  /** VHDX only: bytes, a power of two from 1 MiB to 256 MiB. */
  readonly blockSize?: number | undefined;
  /** VHDX only: whether all blocks have their place from the beginning; `dynamic` unless given. */
  readonly type?: 'fixed' | 'dynamic' | undefined;
  /** VHDX only: bytes of a logical sector, 512 unless given. */
  readonly logicalSectorSize?: 512 | 4096 | undefined;
  /** Whether a file of that name may be replaced. */
  readonly overwrite?: boolean | undefined;
}

/**
 * Makes a new, empty image: whole or not at all. Returns its virtual size in bytes. DENIED when a file is there already, also
 * with `overwrite` when it is one that the backing file is made of; OUT_OF_RANGE and UNSUPPORTED for what the format has not.
 */
export async function createImage(imagePath: string, options: CreateImageOptions): Promise<number> {
  const { overwrite = false, backing } = options;
  await checkTarget(imagePath, overwrite);
  if (overwrite) await refuseUsed(imagePath);
  if (backing === undefined) return createNew(imagePath, options, undefined);
  const file = path.resolve(await realFolder(imagePath), backing.name);
  const { references, allowReferences, passphrase, offeredPassphrase } = options;
  const opening = { format: backing.format, references, allowReferences, passphrase, offeredPassphrase };
  await using below = await openImage(file, opening);
  if (await below.hasFile(imagePath))
    throw denied({
      layer: 'output',
      structure: imagePath,
      expected: 'another file',
      found: 'a file of its backing file',
    });
  return createNew(imagePath, options, below);
}

/** A file that a machine writes to must not be taken away under it. */
async function refuseUsed(imagePath: string): Promise<void> {
  if ((await fileIdentity(imagePath)) === undefined) return;
  await using old = await WritableFileDevice.open(imagePath);
  await old.lock();
}

async function createNew(imagePath: string, options: CreateImageOptions, below: Image | undefined): Promise<number> {
  // Only a raw disk may end inside a sector.
  const size = options.size ?? roundUp(below?.container.size ?? 0, DEFAULT_SECTOR_SIZE);
  if (!Number.isSafeInteger(size) || size < 1)
    throw outOfRange({ layer: options.format, structure: 'virtual size', expected: 'at least one byte', found: size });
  await writeNewFile(imagePath, options.overwrite ?? false, async (_file, temporary) => {
    await using device = await WritableFileDevice.open(temporary);
    await fill(device, imagePath, { ...options, size }, below);
    await device.flush();
  });
  return size;
}

async function fill(
  device: ResizableBlockDevice,
  imagePath: string,
  options: CreateImageOptions & { readonly size: number },
  below: Image | undefined,
): Promise<void> {
  const { format, size, backing, clusterSize, blockSize, logicalSectorSize } = options;
  switch (format) {
    case 'raw':
      if (backing !== undefined) throw unsupported({ layer: 'raw', expected: 'no backing file', found: backing.name });
      return device.resize(size);
    case 'qcow2':
      // A name that could not be opened again: a colon makes it one of a protocol, unless a folder stands before it (`./a:b`).
      if (backing !== undefined) plainFileName({ kind: 'backing file', ...backing });
      return createQcow2(device, { virtualSize: size, clusterSize, backing });
    case 'vhdx': {
      const parent = below === undefined ? undefined : parentReference(below, await realFolder(imagePath));
      if (parent !== undefined && options.type === 'fixed')
        throw unsupported({ layer: 'vhdx', expected: 'a dynamic disk over a parent', found: 'fixed' });
      const type = parent === undefined ? (options.type ?? 'dynamic') : 'differencing';
      const sectors = logicalSectorSize ?? (below?.container.sectorSize === 4096 ? 4096 : DEFAULT_SECTOR_SIZE);
      if (below !== undefined && sectors !== below.container.sectorSize) {
        const expected = `the parent's logical sectors of ${below.container.sectorSize} bytes`;
        throw unsupported({ layer: 'vhdx', structure: 'logical sector size', expected, found: sectors });
      }
      await createVhdx(device, {
        virtualSize: size,
        type,
        blockSize,
        logicalSectorSize: sectors === 4096 ? 4096 : 512,
        parent,
      });
    }
  }
}

/** Where the names in an image start from when it is read: `..` is another folder above one that is a symbolic link. */
function realFolder(imagePath: string): Promise<string> {
  return realPath(path.dirname(imagePath));
}

/** How a differencing VHDX names its parent: from its own folder, so that both can be moved together. */
function parentReference({ container, path: file }: Image, folder: string): ParentReference {
  if (!(container instanceof VhdxContainer))
    throw unsupported({ layer: 'vhdx', structure: 'parent', expected: 'a VHDX file', found: container.format });
  const name = path.relative(folder, path.resolve(file));
  if (path.sep === '/' && name.includes('\\')) {
    const expected = 'a path without a backslash, which stands between folders in the locator';
    throw unsupported({ layer: 'vhdx', structure: 'parent', expected, found: name });
  }
  // Else what stands before a colon would be a protocol.
  const relativePath = /^[^/\\]*:/.test(name) && !path.isAbsolute(name) ? `./${name}` : name;
  return { dataWriteGuid: container.dataWriteGuid, relativePath };
}
