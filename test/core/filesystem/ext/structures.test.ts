import test from 'ava';
import { viewOf } from '../../../../src/core/bytes/struct.ts';
import { decodeDeviceNumber } from '../../../../src/core/filesystem/ext/device-number.ts';
import {
  DIRECTORY_ENTRY,
  type DirectoryRules,
  decodeDirectoryBlock,
} from '../../../../src/core/filesystem/ext/directory-block.ts';
import { stateWords } from '../../../../src/core/filesystem/ext/ext-filesystem.ts';
import {
  EXTENT,
  EXTENT_HEADER,
  EXTENT_INDEX,
  type ExtentNodePlace,
  parseExtentNode,
} from '../../../../src/core/filesystem/ext/extent-node.ts';
import { featuresOf, requireReadable, typeOf } from '../../../../src/core/filesystem/ext/features.ts';
import { type Geometry, geometryOf, hasSuperblock } from '../../../../src/core/filesystem/ext/geometry.ts';
import { inodeFlagWords } from '../../../../src/core/filesystem/ext/inode-flags.ts';
import { SUPERBLOCK } from '../../../../src/core/filesystem/ext/superblock.ts';
import { decodeTimestamp } from '../../../../src/core/filesystem/ext/timestamp.ts';
import { blockXattrs, XATTR_BLOCK_HEADER, XATTR_ENTRY } from '../../../../src/core/filesystem/ext/xattr.ts';
import { type DirectoryEntry, DiskError } from '../../../../src/core/index.ts';

/** The error that a call throws, which must be CORRUPT and name a place. */
function corruption(t: { fail(message?: string): void }, action: () => unknown): DiskError {
  try {
    action();
  } catch (error) {
    if (error instanceof DiskError && error.code === 'CORRUPT' && error.offset !== undefined) return error;
    throw error;
  }
  t.fail('nothing was thrown');
  throw new Error('nothing was thrown');
}

test('times: signed seconds, two epoch bits, nanoseconds; a count that is none is dropped', (t) => {
  const at = (seconds: number, nanoseconds = 0): unknown => ({ seconds, nanoseconds, zone: 'utc' });
  t.deepEqual(decodeTimestamp(0, 0), at(0));
  t.deepEqual(decodeTimestamp(-1, 999_999_999 * 4), at(-1, 999_999_999));
  t.deepEqual(decodeTimestamp(-(2 ** 31), 0), at(-(2 ** 31)));
  t.deepEqual(decodeTimestamp(-(2 ** 31), 1), at(2 ** 31));
  t.deepEqual(decodeTimestamp(2 ** 31 - 1, 3), at(2 ** 31 - 1 + 3 * 2 ** 32));
  t.deepEqual(decodeTimestamp(5, 0xffff_ffff), at(5 + 3 * 2 ** 32, 0));
});

test('device numbers: the old encoding, the new one, and 0:0', (t) => {
  const numbers = (first: number, second: number): unknown => {
    const iBlock = new Uint8Array(60);
    viewOf(iBlock).setUint32(0, first, true);
    viewOf(iBlock).setUint32(4, second, true);
    return decodeDeviceNumber(iBlock);
  };
  t.deepEqual(numbers(0x0501, 0), { major: 5, minor: 1 });
  t.deepEqual(numbers(0xffff, 0), { major: 255, minor: 255 });
  t.deepEqual(numbers(0, 0xffff_ffff), { major: 4095, minor: 1_048_575 });
  t.deepEqual(numbers(0, 0x0001_0000), { major: 256, minor: 0 });
  t.deepEqual(numbers(0, 0x0010_0000), { major: 0, minor: 256 });
  t.deepEqual(numbers(0, 0), { major: 0, minor: 0 });
});

test('flags: every known bit in words, others by number', (t) => {
  t.deepEqual(inodeFlagWords(0x30), ['immutable', 'append-only']);
  t.deepEqual(inodeFlagWords(0x4010_0800), ['encrypted', 'verity', 'casefold']);
  t.deepEqual(inodeFlagWords(0x8000_0000), ['flag-31']);
  t.deepEqual(inodeFlagWords(0x1008_0000), ['extents', 'inline-data']);
});

