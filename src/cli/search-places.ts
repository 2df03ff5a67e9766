import {
  type BlockDevice,
  type Extent,
  type FileSystem,
  fileDevice,
  formatLocator,
  formatView,
  type Image,
  type RegularFile,
  type Target,
  type Volume,
} from '../core/index.ts';
import { type Listing, listAll, noteUnreadable, startsOf } from './listing.ts';
import type { Session } from './session.ts';

/** Bytes to search: the disk, a partition, a file. */
export interface SearchPlace {
  readonly device: BlockDevice;
  /** What is searched, in print. */
  readonly name: string;
  /** Whether it is one of many files: one that cannot be read is left out. */
  readonly isFile: boolean;
  /** Where a byte of the device is. */
  locate(offset: number): Promise<Located>;
}

export interface Located {
  /** The innermost that the byte is known to be in. */
  readonly locator: string;
  /** In what the locator names. */
  readonly offset: number;
  /** Undefined for a byte that is stored nowhere: a hole. */
  readonly diskOffset: number | undefined;
}

/** The places that a target stands for; with `isOfFiles` the files of a disk or a partition instead of its bytes. */
export async function* searchPlaces(
  target: Target,
  isOfFiles: boolean,
  session: Session,
): AsyncGenerator<SearchPlace, void> {
  if (target.kind === 'node' || isOfFiles) {
    for await (const listing of listAll(await startsOf(target, session), { recursive: true }, session))
      yield* filePlaces(listing, session);
  } else if (target.kind === 'disk') yield diskPlace(target.image);
  else {
    const { device, volume } = target;
    const start = startOf(volume);
    const locate = async (offset: number): Promise<Located> => ({
      locator: volume.name,
      offset,
      diskOffset: start + offset,
    });
    yield { device, name: volume.name, isFile: false, locate };
  }
}

function startOf(volume: Volume): number {
  return volume.partition?.start ?? 0;
}

/** A byte of the disk is told by the partition that it is in. */
function diskPlace(image: Image): SearchPlace {
  const name = image.view === undefined ? 'disk' : formatView(image.view);
  const holds = (volume: Volume, offset: number): boolean => {
    const { partition } = volume;
    return partition !== undefined && offset >= partition.start && offset < partition.start + partition.length;
  };
  const locate = async (offset: number): Promise<Located> => {
    const volume = image.volumes.find((each) => holds(each, offset));
    if (volume === undefined) return { locator: name, offset, diskOffset: offset };
    return { locator: volume.name, offset: offset - startOf(volume), diskOffset: offset };
  };
  return { device: image.disk, name, isFile: false, locate };
}

async function* filePlaces(
  { volume, filesystem, entries }: Listing,
  session: Session,
): AsyncGenerator<SearchPlace, void> {
  for (const { path, entry } of entries) {
    if (entry.kind !== 'file') continue;
    try {
      const node = await filesystem.node(entry.nodeId, session);
      if (node.kind === 'file' && node.size > 0) yield filePlace(volume, filesystem, node, path);
    } catch (error) {
      noteUnreadable(formatLocator(volume.name, path), entry, error, session);
    }
  }
}

function filePlace(volume: Volume, filesystem: FileSystem, node: RegularFile, path: string): SearchPlace {
  const device = fileDevice(filesystem, node);
  const name = formatLocator(volume.name, path);
  // Matches come in order: most lie in the extent of the one before.
  let known: Extent | undefined;
  const locate = async (offset: number): Promise<Located> => {
    if (known === undefined || offset < known.start || offset >= known.start + known.length)
      known = await firstOf(device.extents({ start: offset, length: device.size - offset }));
    if (known?.kind !== 'data') return { locator: name, offset, diskOffset: undefined };
    return { locator: name, offset, diskOffset: startOf(volume) + known.sourceOffset + offset - known.start };
  };
  return { device, name, isFile: true, locate };
}

async function firstOf<Value>(values: AsyncIterable<Value>): Promise<Value | undefined> {
  for await (const value of values) return value;
  return undefined;
}
