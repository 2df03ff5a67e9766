import { guid, Struct, u16le, u32le } from '../../bytes/struct.ts';

/** The only locator type that the specification knows: a parent in a VHDX file (MS-VHDX 2.6.2.6.1). */
export const VHDX_PARENT_LOCATOR = 'B04AEFB7-D19E-4A81-B789-25B8E9445913';

/** MS-VHDX 2.6.2.6.1. */
export const parentLocatorHeader = new Struct('vhdx', 'parent locator', {
  locatorType: guid(0),
  reserved: u16le(16),
  keyValueCount: u16le(18),
});

/** MS-VHDX 2.6.2.6.2; offsets count from the start of the item, key and value are UTF-16LE without a terminator. */
export const parentLocatorEntry = new Struct('vhdx', 'parent locator entry', {
  keyOffset: u32le(0),
  valueOffset: u32le(4),
  keyLength: u16le(8),
  valueLength: u16le(10),
});

/** The keys of MS-VHDX 2.6.2.6.3. */
export const PARENT_KEY = {
  parentLinkage: 'parent_linkage',
  parentLinkage2: 'parent_linkage2',
  relativePath: 'relative_path',
  volumePath: 'volume_path',
  absoluteWin32Path: 'absolute_win32_path',
} as const;