test('features: ext2, ext3 and ext4 as blkid tells them apart', (t) => {
  const type = (...words: [number, number, number]): string => typeOf(featuresOf(...words));
  t.is(type(0, 0, 0), 'ext2');
  t.is(type(0x38, 0x12, 0x3), 'ext2');
  t.is(type(0x4, 0x6, 0x7), 'ext3');
  t.is(type(0x4, 0x42, 0x3), 'ext4');
  t.is(type(0, 0x40, 0), 'ext4');
  t.is(type(0x4, 0x2, 0x8), 'ext4');
  t.is(type(0, 0x4, 0), 'ext4');
});

test('features: unknown incompatible ones are refused by name, read-only-compatible ones are not', (t) => {
  const refusal = (word: number): string => {
    const error = t.throws(() => requireReadable(featuresOf(0, word, 0), 0x460), { instanceOf: DiskError });
    t.is(error?.code, 'UNSUPPORTED');
    t.is(error?.offset, 0x460);
    return error?.found ?? '';
  };
  t.is(refusal(0x1), 'compression');
  t.is(refusal(0x8), 'journal_dev (an external journal)');
  t.is(refusal(0x1000), 'dirdata');
  t.is(refusal(0x8000_0020), 'FEATURE_I5, FEATURE_I31');
  t.notThrows(() => requireReadable(featuresOf(0xffff_ffff, 0x3_e7d6, 0xffff_ffff), 0));
});

test('state in words', (t) => {
  t.is(stateWords(1), 'clean');
  t.is(stateWords(2), 'not clean, errors detected');
  t.is(stateWords(5), 'clean, orphans being recovered');
});

const GOOD = {
  inodeCount: 32,
  blockCountLow: 1024,
  firstDataBlock: 1,
  logBlockSize: 0,
  blocksPerGroup: 8192,
  inodesPerGroup: 32,
  magic: 0xef53,
  revision: 1,
  inodeSize: 256,
  firstInode: 11,
  incompatible: 0x2,
};

function geometry(changes: Record<string, number>): Geometry {
  return geometryOf(SUPERBLOCK.parse(SUPERBLOCK.build({ ...GOOD, ...changes }), 0, 1024));
}

test('superblock: what contradicts itself is CORRUPT at its field', (t) => {
  t.is(geometry({}).groupCount, 1);
  const wrong: [string, number][] = [
    ['magic', 0xef54],
    ['logBlockSize', 7],
    ['logBlockSize', 0xffff_ffff],
    ['firstDataBlock', 0],
    ['firstDataBlock', 2],
    ['blocksPerGroup', 0],
    ['blocksPerGroup', 8193],
    ['inodesPerGroup', 0],
    ['inodesPerGroup', 8193],
    ['inodeCount', 31],
    ['inodeCount', 0],
    ['blockCountLow', 0],
    ['blockCountLow', 1],
    ['inodeSize', 0],
    ['inodeSize', 64],
    ['inodeSize', 200],
    ['inodeSize', 2048],
  ];
  for (const [field, value] of wrong) {
    const error = corruption(t, () => geometry({ [field]: value }));
    t.true(error.structure?.startsWith('superblock'), `${field} ${value}: ${error.message}`);
    const structure = error.structure!.split(' ')[1]!;
    t.is(error.offset, 1024 + SUPERBLOCK.fields[structure as 'magic'].offset);
  }
  corruption(t, () => geometry({ incompatible: 0x82, descriptorSize: 48 }));
  corruption(t, () => geometry({ incompatible: 0x82, descriptorSize: 32 }));
  corruption(t, () => geometry({ incompatible: 0x82, descriptorSize: 64, blockCountHigh: 0xffff_ffff }));
  t.is(geometry({ incompatible: 0x82, descriptorSize: 64 }).descriptorSize, 64);
  t.is(geometry({ descriptorSize: 64 }).descriptorSize, 32);
  t.is(geometry({ revision: 0, inodeSize: 0 }).inodeSize, 128);
});

