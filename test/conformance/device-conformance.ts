import test from 'ava';
import { type BlockDevice, DiskError } from '../../src/core/index.ts';
import { seededRandom } from '../helpers/seeded-random.ts';

export { seededRandom };

/** A device and the bytes it must hold. */
export interface DeviceCase {
  readonly device: BlockDevice;
  readonly expected: Uint8Array;
}

/** The one suite that every device, container and file-as-device must pass. `make` opens a fresh one for each test. */
export function deviceConformance(name: string, make: () => Promise<DeviceCase>): void {
  test(`${name}: has the size and a sensible sector size`, async (t) => {
    const { device, expected } = await make();
    t.is(device.size, expected.length);
    t.true(device.sectorSize >= 512 && Number.isInteger(Math.log2(device.sectorSize)));
    await device[Symbol.asyncDispose]();
  });

  test(`${name}: a whole read gives every byte`, async (t) => {
    const { device, expected } = await make();
    const target = new Uint8Array(device.size);
    await device.readInto(target, 0);
    t.deepEqual(Buffer.compare(target, expected), 0);
    await device[Symbol.asyncDispose]();
  });

  test(`${name}: unaligned reads, in any order and at once, give the right bytes and touch no others`, async (t) => {
    const { device, expected } = await make();
    const random = seededRandom(1);
    const reads = Array.from({ length: 200 }, async () => {
      const offset = Math.floor(random() * device.size);
      const length = Math.floor(random() ** 3 * (device.size - offset + 1));
      const target = new Uint8Array(length + 2).fill(0xa5);
      await device.readInto(target.subarray(1, length + 1), offset);
      const right = Buffer.compare(target.subarray(1, length + 1), expected.subarray(offset, offset + length)) === 0;
      return right && target[0] === 0xa5 && target[length + 1] === 0xa5;
    });
    t.true((await Promise.all(reads)).every(Boolean));
    await device[Symbol.asyncDispose]();
  });

  test(`${name}: a read past the end, at a negative or a broken offset is OUT_OF_RANGE; an empty one at the end is fine`, async (t) => {
    const { device } = await make();
    const two = new Uint8Array(2);
    for (const offset of [device.size - 1, device.size, -1, 0.5, Number.NaN, 2 ** 53]) {
      const error = await t.throwsAsync(device.readInto(two, offset), { instanceOf: DiskError }, String(offset));
      t.is(error?.code, 'OUT_OF_RANGE');
    }
    await t.notThrowsAsync(device.readInto(new Uint8Array(0), device.size));
    await device[Symbol.asyncDispose]();
  });

  test(`${name}: can be disposed twice`, async (t) => {
    const { device } = await make();
    await device[Symbol.asyncDispose]();
    await t.notThrowsAsync(device[Symbol.asyncDispose]());
  });
}
