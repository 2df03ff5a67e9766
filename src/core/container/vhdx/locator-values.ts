import { decodeUtf16Little } from '../../bytes/text.ts';
import { corrupt, type DiskError, unsupported } from '../../errors.ts';
import type { MetadataItem } from './metadata-items.ts';
import { PARENT_KEY, parentLocatorEntry, parentLocatorHeader, VHDX_PARENT_LOCATOR } from './parent-locator.ts';

/** Keys that are read; the specification knows five. */
const MAX_KEYS = 64;

/** A value of the locator, and where it stands in the file, in bytes. */
export interface LocatorValue {
  readonly text: string;
  readonly offset: number;
}

export interface ParentLocator {
  /** GUIDs in upper case without braces; the parent's DataWriteGuid is one of them. */
  readonly linkages: readonly string[];
  /** Every path that there is, in the order to try them (MS-VHDX 2.6.2.6.3). */
  readonly paths: readonly LocatorValue[];
}

/** The keys and values of a parent locator (MS-VHDX 2.6.2.6). A locator for something other than a VHDX file is UNSUPPORTED. */
export function parseParentLocator(item: MetadataItem): ParentLocator {
  const values = parseValues(item);
  const linkage = values.get(PARENT_KEY.parentLinkage);
  if (linkage === undefined) throw invalid(item, 0, `the key ${PARENT_KEY.parentLinkage}`, 'none');
  const linkage2 = values.get(PARENT_KEY.parentLinkage2);
  const paths = [PARENT_KEY.relativePath, PARENT_KEY.volumePath, PARENT_KEY.absoluteWin32Path].flatMap(
    (key) => values.get(key) ?? [],
  );
  if (paths.length === 0) throw invalid(item, 0, 'a path to the parent', `the keys ${[...values.keys()].join(', ')}`);
  return { linkages: [linkage, ...(linkage2 === undefined ? [] : [linkage2])].map(parseLinkage), paths };
}

function parseValues(item: MetadataItem): Map<string, LocatorValue> {
  const { locatorType, keyValueCount } = parentLocatorHeader.parse(item.bytes, 0, item.offset);
  if (locatorType !== VHDX_PARENT_LOCATOR) {
    const details = { layer: 'vhdx', structure: 'parent locator locatorType', offset: item.offset };
    throw unsupported({ ...details, expected: `a parent in a VHDX file (${VHDX_PARENT_LOCATOR})`, found: locatorType });
  }
  if (keyValueCount > MAX_KEYS) throw invalid(item, 0, `at most ${MAX_KEYS} keys`, keyValueCount);
  const values = new Map<string, LocatorValue>();
  for (let index = 0; index < keyValueCount; index++) {
    const at = parentLocatorHeader.size + index * parentLocatorEntry.size;
    const entry = parentLocatorEntry.parse(item.bytes, at, item.offset + at);
    const key = textAt(item, at, entry.keyOffset, entry.keyLength);
    if (values.has(key)) throw invalid(item, at, 'each key once', key);
    const text = textAt(item, at, entry.valueOffset, entry.valueLength);
    values.set(key, { text, offset: item.offset + entry.valueOffset });
  }
  return values;
}

function textAt(item: MetadataItem, at: number, offset: number, length: number): string {
  const { bytes } = item;
  if (offset === 0 || length === 0 || length % 2 !== 0 || offset + length > bytes.length)
    throw invalid(item, at, `UTF-16 text inside the item of ${bytes.length} bytes`, `${length} bytes at ${offset}`);
  return decodeUtf16Little(bytes.subarray(offset, offset + length));
}

/** `{83ed0ec3-24c8-49a6-a959-5e4bf1288bfb}`, whatever the case. */
function parseLinkage({ text, offset }: LocatorValue): string {
  const found = /^\{([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}$/i.exec(text)?.[1];
  if (found !== undefined) return found.toUpperCase();
  throw corrupt({
    layer: 'vhdx',
    structure: 'parent locator linkage',
    offset,
    expected: 'a GUID in braces',
    found: text,
  });
}

function invalid({ offset }: MetadataItem, at: number, expected: string, found: string | number): DiskError {
  return corrupt({ layer: 'vhdx', structure: 'parent locator', offset: offset + at, expected, found });
}
