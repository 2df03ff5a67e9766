import { hasBit64 } from '../../bytes/bits.ts';
import { divideUp } from '../../bytes/rounding.ts';
import { byteArray, Struct, type StructValue, u8, u32be, u64be, viewOf, word64be } from '../../bytes/struct.ts';
import { corrupt, type DiskError, unsupported } from '../../errors.ts';
import { INCOMPATIBLE } from './features.ts';
import { l2TableSpan, type TableGeometry } from './table-entries.ts';

/** The first four bytes: "QFI\xfb". */
export const QCOW2_MAGIC = 0x514649fb;
/** The fields that every version has: what must be read before anything else is believed. */
export const HEADER_V2_BYTES = 72;
/** The shortest version 3 header. */
const HEADER_V3_BYTES = 104;
export const MIN_CLUSTER_BITS = 9;
export const MAX_CLUSTER_BITS = 21;
/** With extended L2 entries: a subcluster has at least 512 bytes. */
const MIN_EXTENDED_CLUSTER_BITS = 14;
/** QEMU's limit, 32 MiB of L1 table, in entries of 8 bytes. */
export const MAX_L1_ENTRIES = (32 * 1024 * 1024) / 8;
const MAX_REFCOUNT_ORDER = 6;
/** The specification's limit on the backing file's name, in bytes. */
export const MAX_BACKING_NAME_BYTES = 1023;
/** QEMU's limit on the number of internal snapshots. */
const MAX_SNAPSHOTS = 65536;

const headerFields = {
  magic: u32be(0),
  version: u32be(4),
  backingFileOffset: u64be(8),
  backingFileSize: u32be(16),
  clusterBits: u32be(20),
  size: u64be(24),
  cryptMethod: u32be(32),
  l1Size: u32be(36),
  l1TableOffset: u64be(40),
  refcountTableOffset: u64be(48),
  refcountTableClusters: u32be(56),
  nbSnapshots: u32be(60),
  snapshotsOffset: u64be(64),
};

/** The header of version 2 (qcow2 specification, section "Header", bytes 0 to 71). */
export const headerV2 = new Struct('qcow2', 'header', headerFields);

/** The header of version 3; `compressionType` stands there only when `headerLength` is above 104. */
export const headerV3 = new Struct('qcow2', 'header', {
  ...headerFields,
  incompatibleFeatures: word64be(72),
  compatibleFeatures: word64be(80),
  autoclearFeatures: word64be(88),
  refcountOrder: u32be(96),
  headerLength: u32be(100),
  compressionType: u8(104),
  padding: byteArray(105, 7),
});

type HeaderField = keyof typeof headerV3.fields;

/** The header once every field is known to hold together. Offsets and sizes in bytes. */
export interface Qcow2Header {
  readonly version: 2 | 3;
  readonly headerLength: number;
  readonly clusterBits: number;
  readonly clusterSize: number;
  readonly virtualSize: number;
  readonly cryptMethod: number;
  /** How many L1 entries the virtual disk needs; the table may have more (VM state lies behind the disk). */
  readonly l1EntriesUsed: number;
  readonly l1EntryCount: number;
  readonly l1TableOffset: number;
  readonly refcountTableOffset: number;
  readonly refcountTableClusters: number;
  readonly refcountBits: number;
  readonly snapshotCount: number;
  readonly snapshotsOffset: number;
  /** Where the backing file's name stands; undefined when there is no backing file. */
  readonly backingName: { readonly offset: number; readonly length: number } | undefined;
  readonly incompatibleFeatures: bigint;
  readonly compatibleFeatures: bigint;
  readonly autoclearFeatures: bigint;
  /** The field as it stands; 0 (deflate) where the header is too short to have it. */
  readonly compressionType: number;
  /** Incompatible bit 4: L2 entries of 16 bytes. */
  readonly hasExtendedL2: boolean;
  /** Incompatible bit 2: data lies in an external file. */
  readonly hasDataFile: boolean;
}

