import test from 'ava';
import { hasBit } from '../../../../src/core/bytes/bits.ts';
import { MappingTable } from '../../../../src/core/container/qcow2/mapping-table.ts';
import { subclusterRun } from '../../../../src/core/container/qcow2/subcluster-run.ts';
import { type EntryGeometry, SUBCLUSTERS } from '../../../../src/core/container/qcow2/table-entries.ts';
import { seededRandom } from '../../../conformance/device-conformance.ts';

const SIZE = 65536;
const geometry: EntryGeometry = {
  version: 3,
  clusterBits: 16,
  clusterSize: SIZE,
  hasExtendedL2: true,
  hasDataFile: false,
};
const COPIED = 0x8000_0000_0000_0000n;
const COMPRESSED = 0x4000_0000_0000_0000n;

/** One extended entry: the descriptor, the zero bits and the allocation bits. */
type Entry = readonly [descriptor: bigint, zeros: number, allocated: number];

function tableOf(entries: readonly Entry[]): MappingTable {
  const view = new DataView(new ArrayBuffer(entries.length * 16));
  for (const [index, [descriptor, zeros, allocated]] of entries.entries()) {
    view.setBigUint64(index * 16, descriptor);
    view.setUint32(index * 16 + 8, zeros);
    view.setUint32(index * 16 + 12, allocated);
  }
  return new MappingTable(new Uint8Array(view.buffer), 0x40000);
}

/** What one subcluster is, straight from the specification's table. */
function stateOf([descriptor, zeros, allocated]: Entry, subcluster: number): string {
  const hostOffset = Number(descriptor % COPIED);
  if (hasBit(zeros, subcluster)) return 'zero';
  return hasBit(allocated, subcluster) ? `data ${hostOffset + subcluster * (SIZE / SUBCLUSTERS)}` : 'unallocated';
}

/** Every subcluster that the runs of a table tell, one by one. */
function statesByRuns(table: MappingTable, count: number, limit: number): string[] {
  const states: string[] = [];
  while (states.length < count) {
    const run = subclusterRun(table, states.length, Math.min(limit, count - states.length), geometry);
    if (run.count < 1 || run.count > limit) throw new Error(`a run of ${run.count}`);
    for (let index = 0; index < run.count; index++) {
      const { entry } = run;
      states.push(entry.kind === 'data' ? `data ${entry.hostOffset + index * (SIZE / SUBCLUSTERS)}` : entry.kind);
    }
  }
  return states;
}

test('the runs tell each subcluster what the bitmaps say, whatever they begin with and how far they may go', (t) => {
  const random = seededRandom(12);
  const word = () => {
    const kind = random();
    if (kind < 0.3) return 0;
    if (kind < 0.5) return 0xffffffff;
    // A few long runs, or noise.
    return kind < 0.8 ? 2 ** Math.floor(random() * 33) - 1 : Math.floor(random() * 2 ** 32);
  };
  for (let round = 0; round < 200; round++) {
    const entries: Entry[] = Array.from({ length: 6 }, (_, index) => {
      // Sometimes the next cluster in the file, sometimes another, sometimes none.
      const place = random();
      const cluster = place < 0.2 ? 0 : place < 0.7 ? index + 5 : 5 + Math.floor(random() * 90);
      const zeros = word();
      let allocated = cluster === 0 ? 0 : word();
      for (let bit = 0; bit < 32; bit++) if (hasBit(zeros, bit) && hasBit(allocated, bit)) allocated -= 2 ** bit;
      return [(random() < 0.5 && cluster !== 0 ? COPIED : 0n) + BigInt(cluster * SIZE), zeros, allocated];
    });
    const expected = entries.flatMap((entry) =>
      Array.from({ length: SUBCLUSTERS }, (_, subcluster) => stateOf(entry, subcluster)),
    );
    for (const limit of [1, 5, 40, 1000])
      t.deepEqual(statesByRuns(tableOf(entries), expected.length, limit), expected, `round ${round}`);
  }
});

test('a run goes on over clusters that lie together, and ends where they do not', (t) => {
  const full = 0xffffffff;
  const placed = (cluster: number): Entry => [COPIED + BigInt(cluster * SIZE), 0, full];
  const runs = (entries: readonly Entry[], unit = 0) => {
    const { entry, count } = subclusterRun(tableOf(entries), unit, 1000, geometry);
    return [entry.kind, count];
  };
  t.deepEqual(runs([placed(5), placed(6), placed(7)]), ['data', 96]);
  t.deepEqual(runs([placed(5), placed(6), placed(7)], 40), ['data', 56]);
  t.deepEqual(runs([placed(5), placed(7)]), ['data', 32]);
  t.deepEqual(runs([placed(5), [BigInt(6 * SIZE), 0, 0xff]]), ['data', 40]);
  t.deepEqual(runs([[0n, full, 0], [BigInt(9 * SIZE), full, 0], placed(1)]), ['zero', 64]);
  t.deepEqual(runs([[0n, 0, 0], [BigInt(9 * SIZE), 0, 0], placed(1)]), ['unallocated', 64]);
  t.deepEqual(runs([[COMPRESSED + 0x5_0000n, 0, 0], placed(1)]), ['compressed', 32]);
  t.deepEqual(runs([[COMPRESSED + 0x5_0000n, 0, 0], placed(1)], 20), ['compressed', 12]);
  t.deepEqual(runs([placed(5), [COPIED + BigInt(6 * SIZE), 1, full]]), ['data', 32], 'an invalid entry ends a run');
});

test('what the specification forbids is invalid, for every subcluster of the cluster', (t) => {
  const bad: [Entry, RegExp][] = [
    [[COPIED + 0x5_0000n, 1, 1], /not both/],
    [[COPIED + 0x5_0000n, 0x80000000, 0x80000000], /not both/],
    [[0n, 0, 1], /without a cluster/],
    [[0n, 0, 0x80000000], /without a cluster/],
    [[COMPRESSED + 0x5_0000n, 0, 1], /compressed/],
    [[COMPRESSED + 0x5_0000n, 1, 0], /compressed/],
    [[0x5_0001n, 0, 1], /bit 0/],
    [[1n, 0, 0], /bit 0/],
    [[0x5_0200n, 0, 1], /multiple of 65536/],
    [[0x5_0002n, 0, 1], /reserved bits/],
  ];
  for (const [entry, reason] of bad) {
    for (const unit of [0, 17, 31]) {
      const { entry: found } = subclusterRun(tableOf([entry]), unit, 100, geometry);
      if (found.kind !== 'invalid') return t.fail(`${entry} is ${found.kind}`);
      t.regex(found.expected, reason);
    }
  }
});

test('a table that is cut inside an entry ends before it', (t) => {
  const whole = tableOf([
    [0n, 0, 0],
    [0n, 0, 0],
  ]);
  t.is(subclusterRun(whole, 0, 1000, geometry).count, 64);
  const cut = new MappingTable(new Uint8Array(24), 0);
  t.is(subclusterRun(cut, 0, 1000, geometry).count, 32);
});
