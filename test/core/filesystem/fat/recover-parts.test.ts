import test from 'ava';
import { compareFatCopy } from '../../../../src/core/filesystem/fat/fat-copies.ts';
import { FreeCounts } from '../../../../src/core/filesystem/fat/recover/free-counts.ts';
import { ClaimedRuns } from '../../../../src/core/filesystem/fat/recover/overlaps.ts';
import { MemoryDevice } from '../../../../src/core/index.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';
import { FatBuilder } from './fat-builder.ts';
import { opened } from './open-fat.ts';

test('who overwrote whom is what comparing every pair tells', (t) => {
  const random = seededRandom(21);
  for (let round = 0; round < 60; round++) {
    const runs = Array.from({ length: 1 + Math.floor(random() * 40) }, () => {
      const start = Math.floor(random() * 60);
      return { start, end: start + Math.floor(random() * 8), stamp: Math.floor(random() * 5) };
    });
    const claimed = new ClaimedRuns();
    for (const { start, end, stamp } of runs) claimed.add(start, end, stamp);
    const wanted = runs.map((run, at) =>
      runs.some(
        (other, index) =>
          index !== at && other.stamp >= run.stamp && Math.max(run.start, other.start) < Math.min(run.end, other.end),
      )
        ? 1
        : 0,
    );
    t.deepEqual([...claimed.overwritten()], wanted, JSON.stringify(runs));
  }
});

test('a hundred thousand claims on the same clusters are judged at once', (t) => {
  const claimed = new ClaimedRuns();
  for (let at = 0; at < 100_000; at++) claimed.add(2, 250_000_000 + at, at);
  const marks = claimed.overwritten();
  t.is(
    marks.reduce((sum, mark) => sum + mark, 0),
    99_999,
  );
  t.is(marks[99_999], 0);
});

test('free clusters of any range are counted as one by one', async (t) => {
  const volume = new FatBuilder({ bits: 16, clusters: 9000 });
  const random = seededRandom(4);
  const used = new Set<number>();
  for (let at = 0; at < 4000; at++) {
    const cluster = 2 + Math.floor(random() * 9000);
    used.add(cluster);
    volume.set(cluster, 0xffff);
  }
  const { filesystem } = await opened(volume.bytes);
  const counts = await FreeCounts.read(filesystem.table);
  for (let round = 0; round < 200; round++) {
    const from = 2 + Math.floor(random() * 9000);
    const to = from + Math.floor(random() * (9002 - from + 1));
    let wanted = 0;
    for (let cluster = from; cluster < to; cluster++) if (!used.has(cluster)) wanted++;
    t.is(await counts.between(from, to), wanted, `${from} to ${to}`);
  }
});

for (const bits of [12, 16, 32] as const) {
  test(`copies of a FAT${bits}: the entries that differ, counted, and the first of them`, async (t) => {
    const clusters = bits === 12 ? 4000 : bits === 16 ? 40_000 : 70_000;
    const random = seededRandom(bits);
    for (let round = 0; round < 12; round++) {
      const volume = new FatBuilder({ bits, clusters });
      const { filesystem } = await opened(volume.bytes.slice());
      const { geometry } = filesystem;
      const changed = new Set<number>();
      for (let at = 0; at <= round; at++) changed.add(Math.floor(random() * (clusters + 2)));
      // The builder sets every copy; the first one is put back.
      const first = volume.bytes.slice(geometry.fatOffset, geometry.fatOffset + geometry.fatBytes);
      for (const cluster of changed) volume.set(cluster, bits === 12 ? 0x5a5 : 0x5a5a);
      volume.bytes.set(first, geometry.fatOffset);
      const device = new MemoryDevice(volume.bytes);
      const found = await compareFatCopy(device, geometry, 1);
      const lowest = Math.min(...changed);
      t.deepEqual(found, {
        copy: 1,
        entries: changed.size,
        firstCluster: lowest,
        offset: geometry.fatOffset + geometry.fatBytes + Math.floor((lowest * bits) / 8),
      });
      t.is(await compareFatCopy(device, geometry, 0), undefined);
    }
  });
}
