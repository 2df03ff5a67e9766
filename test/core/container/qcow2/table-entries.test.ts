import test from 'ava';
import { hasBit64 } from '../../../../src/core/bytes/bits.ts';
import { clusterRun } from '../../../../src/core/container/qcow2/cluster-run.ts';
import { MappingTable } from '../../../../src/core/container/qcow2/mapping-table.ts';
import {
  type EntryGeometry,
  type L1Entry,
  type L2Entry,
  unpackL1Entry,
  unpackL2Entry,
} from '../../../../src/core/container/qcow2/table-entries.ts';

function geometry(clusterBits: number, version: 2 | 3 = 3, hasDataFile = false): EntryGeometry {
  return { version, clusterBits, clusterSize: 2 ** clusterBits, hasExtendedL2: false, hasDataFile };
}

function tableOf(words: readonly bigint[]): MappingTable {
  const view = new DataView(new ArrayBuffer(words.length * 8));
  for (const [index, word] of words.entries()) view.setBigUint64(index * 8, word);
  return new MappingTable(new Uint8Array(view.buffer), 0x40000);
}

function l1(word: bigint, clusterBits = 16): L1Entry {
  const table = tableOf([word]);
  return unpackL1Entry(table.high(0), table.low(0), geometry(clusterBits));
}

function l2(word: bigint, clusterBits = 16, version: 2 | 3 = 3): L2Entry {
  const table = tableOf([word]);
  return unpackL2Entry(table.high(0), table.low(0), geometry(clusterBits, version));
}

function flipped(word: bigint, bit: number): bigint {
  const weight = 2n ** BigInt(bit);
  return hasBit64(word, bit) ? word - weight : word + weight;
}

const COPIED = 0x8000_0000_0000_0000n;
const COMPRESSED = 0x4000_0000_0000_0000n;

test('an L1 entry is a table, nothing, or invalid', (t) => {
  t.deepEqual(l1(0n), { kind: 'unallocated' });
  t.deepEqual(l1(COPIED), { kind: 'unallocated' });
  t.deepEqual(l1(COPIED + 0x5_0000n), { kind: 'table', hostOffset: 0x5_0000 });
  t.deepEqual(l1(0x00ff_ffff_ffff_0000n), { kind: 'table', hostOffset: 2 ** 56 - 2 ** 16 });
  for (let bit = 0; bit < 63; bit++) {
    const isOffset = bit >= 16 && bit <= 55;
    t.is(l1(flipped(0x5_0000n, bit)).kind, isOffset ? 'table' : 'invalid', `bit ${bit}`);
  }
});

test('an L2 entry: every bit of a standard cluster is offset, flag or reserved', (t) => {
  const word = COPIED + 0x5_0000n;
  t.deepEqual(l2(word), { kind: 'data', hostOffset: 0x5_0000 });
  t.deepEqual(l2(word + 1n), { kind: 'zero', hostOffset: 0x5_0000 });
  t.deepEqual(l2(1n), { kind: 'zero', hostOffset: 0 });
  t.deepEqual(l2(0n), { kind: 'unallocated' });
  t.deepEqual(l2(COPIED), { kind: 'unallocated' });
  for (let bit = 1; bit < 62; bit++) {
    const isOffset = bit >= 16 && bit <= 55;
    t.is(l2(flipped(word, bit)).kind, isOffset ? 'data' : 'invalid', `bit ${bit}`);
  }
});

test('version 2 has no zero bit', (t) => {
  t.is(l2(1n, 16, 2).kind, 'invalid');
  t.is(l2(0x5_0001n, 16, 2).kind, 'invalid');
  t.deepEqual(l2(0x5_0000n, 16, 2), { kind: 'data', hostOffset: 0x5_0000 });
});

test('a compressed descriptor splits by the cluster size, for each of the thirteen', (t) => {
  for (let clusterBits = 9; clusterBits <= 21; clusterBits++) {
    const split = 62 - (clusterBits - 8);
    const most = 2 ** (clusterBits - 8) - 1;
    for (const [offset, further] of [
      [0x5_0000, 0],
      [0x5_01ff, most],
      [0x12_3456_789a, most],
    ] as const) {
      const word = COMPRESSED + BigInt(further) * 2n ** BigInt(split) + BigInt(offset);
      const expected = { kind: 'compressed', hostOffset: offset, length: (further + 1) * 512 - (offset % 512) };
      t.deepEqual(l2(word, clusterBits), expected as L2Entry, `cluster bits ${clusterBits}`);
      t.deepEqual(l2(word + COPIED, clusterBits), expected as L2Entry);
      t.deepEqual(l2(word, clusterBits, 2), expected as L2Entry);
    }
  }
});

test('a run ends where the next cluster says something else', (t) => {
  const at = (cluster: number) => BigInt(cluster) * 0x1_0000n;
  const table = tableOf([
    COPIED + at(5),
    at(6),
    COPIED + at(7),
    at(9),
    0n,
    COPIED,
    0n,
    1n,
    1n,
    at(10) + 1n,
    at(11) + 1n,
    COMPRESSED + at(5),
    COMPRESSED + at(5),
    at(12),
  ]);
  const kinds: [string, number][] = [];
  for (let index = 0; index < table.entryCount; ) {
    const { entry, count } = clusterRun(table, index, 100, geometry(16));
    kinds.push([entry.kind, count]);
    index += count;
  }
  t.deepEqual(kinds, [
    ['data', 3],
    ['data', 1],
    ['unallocated', 3],
    ['zero', 2],
    ['zero', 2],
    ['compressed', 1],
    ['compressed', 1],
    ['data', 1],
  ]);
  t.is(clusterRun(table, 0, 2, geometry(16)).count, 2, 'the limit holds');
});

test('a run goes on across 4 GiB of the file', (t) => {
  const table = tableOf([0xffff_0000n, 0x1_0000_0000n, 0x1_0001_0000n]);
  t.is(clusterRun(table, 0, 3, geometry(16)).count, 3);
  t.is(clusterRun(tableOf([0xffff_0000n, 0n]), 0, 2, geometry(16)).count, 1);
});

test('an external data file has a cluster at offset 0, told from none by COPIED, and no compressed clusters', (t) => {
  const inFile = geometry(16, 3, true);
  const unpack = (word: bigint) => {
    const table = tableOf([word]);
    return unpackL2Entry(table.high(0), table.low(0), inFile);
  };
  t.deepEqual(unpack(COPIED), { kind: 'data', hostOffset: 0 });
  t.deepEqual(unpack(COPIED + 1n), { kind: 'zero', hostOffset: 0 });
  t.deepEqual(unpack(0n), { kind: 'unallocated' });
  t.is(unpack(COMPRESSED + 0x5_0000n).kind, 'invalid');
  const kinds = (words: readonly bigint[]) => {
    const table = tableOf(words);
    const found: [string, number][] = [];
    for (let index = 0; index < table.entryCount; ) {
      const { entry, count } = clusterRun(table, index, 100, inFile);
      found.push([entry.kind, count]);
      index += count;
    }
    return found;
  };
  t.deepEqual(kinds([COPIED, COPIED + 0x1_0000n, COPIED + 0x2_0000n]), [['data', 3]]);
  t.deepEqual(kinds([0n, 0n, COPIED, 0n]), [
    ['unallocated', 2],
    ['data', 1],
    ['unallocated', 1],
  ]);
});
