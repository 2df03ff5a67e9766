import path from 'node:path';
import type { Container, ContainerOptions } from './container/container.ts';
import { openContainer } from './container/formats.ts';
import { type BlockDevice, DEFAULT_SECTOR_SIZE } from './device/block-device.ts';
import { CachedDevice } from './device/cached-device.ts';
import { FileDevice } from './device/file-device.ts';
import { RangeView } from './device/range-view.ts';
import { corrupt, notFound } from './errors.ts';
import type { FileNode, FileSystem } from './filesystem/filesystem.ts';
import { openFileSystem } from './filesystem/formats.ts';
import { type ResolveOptions, resolvePath } from './filesystem/resolve-path.ts';
import { identifyContent } from './filesystem/signatures.ts';
import type { Diagnostic, OpenContext, Reference } from './format.ts';
import type { Locator } from './locator.ts';
import { openPartitionTable } from './partition/formats.ts';
import type { Partition, PartitionTable } from './partition/partition-table.ts';
import { type ReferencePolicy, referenceDetails, resolveReference } from './references.ts';

/** Diagnostics that are kept; a hostile image could give cause for any number. */
const MAX_DIAGNOSTICS = 1000;

/** Backing chains deeper than this are refused; QEMU's own limit is 200. */
const MAX_CHAIN_DEPTH = 200;

export interface OpenOptions extends ReferencePolicy, ContainerOptions {
  /** Bytes; for images that do not say (raw). */
  readonly sectorSize?: number | undefined;
  /** The container format instead of the one that the magic bytes tell. */
  readonly format?: string | undefined;
}

/** A range of the disk that may bear a filesystem: a partition, or the whole of a disk without a partition table. */
export class Volume {
  /** `p2`, or empty for the bare disk: what stands before the colon of a locator. */
  readonly name: string;
  readonly partition: Partition | undefined;
  readonly device: BlockDevice;
  readonly #context: OpenContext;
  #filesystem: Promise<FileSystem | undefined> | undefined;

  constructor(device: BlockDevice, context: OpenContext, partition?: Partition) {
    this.name = partition === undefined ? '' : `p${partition.number}`;
    this.partition = partition;
    this.device = device;
    this.#context = context;
  }

  /** The filesystem, opened at the first call; undefined when there is none that we read. Rejects when it is damaged. */
  filesystem(): Promise<FileSystem | undefined> {
    this.#filesystem ??= openFileSystem(this.device, this.#context);
    return this.#filesystem;
  }

  /** What the volume bears when it is no filesystem that we read: `NTFS`, `LUKS`, `swap`; undefined when nothing is recognized. */
  content(): Promise<string | undefined> {
    return identifyContent(this.device);
  }
}

/** What a locator leads to. */
export type Target =
  | { readonly kind: 'disk'; readonly device: BlockDevice }
  | { readonly kind: 'partition'; readonly device: BlockDevice; readonly partition: Partition }
  | {
      readonly kind: 'node';
      readonly volume: Volume;
      readonly filesystem: FileSystem;
      readonly node: FileNode;
      readonly path: string;
    };

/** An open image: the stack from the file to the volumes. Disposing it closes every layer, the topmost first. */
export class Image implements AsyncDisposable {
  readonly path: string;
  readonly container: Container;
  /** The virtual disk, with a cache in front. */
  readonly disk: BlockDevice;
  readonly partitionTable: PartitionTable | undefined;
  /** Why the partition table could not be read, if it could not; the disk can be browsed all the same. */
  readonly partitionError: unknown;
  readonly volumes: readonly Volume[];
  /** What was odd but readable, in the order it was met; grows as filesystems are opened. */
  readonly diagnostics: readonly Diagnostic[];
  readonly #stack: AsyncDisposableStack;

  constructor(parts: ImageParts) {
    this.path = parts.path;
    this.container = parts.container;
    this.disk = parts.disk;
    this.partitionTable = parts.partitionTable;
    this.partitionError = parts.partitionError;
    this.volumes = parts.volumes;
    this.diagnostics = parts.diagnostics;
    this.#stack = parts.stack;
  }

  /** The volume of that partition number; `bare` is the disk itself. */
  volume(partition: number | 'bare'): Volume {
    const found = this.volumes.find((volume) => (volume.partition?.number ?? 'bare') === partition);
    if (found !== undefined) return found;
    const known = this.volumes.map((volume) =>
      volume.name === '' ? 'the disk without a partition (":/")' : volume.name,
    );
    throw notFound({
      layer: 'locator',
      expected: known.length === 0 ? 'a partition, but the table is empty' : `one of ${known.join(', ')}`,
      found: partition === 'bare' ? ':' : `p${partition}`,
    });
  }

  /** Follows a locator to a device or a node. */
  async resolve(locator: Locator, options: ResolveOptions = {}): Promise<Target> {
    if (locator.kind === 'disk') return { kind: 'disk', device: this.disk };
    if (locator.kind === 'partition') {
      const { device, partition } = this.volume(locator.partition);
      return { kind: 'partition', device, partition: partition! };
    }
    const volume = locator.partition === 'only' ? await this.#onlyVolume() : this.volume(locator.partition);
    const filesystem = await volume.filesystem();
    if (filesystem === undefined) {
      throw notFound({
        layer: 'filesystem',
        structure: volume.name === '' ? 'disk' : volume.name,
        expected: 'a filesystem',
        found: (await volume.content()) ?? 'nothing recognized',
      });
    }
    return { kind: 'node', volume, filesystem, ...(await resolvePath(filesystem, locator.path, options)) };
  }