/** Bytes of the first cluster, told by the first 72 bytes of the file. */
export function firstClusterBytes(start: Uint8Array): number {
  if (start.length < 8) throw invalid('version', 'a whole header', `${start.length} bytes`);
  const view = viewOf(start);
  const magic = view.getUint32(headerV2.fields.magic.offset);
  if (magic !== QCOW2_MAGIC) throw invalid('magic', hex(QCOW2_MAGIC), hex(magic));
  // Before the other fields are parsed: version 1 has another layout.
  const version = view.getUint32(headerV2.fields.version.offset);
  if (version !== 2 && version !== 3) {
    throw unsupported({ ...place('version'), expected: 'version 2 or 3', found: version });
  }
  const { clusterBits } = headerV2.parse(start);
  if (clusterBits < MIN_CLUSTER_BITS || clusterBits > MAX_CLUSTER_BITS) {
    throw invalid('clusterBits', `${MIN_CLUSTER_BITS} to ${MAX_CLUSTER_BITS}`, clusterBits);
  }
  return 2 ** clusterBits;
}

/**
 * Checks the fields against each other and the file. `fileSize` in bytes. Comes after the features: what an unknown one
 * means for the other fields cannot be told.
 */
export function checkHeader(fields: HeaderFields, fileSize: number): Qcow2Header {
  const clusterSize = 2 ** fields.clusterBits;
  const hasExtendedL2 = hasBit64(fields.incompatibleFeatures, INCOMPATIBLE.extendedL2);
  if (hasExtendedL2 && fields.clusterBits < MIN_EXTENDED_CLUSTER_BITS) {
    throw invalid('clusterBits', `at least ${MIN_EXTENDED_CLUSTER_BITS} with extended L2 entries`, fields.clusterBits);
  }
  const l1EntriesUsed = checkL1Table(fields, { clusterSize, hasExtendedL2 }, fileSize);
  if (fields.refcountOrder > MAX_REFCOUNT_ORDER) {
    throw invalid('refcountOrder', `at most ${MAX_REFCOUNT_ORDER}`, fields.refcountOrder);
  }
  checkSnapshots(fields);
  return {
    version: fields.version === 2 ? 2 : 3,
    headerLength: fields.headerLength,
    clusterBits: fields.clusterBits,
    clusterSize,
    virtualSize: fields.size,
    cryptMethod: fields.cryptMethod,
    l1EntriesUsed,
    l1EntryCount: fields.l1Size,
    l1TableOffset: fields.l1TableOffset,
    refcountTableOffset: fields.refcountTableOffset,
    refcountTableClusters: fields.refcountTableClusters,
    refcountBits: 2 ** fields.refcountOrder,
    snapshotCount: fields.nbSnapshots,
    snapshotsOffset: fields.snapshotsOffset,
    backingName: checkBackingName(fields, clusterSize),
    incompatibleFeatures: fields.incompatibleFeatures,
    compatibleFeatures: fields.compatibleFeatures,
    autoclearFeatures: fields.autoclearFeatures,
    compressionType: fields.compressionType,
    hasExtendedL2,
    hasDataFile: hasBit64(fields.incompatibleFeatures, INCOMPATIBLE.dataFile),
  };
}

/** Where header extensions end at the latest, in a first cluster of `available` bytes: at the backing name or the cluster's end. */
export function extensionsEnd(fields: HeaderFields, available: number): number {
  const clusterSize = 2 ** fields.clusterBits;
  return Math.min(fields.backingFileOffset || clusterSize, clusterSize, available);
}

/** The fields as they stand, in the shape of version 3 whatever the version. */
export type HeaderFields = Omit<StructValue<typeof headerV3.fields>, 'padding'>;

/**
 * Reads the header from the first cluster, or as much of it as the file has. Version, cluster size and the header's own length
 * are checked; what version 2 does not have is as the specification defines it for version 2.
 */
