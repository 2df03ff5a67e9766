import { roundUp } from '../../../bytes/rounding.ts';
import { encodeName } from '../../../bytes/text.ts';
import { outOfRange } from '../../../errors.ts';
import { type FeatureKind, featureNameEntry, INCOMPATIBLE, SPECIFICATION_NAMES } from '../features.ts';
import { headerV2, headerV3, MAX_BACKING_NAME_BYTES, QCOW2_MAGIC } from '../header.ts';
import { EXTENSION, extensionHead } from '../header-extensions.ts';
import { COMPRESSION_TYPES, type CompressionType } from '../inflate-cluster.ts';

/** What the header of a new image says. Offsets and sizes in bytes. */
export interface HeaderDescription {
  readonly version: 2 | 3;
  /** A power of two from 512 to 2 MiB. */
  readonly clusterSize: number;
  readonly virtualSize: number;
  readonly l1TableOffset: number;
  readonly l1EntryCount: number;
  readonly refcountTableOffset: number;
  readonly refcountTableClusters: number;
  /** A power of two from 1 to 64; 16 in version 2. */
  readonly refcountBits: number;
  /** `zstd` needs version 3. */
  readonly compressionType: CompressionType;
  readonly backing?: { readonly name: string; readonly format: string } | undefined;
}

/** QEMU leaves the feature name table out where the first cluster is smaller than this. */
const MIN_CLUSTER_FOR_FEATURE_NAMES = 8192;
/** As `featureNameEntry` numbers them. */
const FEATURE_KINDS: readonly FeatureKind[] = ['incompatible', 'compatible', 'autoclear'];

/**
 * The whole first cluster of a new image as QEMU would write it: header, backing format, feature names, and the backing file's
 * name behind them (qcow2 specification, sections "Header" and "Header extensions"). OUT_OF_RANGE when the name has no room.
 */
export function buildHeader(description: HeaderDescription): Uint8Array<ArrayBuffer> {
  const { version, clusterSize, backing } = description;
  const cluster = new Uint8Array(clusterSize);
  const fields = fieldsOf(description);
  const struct = version === 2 ? headerV2 : headerV3;
  struct.write(cluster, version === 2 ? commonFields(description) : fields);
  let at = struct.size;
  const extensions = extensionsOf(description);
  const name = backing === undefined ? undefined : encodeName(backing.name);
  const end = extensions.reduce((sum, { data }) => sum + extensionHead.size + roundUp(data.length, 8), at);
  // The end of the extensions is a head of its own.
  const nameOffset = end + extensionHead.size;
  const room = Math.min(MAX_BACKING_NAME_BYTES, clusterSize - nameOffset);
  if (name !== undefined && (name.length === 0 || name.length > room)) {
    throw outOfRange({
      layer: 'qcow2',
      structure: 'backing file name',
      expected: `1 to ${Math.max(0, room)} bytes, as much as a cluster of ${clusterSize} has room for`,
      found: `${name.length} bytes`,
    });
  }
  for (const { type, data } of extensions) {
    extensionHead.write(cluster, { type, length: data.length }, at);
    cluster.set(data, at + extensionHead.size);
    at += extensionHead.size + roundUp(data.length, 8);
  }
  if (name !== undefined) {
    cluster.set(name, nameOffset);
    headerV2.write(cluster, { backingFileOffset: nameOffset, backingFileSize: name.length });
  }
  return cluster;
}

function commonFields(description: HeaderDescription) {
  return {
    magic: QCOW2_MAGIC,
    version: description.version,
    clusterBits: Math.log2(description.clusterSize),
    size: description.virtualSize,
    l1Size: description.l1EntryCount,
    l1TableOffset: description.l1TableOffset,
    refcountTableOffset: description.refcountTableOffset,
    refcountTableClusters: description.refcountTableClusters,
  };
}

function fieldsOf(description: HeaderDescription) {
  const compressionType = COMPRESSION_TYPES.indexOf(description.compressionType);
  return {
    ...commonFields(description),
    incompatibleFeatures: compressionType === 0 ? 0n : 2n ** BigInt(INCOMPATIBLE.compressionType),
    refcountOrder: Math.log2(description.refcountBits),
    headerLength: headerV3.size,
    compressionType,
  };
}

interface NewExtension {
  readonly type: number;
  readonly data: Uint8Array;
}

/** The extensions in QEMU's order. */
function extensionsOf({ version, clusterSize, backing }: HeaderDescription): NewExtension[] {
  const extensions: NewExtension[] = [];
  if (backing !== undefined) extensions.push({ type: EXTENSION.backingFormat, data: encodeName(backing.format) });
  if (version === 3 && clusterSize >= MIN_CLUSTER_FOR_FEATURE_NAMES) {
    extensions.push({ type: EXTENSION.featureNames, data: featureNameTable() });
  }
  return extensions;
}

/** Header extension 0x6803f857 with every feature that the specification names. */
function featureNameTable(): Uint8Array {
  const entries = FEATURE_KINDS.flatMap((kind, type) =>
    SPECIFICATION_NAMES[kind].map((text, bit) => {
      const name = new Uint8Array(featureNameEntry.fields.name.length);
      name.set(encodeName(text));
      return featureNameEntry.build({ type, bit, name });
    }),
  );
  return Buffer.concat(entries);
}