test('superblock copies: sparse_super keeps them in 0, 1 and powers of 3, 5 and 7; sparse_super2 in two groups', (t) => {
  const groups = (of: Geometry): number[] =>
    Array.from({ length: 130 }, (_, group) => group).filter((group) => hasSuperblock(of, group));
  t.deepEqual(groups(geometry({ readOnlyCompatible: 1 })), [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
  t.is(groups(geometry({})).length, 130);
  t.deepEqual(groups(geometry({ compatible: 0x200, backupGroup0: 1, backupGroup1: 99 })), [0, 1, 99]);
});

const PLACE: ExtentNodePlace = {
  offset: 0x5000,
  depth: undefined,
  covers: { first: 0, end: 2 ** 32 },
  blocks: { first: 2, end: 1000 },
};

interface Entry {
  readonly logical: number;
  readonly [field: string]: number;
}

function extentNode(
  header: { depth: number; entryCount?: number; capacity?: number; magic?: number },
  entries: readonly Entry[],
  length = 60,
): Uint8Array {
  const bytes = new Uint8Array(length);
  const room = (length - 12) / 12;
  EXTENT_HEADER.write(bytes, { magic: 0xf30a, entryCount: entries.length, capacity: Math.floor(room), ...header });
  for (const [index, entry] of entries.entries()) {
    (header.depth === 0 ? EXTENT : EXTENT_INDEX).write(bytes, entry, 12 + index * 12);
  }
  return bytes;
}

test('extent leaf: written and unwritten extents, the longest of each', (t) => {
  const node = parseExtentNode(
    extentNode({ depth: 0 }, [
      { logical: 0, length: 2, physicalLow: 10 },
      { logical: 5, length: 32768 + 7, physicalLow: 20 },
      { logical: 100, length: 32768, physicalLow: 100 },
    ]),
    { ...PLACE, blocks: { first: 2, end: 100_000 } },
  );
  t.deepEqual(node.runs, [
    { logical: 0, count: 2, physical: 10, unwritten: false },
    { logical: 5, count: 7, physical: 20, unwritten: true },
    { logical: 100, count: 32768, physical: 100, unwritten: false },
  ]);
});

test('extent nodes: whatever is out of order or out of bounds is CORRUPT at its place', (t) => {
  const leaf = { logical: 0, length: 1, physicalLow: 10 };
  const child = { logical: 0, childLow: 10 };
  const wrong: [string, Uint8Array, number, Partial<ExtentNodePlace>?][] = [
    ['header magic', extentNode({ depth: 0, magic: 0xf30b }, [leaf]), 0],
    ['header capacity', extentNode({ depth: 0, capacity: 5 }, [leaf]), 4],
    ['header entry count', extentNode({ depth: 0, entryCount: 5, capacity: 4 }, [leaf]), 2],
    ['header entry count', extentNode({ depth: 1 }, []), 2],
    ['header depth', extentNode({ depth: 6 }, [child]), 6],
    ['header depth', extentNode({ depth: 2 }, [child]), 6, { depth: 1 }],
    ['extent length', extentNode({ depth: 0 }, [{ ...leaf, length: 0 }]), 16],
    ['extent logical', extentNode({ depth: 0 }, [{ ...leaf, logical: 5 }, leaf]), 24],
    [
      'extent logical',
      extentNode({ depth: 0 }, [
        { ...leaf, length: 6 },
        { ...leaf, logical: 5 },
      ]),
      24,
    ],
    ['extent logical', extentNode({ depth: 0 }, [leaf]), 12, { depth: 0, covers: { first: 5, end: 10 } }],
    [
      'extent end',
      extentNode({ depth: 0 }, [{ ...leaf, logical: 8, length: 3 }]),
      12,
      { depth: 0, covers: { first: 5, end: 10 } },
    ],
    ['extent end', extentNode({ depth: 0 }, [{ ...leaf, logical: 2 ** 32 - 1, length: 2 }]), 12],
    ['extent physical', extentNode({ depth: 0 }, [{ ...leaf, physicalLow: 0 }]), 18],
    ['extent physical', extentNode({ depth: 0 }, [{ ...leaf, physicalLow: 999, length: 2 }]), 18],
    ['extent physical', extentNode({ depth: 0 }, [{ ...leaf, physicalHigh: 1 }]), 18],
    ['extent index child', extentNode({ depth: 1 }, [{ ...child, childLow: 1 }]), 16],
    ['extent index child', extentNode({ depth: 1 }, [{ ...child, childHigh: 1 }]), 16],
    ['extent index logical', extentNode({ depth: 1 }, [child, child]), 12],
    [
      'extent index logical',
      extentNode({ depth: 1 }, [{ ...child, logical: 9 }]),
      12,
      { depth: 1, covers: { first: 0, end: 9 } },
    ],
  ];
  for (const [structure, bytes, at, place] of wrong) {
    const error = corruption(t, () => parseExtentNode(bytes, { ...PLACE, ...place }));
    t.is(error.structure, structure);
    t.is(error.offset, 0x5000 + at, error.message);
  }
});

test('extent index: a child reaches to the next; a checksum tail behind the capacity is left alone', (t) => {
  const bytes = extentNode(
    { depth: 2, capacity: 84 },
    [
      { logical: 3, childLow: 10 },
      { logical: 50, childLow: 11, childHigh: 0 },
    ],
    1024,
  );
  bytes.fill(0xff, 1020);
  t.deepEqual(parseExtentNode(bytes, { ...PLACE, depth: 2, covers: { first: 0, end: 70 } }).children, [
    { block: 10, covers: { first: 3, end: 50 } },
    { block: 11, covers: { first: 50, end: 70 } },
  ]);
});

const RULES: DirectoryRules = {
  inodeCount: 100,
  blockSize: 1024,
  hasFileType: true,
  isIndexed: false,
  deleted: false,
  onlyNameBytes: undefined,
};

interface DirectoryRecord {
  readonly inode: number;
  readonly name: string;
  readonly recordLength?: number;
  readonly fileType?: number;
  readonly nameLength?: number;
}

/** A block of records, the last of them reaching to its end unless it says otherwise. */
function directoryBlock(records: readonly DirectoryRecord[], length = 1024): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const [index, record] of records.entries()) {
    const name = Buffer.from(record.name, 'latin1');
    const needed = Math.ceil((8 + name.length) / 4) * 4;
    const recordLength = record.recordLength ?? (index === records.length - 1 ? length - at : needed);
    DIRECTORY_ENTRY.write(
      bytes,
      {
        inode: record.inode,
        recordLength: recordLength % 65536,
        nameLength: record.nameLength ?? name.length,
        fileType: record.fileType ?? 1,
      },
      at,
    );
    bytes.set(name, at + 8);
    at += recordLength;
  }
  return bytes;
}