export function parseHeader(cluster: Uint8Array): HeaderFields {
  const clusterSize = firstClusterBytes(cluster);
  const common = headerV2.parse(cluster);
  if (common.version === 2) {
    return {
      ...common,
      incompatibleFeatures: 0n,
      compatibleFeatures: 0n,
      autoclearFeatures: 0n,
      refcountOrder: 4,
      headerLength: HEADER_V2_BYTES,
      compressionType: 0,
    };
  }
  if (cluster.length < HEADER_V3_BYTES) {
    throw corrupt({ ...place('headerLength'), expected: 'a whole version 3 header', found: `${cluster.length} bytes` });
  }
  // Room for the longest header that we know, so that a shorter one parses too.
  const padded = new Uint8Array(headerV3.size);
  padded.set(cluster.subarray(0, headerV3.size));
  const fields = headerV3.parse(padded);
  const { headerLength } = fields;
  if (headerLength < HEADER_V3_BYTES || headerLength % 8 !== 0 || headerLength > clusterSize) {
    throw invalid('headerLength', `a multiple of 8 from ${HEADER_V3_BYTES} to ${clusterSize}`, headerLength);
  }
  if (headerLength > cluster.length) {
    throw invalid('headerLength', `at most the ${cluster.length} bytes of the file`, headerLength);
  }
  const hasCompressionType = headerLength > headerV3.fields.compressionType.offset;
  return { ...fields, compressionType: hasCompressionType ? fields.compressionType : 0 };
}

/** Checks size and place of the L1 table against what the disk needs and the file has; returns the entries needed. */
function checkL1Table(fields: HeaderFields, geometry: TableGeometry, fileSize: number): number {
  const { size, l1Size, l1TableOffset } = fields;
  const needed = divideUp(size, l2TableSpan(geometry));
  if (l1Size > MAX_L1_ENTRIES) throw invalid('l1Size', `at most ${MAX_L1_ENTRIES} entries`, l1Size);
  if (needed > MAX_L1_ENTRIES) throw invalid('size', `a disk of at most ${MAX_L1_ENTRIES} L1 entries`, size);
  if (l1Size < needed) throw invalid('l1Size', `at least ${needed} entries for ${size} bytes`, l1Size);
  checkTableOffset('l1TableOffset', l1TableOffset, geometry.clusterSize);
  if (l1Size > 0 && l1TableOffset + l1Size * 8 > fileSize) {
    throw invalid('l1TableOffset', `a table of ${l1Size} entries inside ${fileSize} bytes`, hex(l1TableOffset));
  }
  return needed;
}

function checkTableOffset(field: HeaderField, offset: number, clusterSize: number): void {
  if (offset % clusterSize !== 0) throw invalid(field, `a multiple of ${clusterSize}`, hex(offset));
}

function checkSnapshots(fields: HeaderFields): void {
  if (fields.nbSnapshots === 0) return;
  if (fields.nbSnapshots > MAX_SNAPSHOTS) {
    throw invalid('nbSnapshots', `at most ${MAX_SNAPSHOTS}`, fields.nbSnapshots);
  }
  checkTableOffset('snapshotsOffset', fields.snapshotsOffset, 2 ** fields.clusterBits);
}

function checkBackingName(fields: HeaderFields, clusterSize: number): Qcow2Header['backingName'] {
  const { backingFileOffset: offset, backingFileSize: length, headerLength } = fields;
  if (offset === 0 || length === 0) return undefined;
  if (length > MAX_BACKING_NAME_BYTES) {
    throw invalid('backingFileSize', `at most ${MAX_BACKING_NAME_BYTES} bytes`, length);
  }
  if (offset < headerLength || offset + length > clusterSize) {
    throw invalid('backingFileOffset', `a name between the header and the end of the first cluster`, hex(offset));
  }
  return { offset, length };
}

function place(field: HeaderField): { layer: string; structure: string; offset: number } {
  return { layer: 'qcow2', structure: `header ${field}`, offset: headerV3.fields[field].offset };
}

/** The CORRUPT error of one header field. */
export function invalid(field: HeaderField, expected: string, found: string | number | bigint): DiskError {
  return corrupt({ ...place(field), expected, found });
}

/** The UNSUPPORTED error of one header field. */
export function notSupported(field: HeaderField, expected: string, found: string | number): DiskError {
  return unsupported({ ...place(field), expected, found });
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
