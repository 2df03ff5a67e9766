import { bitNumbers64 } from '../../bytes/bits.ts';
import { byteArray, Struct, u8 } from '../../bytes/struct.ts';
import { decodeCString } from '../../bytes/text.ts';

/** The three masks of a version 3 header, by their code in the feature name table. */
export type FeatureKind = 'incompatible' | 'compatible' | 'autoclear';
const KINDS: readonly FeatureKind[] = ['incompatible', 'compatible', 'autoclear'];

/** Bits of the incompatible mask (qcow2 specification, section "Header", bytes 72 to 79). */
export const INCOMPATIBLE = { dirty: 0, corrupt: 1, dataFile: 2, compressionType: 3, extendedL2: 4 } as const;
const READABLE_BITS: readonly number[] = Object.values(INCOMPATIBLE);
/** Bits of the autoclear mask (bytes 88 to 95). */
export const AUTOCLEAR = { bitmaps: 0, rawDataFile: 1 } as const;

/** The names of the known feature bits, as QEMU writes them, by the number of the bit. */
export const SPECIFICATION_NAMES: Readonly<Record<FeatureKind, readonly string[]>> = {
  incompatible: ['dirty bit', 'corrupt bit', 'external data file', 'compression type', 'extended L2 entries'],
  compatible: ['lazy refcounts'],
  autoclear: ['bitmaps', 'raw external data'],
};

/** One entry of the feature name table (header extension 0x6803f857). */
export const featureNameEntry = new Struct('qcow2', 'feature name table entry', {
  type: u8(0),
  bit: u8(1),
  name: byteArray(2, 46),
});

/** Names that the image itself has for its feature bits, by `kind:bit`. */
export type FeatureNames = ReadonlyMap<string, string>;

/** The feature name table's data; a last entry that is cut short is left out. */
export function parseFeatureNames(data: Uint8Array | undefined): FeatureNames {
  const names = new Map<string, string>();
  if (data === undefined) return names;
  for (let at = 0; at + featureNameEntry.size <= data.length; at += featureNameEntry.size) {
    const { type, bit, name } = featureNameEntry.parse(data, at);
    const kind = KINDS[type];
    if (kind !== undefined) names.set(`${kind}:${bit}`, decodeCString(name));
  }
  return names;
}

/** The name of a feature bit: from the image's own table, else the specification's, else its number. */
export function featureName(kind: FeatureKind, bit: number, names: FeatureNames): string {
  return names.get(`${kind}:${bit}`) || (SPECIFICATION_NAMES[kind][bit] ?? `${kind} feature bit ${bit}`);
}

/** The names of all bits set in a mask, in the order of the bits. */
export function featureList(kind: FeatureKind, mask: bigint, names: FeatureNames): string[] {
  return bitNumbers64(mask).map((bit) => featureName(kind, bit, names));
}

/** The names of the incompatible features that stand in the way of reading; empty when none does. */
export function unreadableFeatures(mask: bigint, names: FeatureNames): string[] {
  return bitNumbers64(mask)
    .filter((bit) => !READABLE_BITS.includes(bit))
    .map((bit) => featureName('incompatible', bit, names));
}