function decode(
  bytes: Uint8Array,
  rules: Partial<DirectoryRules> = {},
): { found: DirectoryEntry[]; error: DiskError | undefined } {
  const found: DirectoryEntry[] = [];
  const place = { bytes, view: viewOf(bytes), at: 0, length: bytes.length, offset: 0x8000 };
  return { error: decodeDirectoryBlock(place, { ...RULES, ...rules }, found), found };
}

const brief = ({ name, nodeId, kind, deleted }: DirectoryEntry): string =>
  `${name} ${nodeId} ${kind}${deleted ? ' deleted' : ''}`;

test('directory block: kinds, lossless names, no dots, the checksum tail ignored', (t) => {
  const { found, error } = decode(
    directoryBlock([
      { inode: 2, name: '.', fileType: 2 },
      { inode: 2, name: '..', fileType: 2 },
      { inode: 12, name: 'a' },
      { inode: 13, name: '...', fileType: 7 },
      { inode: 14, name: 'x\xff', fileType: 0 },
      { inode: 15, name: 'n'.repeat(255), fileType: 200, recordLength: 1012 - 12 - 12 - 12 - 12 - 12 },
      { inode: 0, name: '', fileType: 0xde, recordLength: 12 },
    ]),
  );
  t.is(error, undefined);
  t.deepEqual(found.map(brief), ['a 12 file', '... 13 symlink', 'x\udcff 14 unknown', `${'n'.repeat(255)} 15 unknown`]);
});

