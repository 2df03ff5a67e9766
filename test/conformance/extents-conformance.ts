import test, { type ExecutionContext } from 'ava';
import type { BlockDevice, ByteRange, Extent, ExtentSource } from '../../src/core/index.ts';
import { seededRandom } from './device-conformance.ts';

/** A mapped device (a container, a file as a device) and the bytes it must hold. */
export interface ExtentsCase {
  readonly device: BlockDevice & ExtentSource;
  readonly expected: Uint8Array;
}

const RANDOM_RANGES = 100;

/** The one suite for everything that tells where its bytes live. `make` opens a fresh one for each test. */
export function extentsConformance(name: string, make: () => Promise<ExtentsCase>): void {
  test(`${name}: the extents of the whole cover it, in order, joined, and lead to its bytes`, async (t) => {
    const { device, expected } = await make();
    const extents = await checkRange(t, device, { start: 0, length: device.size }, expected);
    for (const [index, extent] of extents.slice(1).entries()) {
      const before = extents[index]!;
      t.false(isOneRun(before, extent), `the extents at ${before.start} and ${extent.start} are one`);
    }
    await device[Symbol.asyncDispose]();
  });

  test(`${name}: the extents of any range are clipped to it and lead to its bytes`, async (t) => {
    const { device, expected } = await make();
    const random = seededRandom(11);
    for (let count = 0; count < RANDOM_RANGES; count++) {
      const start = Math.floor(random() * device.size);
      const length = Math.floor(random() ** 4 * (device.size - start + 1));
      await checkRange(t, device, { start, length }, expected);
    }
    await device[Symbol.asyncDispose]();
  });
}

/** Walks a range, checks the contract of `extents`, and compares each extent's bytes; returns the extents. */
async function checkRange(
  t: ExecutionContext,
  device: BlockDevice & ExtentSource,
  range: ByteRange,
  expected: Uint8Array,
): Promise<Extent[]> {
  const extents: Extent[] = [];
  let at = range.start;
  for await (const extent of device.extents(range)) {
    if (extent.start !== at || extent.length <= 0) t.fail(`a gap, an overlap or nothing at ${at}`);
    at += extent.length;
    const right = expected.subarray(extent.start, at);
    if (Buffer.compare(await bytesOf(extent), right) !== 0)
      t.fail(`wrong bytes in the ${extent.kind} at ${extent.start}`);
    extents.push(extent);
  }
  t.is(at, range.start + range.length);
  return extents;
}

/** The bytes of an extent, taken from where it says they are. */
async function bytesOf(extent: Extent): Promise<Uint8Array> {
  const target = new Uint8Array(extent.length);
  if (extent.kind === 'data') await extent.source.readInto(target, extent.sourceOffset);
  else if (extent.kind === 'inherited') await extent.layer.readInto(target, extent.layerOffset);
  else if (extent.kind === 'encoded') {
    // In two steps, so that the offset counts.
    const middle = Math.floor(extent.length / 2);
    await extent.decodeInto(target.subarray(middle), middle);
    await extent.decodeInto(target.subarray(0, middle), 0);
  }
  return target;
}

function isOneRun(before: Extent, after: Extent): boolean {
  if (before.kind === 'data' && after.kind === 'data')
    return before.source === after.source && before.sourceOffset + before.length === after.sourceOffset;
  if (before.kind === 'zero' && after.kind === 'zero') return before.explicit === after.explicit;
  if (before.kind === 'inherited' && after.kind === 'inherited')
    return before.layer === after.layer && before.layerOffset + before.length === after.layerOffset;
  return false;
}
