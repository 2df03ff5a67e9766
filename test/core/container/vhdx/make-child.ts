import { openImage } from '../../../../src/core/index.ts';
import { noise, parentKeys, property } from './open-vhdx.ts';
import { buildVhdx } from './vhdx-builder.ts';

/**
 * For fixtures/vhdx/build.sh: writes a differencing image over a parent of the same size (7z, which tells
 * the facts, reads no other): blocks of its own, of the parent, of both, and of zeros.
 * Usage: make-child.js PARENT CHILD, both names in the current folder.
 */
const [parent = '', child = ''] = process.argv.slice(2);
await using image = await openImage(parent);
const built = await buildVhdx({
  virtualSize: image.container.size,
  parent: parentKeys(`.\\${parent}`, String(property(image.container, 'dataWriteGuid'))),
  header: { dataWriteGuid: 'BBBBBBBB-0000-4000-8000-000000000002' },
  blocks: {
    0: { state: 7, data: noise(1, 16 * 512) },
    1: { state: 2 },
    2: { state: 7, data: noise(2, 2000), at: 900 * 1024 },
    3: { state: 7, data: noise(4, 512) },
    4: { state: 6, data: noise(3, 5000), at: 77 },
  },
  bitmaps: {
    0: [
      [3, 9],
      [2 * 2048 + 1800, 4],
      [3 * 2048, 1],
    ],
  },
});
await built.save(child);