test('directory block: without the filetype feature the name length has 16 bits and the kind is unknown', (t) => {
  const { found } = decode(directoryBlock([{ inode: 12, name: 'abc', fileType: 0 }]), { hasFileType: false });
  t.deepEqual(found.map(brief), ['abc 12 unknown']);
  const { error } = decode(directoryBlock([{ inode: 12, name: 'abc', fileType: 1 }]), { hasFileType: false });
  t.is(error?.found, '259');
});

test('directory block: with 64 KiB blocks record lengths of 0, 65535 and with low bits', (t) => {
  const rules = { blockSize: 65536 };
  for (const stored of [0, 65535]) {
    const bytes = directoryBlock([{ inode: 12, name: 'abc' }], 65536);
    DIRECTORY_ENTRY.write(bytes, { recordLength: stored });
    t.deepEqual(decode(bytes, rules).found.map(brief), ['abc 12 file']);
    t.is(decode(bytes, rules).error, undefined);
  }
  t.truthy(decode(directoryBlock([{ inode: 12, name: 'abc', recordLength: 0 }])).error);
});

test('directory block: a bad record ends it at its place and keeps what came before', (t) => {
  const wrong: [string, DirectoryRecord, number][] = [
    ['record length', { inode: 13, name: 'b', recordLength: 0 }, 4],
    ['record length', { inode: 13, name: 'b', recordLength: 8 }, 4],
    ['record length', { inode: 13, name: 'b', recordLength: 14 }, 4],
    ['record length', { inode: 13, name: 'b', recordLength: 1016 }, 4],
    ['record', { inode: 13, name: 'b', recordLength: 1004 }, 1004],
    ['name length', { inode: 13, name: '', nameLength: 0 }, 6],
    ['name length', { inode: 13, name: 'b', nameLength: 5, recordLength: 12 }, 6],
    ['inode', { inode: 101, name: 'b' }, 0],
  ];
  for (const [what, record, at] of wrong) {
    const { found, error } = decode(directoryBlock([{ inode: 12, name: 'a', recordLength: 12 }, record]));
    t.is(error?.structure, `directory entry ${what}`);
    t.is(error?.code, 'CORRUPT');
    t.is(error?.offset, 0x8000 + 12 + at, what);
    t.is(found[0]?.name, 'a');
  }
});

test('directory block: deleted records in the slack and with a cleared inode, none that is not plausible', (t) => {
  const bytes = directoryBlock([
    { inode: 0, name: 'first' },
    { inode: 12, name: 'live', recordLength: 200 },
    { inode: 13, name: 'end' },
  ]);
  const remains: [number, DirectoryRecord][] = [
    [16 + 12, { inode: 20, name: 'gone', recordLength: 100, fileType: 2 }],
    [16 + 24, { inode: 21, name: 'gone too', recordLength: 24 }],
    [16 + 60, { inode: 101, name: 'far inode', recordLength: 24 }],
    [16 + 80, { inode: 22, name: 'a/b', recordLength: 24 }],
    [16 + 100, { inode: 23, name: 'too long', recordLength: 104 }],
    [16 + 120, { inode: 24, name: 'nul\0', recordLength: 24 }],
    [216 + 12, { inode: 25, name: 'last', recordLength: 1024 - 228, fileType: 7 }],
  ];
  for (const [at, record] of remains) {
    const name = Buffer.from(record.name, 'latin1');
    DIRECTORY_ENTRY.write(
      bytes,
      {
        inode: record.inode,
        recordLength: record.recordLength!,
        nameLength: name.length,
        fileType: record.fileType ?? 1,
      },
      at,
    );
    bytes.set(name, at + 8);
  }
  t.deepEqual(decode(bytes).found.map(brief), ['live 12 file', 'end 13 file']);
  t.deepEqual(decode(bytes, { deleted: true }).found.map(brief), [
    'first 0 file deleted',
    'live 12 file',
    'gone 20 directory deleted',
    'gone too 21 file deleted',
    'end 13 file',
    'last 25 symlink deleted',
  ]);
});

