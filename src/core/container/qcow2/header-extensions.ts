import { roundUp } from '../../bytes/rounding.ts';
import { Struct, u32be } from '../../bytes/struct.ts';
import { decodeName } from '../../bytes/text.ts';
import { corrupt } from '../../errors.ts';
import { type FeatureNames, parseFeatureNames } from './features.ts';

/** Type codes of header extensions (qcow2 specification, section "Header extensions"). */
export const EXTENSION = {
  end: 0,
  backingFormat: 0xe2792aca,
  featureNames: 0x6803f857,
  bitmaps: 0x23852875,
  encryption: 0x0537be77,
  dataFileName: 0x44415441,
} as const;

/** One header extension's head; `length` bytes of data follow, padded to a multiple of 8. */
export const extensionHead = new Struct('qcow2', 'header extension', { type: u32be(0), length: u32be(4) });

export interface HeaderExtension {
  readonly type: number;
  /** Where its data stands in the file, in bytes. */
  readonly offset: number;
  readonly data: Uint8Array;
}

export interface HeaderExtensions {
  /** In the order of the file, unknown ones too. */
  readonly all: readonly HeaderExtension[];
  readonly backingFormat: string | undefined;
  /** The name of the external data file. */
  readonly dataFileName: string | undefined;
  readonly featureNames: FeatureNames;
}

/** The header extensions between `start` and `end` of the file's first bytes. */
export function parseHeaderExtensions(cluster: Uint8Array, start: number, end: number): HeaderExtensions {
  const all: HeaderExtension[] = [];
  // Each step moves at least 8 bytes on, inside one cluster.
  let at = start;
  while (at + extensionHead.size <= end) {
    const { type, length } = extensionHead.parse(cluster, at);
    if (type === EXTENSION.end) break;
    const offset = at + extensionHead.size;
    if (length > end - offset) {
      throw corrupt({
        layer: 'qcow2',
        structure: 'header extension length',
        offset: at + extensionHead.fields.length.offset,
        expected: `at most ${end - offset} bytes`,
        found: length,
      });
    }
    all.push({ type, offset, data: cluster.slice(offset, offset + length) });
    at = offset + roundUp(length, 8);
  }
  const find = (type: number): Uint8Array | undefined => all.find((extension) => extension.type === type)?.data;
  return {
    all,
    backingFormat: textOf(find(EXTENSION.backingFormat)),
    dataFileName: textOf(find(EXTENSION.dataFileName)),
    featureNames: parseFeatureNames(find(EXTENSION.featureNames)),
  };
}

function textOf(data: Uint8Array | undefined): string | undefined {
  return data === undefined || data.length === 0 ? undefined : decodeName(data);
}