  async #onlyVolume(): Promise<Volume> {
    const mounted: Volume[] = [];
    const failures: unknown[] = [];
    for (const volume of this.volumes) {
      try {
        if ((await volume.filesystem()) !== undefined) mounted.push(volume);
      } catch (error) {
        failures.push(error);
      }
    }
    if (mounted.length === 1) return mounted[0]!;
    if (mounted.length === 0 && failures.length > 0) throw failures[0];
    throw notFound({
      layer: 'locator',
      expected: 'a single filesystem for a path without a partition',
      found:
        mounted.length === 0
          ? 'none'
          : `${mounted.length}: write ${mounted.map((volume) => `${volume.name}:/...`).join(' or ')}`,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

interface ImageParts {
  readonly path: string;
  readonly container: Container;
  readonly disk: BlockDevice;
  readonly partitionTable: PartitionTable | undefined;
  readonly partitionError: unknown;
  readonly volumes: readonly Volume[];
  readonly diagnostics: readonly Diagnostic[];
  readonly stack: AsyncDisposableStack;
}

/** Opens an image file read-only and reads its container and partition table; filesystems open when first asked for. */
export async function openImage(imagePath: string, options: OpenOptions = {}): Promise<Image> {
  await using stack = new AsyncDisposableStack();
  const file = stack.use(await FileDevice.open(imagePath, fileOptions(options)));
  return await openStack(file, imagePath, options, stack, imagePath);
}

/**
 * The same over a device that is open already, which becomes the image's own: it is closed with it. It lies in no folder, so
 * a file that it names opens only when it is allowed by its absolute path.
 */
export async function openImageOn(file: FileDevice, options: OpenOptions = {}): Promise<Image> {
  await using stack = new AsyncDisposableStack();
  stack.use(file);
  return await openStack(file, file.path, options, stack, undefined);
}

function fileOptions(options: OpenOptions): { sectorSize: number } {
  return { sectorSize: options.sectorSize ?? DEFAULT_SECTOR_SIZE };
}

async function openStack(
  file: FileDevice,
  imagePath: string,
  options: OpenOptions,
  stack: AsyncDisposableStack,
  place: string | undefined,
): Promise<Image> {
  const diagnostics: Diagnostic[] = [];
  const report = (diagnostic: Diagnostic): void => {
    if (diagnostics.length < MAX_DIAGNOSTICS) diagnostics.push(diagnostic);
    else if (diagnostics.length === MAX_DIAGNOSTICS) {
      diagnostics.push({ layer: 'image', message: 'there is more that is odd than is listed here' });
    }
  };
  // Raw would take it for a disk without sectors, and every command would succeed with nothing. A backing file may be empty.
  if (file.size === 0) {
    throw corrupt({ layer: 'image', structure: 'file', offset: 0, expected: 'at least one byte', found: '0 bytes' });
  }
  const context = chainContext({ file, place, options, stack, report, chain: [file.identity] });
  const container = stack.use(await openContainer(file, context, options.format, options));
  const disk = stack.use(new CachedDevice(container));
  let partitionTable: PartitionTable | undefined;
  let partitionError: unknown;
  try {
    partitionTable = await openPartitionTable(disk, context);
  } catch (error) {
    partitionError = error;
  }
  const volumes = volumesOf(disk, partitionTable, context);
  // A GPT tells the disk's sectors where the image file does not: sector numbers mean the same everywhere.
  const sectorSize = partitionTable?.sectorSize ?? disk.sectorSize;
  return new Image({
    path: imagePath,
    container,
    disk: sectorSize === disk.sectorSize ? disk : new RangeView(disk, { start: 0, length: disk.size }, sectorSize),
    partitionTable,
    partitionError,
    volumes,
    diagnostics,
    stack: stack.move(),
  });
}

function volumesOf(disk: BlockDevice, table: PartitionTable | undefined, context: OpenContext): Volume[] {
  if (table === undefined) return [new Volume(disk, context)];
  return table.partitions
    .filter((partition) => partition.kind !== 'extended')
    .map((partition) => {
      // A partition may reach past the end of a truncated image: what is there can still be read.
      const length = Math.max(0, Math.min(partition.length, disk.size - partition.start));
      const start = Math.min(partition.start, disk.size);
      return new Volume(new RangeView(disk, { start, length }, table.sectorSize), context, partition);
    });
}

interface ChainLink {
  readonly file: FileDevice;
  /** Its path; undefined when it came without one. */
  readonly place: string | undefined;
  readonly options: OpenOptions;
  readonly stack: AsyncDisposableStack;
  readonly report: (diagnostic: Diagnostic) => void;
  /** The identities of the files from the opened image down to this one. */
  readonly chain: readonly string[];
}

/** The context for one image of a backing chain: references are relative to it, and none may lead back up the chain. */
function chainContext(link: ChainLink): OpenContext {
  return { report: link.report, openReference: (reference) => openReferenced(reference, link) };
}

async function openReferenced(reference: Reference, link: ChainLink): Promise<BlockDevice> {
  const target = await resolveReference(reference, link.place, link.options);
  const file = link.stack.use(await FileDevice.open(target, fileOptions(link.options)));
  const details = referenceDetails(reference);
  if (link.chain.includes(file.identity)) {
    throw corrupt({ ...details, expected: 'a chain that ends', found: `${path.basename(target)} again` });
  }
  if (link.chain.length >= MAX_CHAIN_DEPTH) {
    throw corrupt({ ...details, expected: `a chain of at most ${MAX_CHAIN_DEPTH} images`, found: 'more' });
  }
  const context = chainContext({ ...link, file, place: target, chain: [...link.chain, file.identity] });
  return link.stack.use(await openContainer(file, context, reference.format));
}
