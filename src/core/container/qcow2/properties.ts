import { hasBit64 } from '../../bytes/bits.ts';
import type { BlockDevice } from '../../device/block-device.ts';
import { DiskError } from '../../errors.ts';
import type { OpenContext, Property } from '../../format.ts';
import type { BackingLayer } from '../container.ts';
import { type Bitmap, readBitmapDirectory } from './bitmap-directory.ts';
import type { OpenedEncryption } from './encryption.ts';
import { AUTOCLEAR, featureList } from './features.ts';
import { headerV3, type Qcow2Header } from './header.ts';
import { EXTENSION, type HeaderExtensions } from './header-extensions.ts';
import type { CompressionType } from './inflate-cluster.ts';
import { type Qcow2Snapshot, snapshotTitle } from './snapshot-table.ts';

/** What opening an image told about it. */
export interface Qcow2Facts {
  readonly header: Qcow2Header;
  readonly extensions: HeaderExtensions;
  readonly compressionType: CompressionType;
  readonly backing: BackingLayer | undefined;
  readonly encryption: OpenedEncryption | undefined;
  readonly bitmaps: readonly string[];
  /** Undefined when their table is damaged. */
  readonly snapshots: readonly Qcow2Snapshot[] | undefined;
  /** The snapshot that is looked at instead of the present state. */
  readonly snapshot: Qcow2Snapshot | undefined;
}

/** The facts for people and `--json`, in the order to print them. */
export function propertiesOf(facts: Qcow2Facts): Property[] {
  const { header, extensions, backing, encryption, snapshots, snapshot } = facts;
  const features = (kind: 'incompatible' | 'compatible' | 'autoclear', mask: bigint): Property => ({
    key: `${kind}Features`,
    value: featureList(kind, mask, extensions.featureNames),
  });
  const isRaw = hasBit64(header.autoclearFeatures, AUTOCLEAR.rawDataFile);
  return [
    { key: 'version', value: header.version },
    { key: 'clusterSize', value: header.clusterSize, unit: 'bytes' },
    { key: 'compressionType', value: facts.compressionType },
    { key: 'refcountBits', value: header.refcountBits },
    { key: 'backingFile', value: backing?.name ?? null },
    { key: 'backingFormat', value: extensions.backingFormat ?? null },
    { key: 'dataFile', value: header.hasDataFile ? (extensions.dataFileName ?? null) : null },
    { key: 'dataFileIsRaw', value: header.hasDataFile ? isRaw : null },
    { key: 'encryption', value: encryption?.description ?? null },
    { key: 'snapshotCount', value: header.snapshotCount },
    features('incompatible', header.incompatibleFeatures),
    features('compatible', header.compatibleFeatures),
    features('autoclear', header.autoclearFeatures),
    { key: 'otherHeaderExtensions', value: unknownExtensions(extensions) },
    { key: 'bitmaps', value: facts.bitmaps },
    { key: 'snapshots', value: listed((snapshots ?? []).map(snapshotTitle)) },
    { key: 'openedSnapshot', value: snapshot === undefined ? null : snapshotTitle(snapshot) },
  ];
}

/** Names listed in one property; a hostile image could have thousands. */
const MAX_LISTED = 100;

function listed(names: readonly string[]): string[] {
  if (names.length <= MAX_LISTED) return [...names];
  return [...names.slice(0, MAX_LISTED), `and ${names.length - MAX_LISTED} more`];
}

function unknownExtensions({ all }: HeaderExtensions): string[] {
  const known: readonly number[] = Object.values(EXTENSION);
  const unknown = all.filter(({ type }) => !known.includes(type));
  return listed(unknown.map(({ type, data }) => `0x${type.toString(16).padStart(8, '0')} (${data.length} bytes)`));
}

/**
 * The persistent bitmaps in words. The disk does not depend on them: a damaged directory, and one
 * that is not consistent any more, are only reported.
 */
export async function describeBitmaps(
  file: BlockDevice,
  header: Qcow2Header,
  extensions: HeaderExtensions,
  context: OpenContext,
): Promise<readonly string[]> {
  const extension = extensions.all.find(({ type }) => type === EXTENSION.bitmaps);
  const isConsistent = hasBit64(header.autoclearFeatures, AUTOCLEAR.bitmaps);
  const { offset } = headerV3.fields.autoclearFeatures;
  const report = (message: string) =>
    context.report({ layer: 'qcow2', structure: 'header autoclearFeatures', offset, message });
  if (extension === undefined) {
    if (isConsistent) report('the bitmaps bit is set, but there is no bitmaps extension');
    return [];
  }
  if (!isConsistent) report('the persistent bitmaps are stale: the image was written without keeping them up to date');
  try {
    return listed((await readBitmapDirectory(file, extension)).map((bitmap) => bitmapTitle(bitmap, isConsistent)));
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== 'CORRUPT') throw error;
    const { structure, offset: at, message } = error;
    context.report({ layer: 'qcow2', structure, offset: at, message: `the bitmaps cannot be listed: ${message}` });
    return [];
  }
}

function bitmapTitle({ name, granularityBits, flags }: Bitmap, isConsistent: boolean): string {
  const details = [`${2n ** BigInt(granularityBits)} bytes a bit`, ...flags, ...(isConsistent ? [] : ['stale'])];
  return `${name} (${details.join(', ')})`;
}
