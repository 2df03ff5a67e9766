import type { BlockDevice } from './device/block-device.ts';

/** A file named inside an image. */
export interface Reference {
  readonly kind: 'backing file' | 'data file' | 'parent';
  /** As the image has it, undecoded beyond text. */
  readonly name: string;
  /** The format that the image declares for it (`raw`, `qcow2`, ...); undefined when it declares none. */
  readonly format: string | undefined;
  /** Where the name stands, in bytes of the image file that has it. */
  readonly offset?: number | undefined;
}

/** Something odd but readable, with its place. */
export interface Diagnostic {
  readonly layer: string;
  readonly structure?: string | undefined;
  /** Byte offset in the device that the layer reads. */
  readonly offset?: number | undefined;
  readonly message: string;
  /** The view in which it was met, as a locator has it; undefined for the image itself. */
  readonly view?: string | undefined;
}

/** What a format needs from whoever opens it. */
export interface OpenContext {
  /** Opens a file named inside the image, as far as the policy allows; whoever gave the context closes it. */
  openReference(reference: Reference): Promise<BlockDevice>;
  report(diagnostic: Diagnostic): void;
  /** Whether updates that are only in a log (a journal) are read as if they were done; they are, unless it says `ignore`. */
  readonly log?: 'replay' | 'ignore' | undefined;
  /** Whether metadata whose checksum is wrong is refused as CORRUPT, where it is read and reported otherwise. */
  readonly strict?: boolean | undefined;
  /** The DOS code page of FAT's short names and labels, by its number (`850`); 437 unless it says another. */
  readonly codePage?: string | undefined;
}

/** The one shape for containers, partition tables and filesystems. */
export interface Format<Opened> {
  readonly name: string;
  /** Whether the device bears the format's magic bytes; cheap, and false (never an error) for a device too short. */
  probe(device: BlockDevice): Promise<boolean>;
  open(device: BlockDevice, context: OpenContext): Promise<Opened>;
}

/** A fact about a layer that any face can print without knowing the format: `{key: 'clusterSize', value: 65536, unit: 'bytes'}`. */
export interface Property {
  /** camelCase; the key in JSON, and in words its label. */
  readonly key: string;
  readonly value: string | number | boolean | null | readonly string[];
  readonly unit?: 'bytes';
}