test('extended attributes: prefixes, values, an inode of its own, the ACL names', (t) => {
  const bytes = attributeBlock([
    { nameIndex: 1, name: 'a', value: 'one' },
    { nameIndex: 6, name: 'selinux', value: 'label' },
    { nameIndex: 2, name: '', value: 'acl' },
    { nameIndex: 99, name: 'x', value: '' },
  ]);
  t.deepEqual(
    blockXattrs(bytes, 0x9000).map(({ name, value }) => `${name}=${Buffer.from(value).toString()}`),
    ['user.a=one', 'security.selinux=label', 'system.posix_acl_access=acl', 'namespace-99.x='],
  );
  XATTR_ENTRY.write(bytes, { valueInode: 77, valueSize: 70_000 }, 32);
  const [first] = blockXattrs(bytes, 0x9000);
  t.is(first?.valueInode, 77);
  t.is(first?.valueSize, 70_000);
});

test('extended attributes: a list that leaves its block is CORRUPT', (t) => {
  const make = (): Uint8Array => attributeBlock([{ nameIndex: 1, name: 'a', value: 'one' }]);
  const damage: [(bytes: Uint8Array) => void, number][] = [
    [(bytes) => XATTR_BLOCK_HEADER.write(bytes, { magic: 1 }), 0],
    [(bytes) => XATTR_BLOCK_HEADER.write(bytes, { blockCount: 2 }), 8],
    [(bytes) => XATTR_ENTRY.write(bytes, { valueOffset: 1023 }, 32), 32],
    [(bytes) => XATTR_ENTRY.write(bytes, { valueSize: 0xffff_ffff }, 32), 32],
  ];
  for (const [change, at] of damage) {
    const bytes = make();
    change(bytes);
    t.is(corruption(t, () => blockXattrs(bytes, 0x9000)).offset, 0x9000 + at);
  }
  // Entries without an end: the last does not fit.
  const endless = make();
  for (let at = 32; at + 16 <= 1024; at += 16)
    XATTR_ENTRY.write(endless, { nameLength: 0, nameIndex: 1, valueOffset: 0, valueSize: 0 }, at);
  t.is(blockXattrs(endless, 0).length, 62);
  XATTR_ENTRY.write(endless, { nameLength: 255 }, 1008);
  t.is(corruption(t, () => blockXattrs(endless, 0)).offset, 1008);
});

interface Attribute {
  readonly nameIndex: number;
  readonly name: string;
  readonly value: string;
}

function attributeBlock(attributes: readonly Attribute[]): Uint8Array {
  const bytes = new Uint8Array(1024);
  XATTR_BLOCK_HEADER.write(bytes, { magic: 0xea020000, referenceCount: 1, blockCount: 1 });
  let at = 32;
  let end = 1024;
  for (const { nameIndex, name, value } of attributes) {
    end -= Math.ceil(value.length / 4) * 4;
    bytes.set(Buffer.from(value), end);
    XATTR_ENTRY.write(bytes, { nameIndex, nameLength: name.length, valueOffset: end, valueSize: value.length }, at);
    bytes.set(Buffer.from(name), at + 16);
    at += Math.ceil((16 + name.length) / 4) * 4;
  }
  return bytes;
}
