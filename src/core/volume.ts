import type { BlockDevice } from './device/block-device.ts';
import type { FileSystem } from './filesystem/filesystem.ts';
import { openFileSystem } from './filesystem/formats.ts';
import { identifyContent } from './filesystem/signatures.ts';
import type { OpenContext } from './format.ts';
import { formatPlace, type View } from './locator.ts';
import type { Partition } from './partition/partition-table.ts';

/** A range of the disk that may bear a filesystem: a partition, or the whole of a disk without a partition table. */
export class Volume {
  /** What stands before the colon of a locator: `p2`, `snapshot=old/p2`; empty for the bare disk. */
  readonly name: string;
  readonly partition: Partition | undefined;
  readonly device: BlockDevice;
  readonly #context: OpenContext;
  #filesystem: Promise<FileSystem | undefined> | undefined;

  constructor(device: BlockDevice, context: OpenContext, partition?: Partition, view?: View) {
    this.name = formatPlace(view, partition === undefined ? '' : `p${partition.number}`);
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
