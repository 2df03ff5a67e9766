import test from 'ava';
import {
  batGeometry,
  bitmapEntryIndex,
  payloadEntryIndex,
} from '../../../../src/core/container/vhdx/block-allocation-table.ts';
import { MIB } from '../../../../src/core/container/vhdx/header.ts';

const GIB = 1024 * MIB;

test('chunk ratio and entry counts are those of MS-VHDX 2.5, in numbers worked out by hand', (t) => {
  // 2^23 sectors of 512 bytes are 4 GiB.
  t.like(batGeometry(9 * GIB, MIB, 512, false), { chunkRatio: 4096, payloadBlockCount: 9216, entryCount: 9218 });
  t.like(batGeometry(9 * GIB, MIB, 512, true), { sectorBitmapBlockCount: 3, entryCount: 3 * 4097 });
  t.like(batGeometry(8 * GIB, 256 * MIB, 512, false), { chunkRatio: 16, payloadBlockCount: 32, entryCount: 33 });
  t.like(batGeometry(8 * GIB, 256 * MIB, 512, true), { sectorBitmapBlockCount: 2, entryCount: 34 });
  t.like(batGeometry(MIB + 4096, 256 * MIB, 4096, false), { chunkRatio: 128, payloadBlockCount: 1, entryCount: 1 });
  t.like(batGeometry(0, MIB, 512, false), { payloadBlockCount: 0, entryCount: 0 });
});

test('after each chunk of payload blocks comes the entry of its sector bitmap block', (t) => {
  const geometry = batGeometry(64 * GIB, 256 * MIB, 512, true);
  t.deepEqual(
    [0, 15, 16, 31, 32, 255].map((block) => payloadEntryIndex(block, geometry)),
    [0, 15, 17, 32, 34, 270],
  );
  t.deepEqual(
    [0, 1, 15].map((chunk) => bitmapEntryIndex(chunk, geometry)),
    [16, 33, 271],
  );
});
