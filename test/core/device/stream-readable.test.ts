import test from 'ava';
import { streamReadable } from '../../../src/core/device/stream-readable.ts';
import { DiskError, MemoryDevice } from '../../../src/core/index.ts';

/** A device whose bytes from `broken` on cannot be read. */
class BrokenDevice extends MemoryDevice {
  readonly broken: number;

  constructor(bytes: Uint8Array, broken: number) {
    super(bytes);
    this.broken = broken;
  }

  override async readInto(target: Uint8Array, offset: number): Promise<void> {
    if (offset + target.length > this.broken) throw new DiskError('CORRUPT', { layer: 'test', offset: this.broken });
    return super.readInto(target, offset);
  }
}

test('every byte before the one that cannot be read is given, then the failure', async (t) => {
  const bytes = Uint8Array.from({ length: 10_000 }, (_, at) => at % 251);
  for (const broken of [0, 1, 2, 511, 512, 513, 4095, 4097, 9999, 10_000, 20_000]) {
    const got: Uint8Array[] = [];
    const read = async (): Promise<void> => {
      for await (const chunk of streamReadable(new BrokenDevice(bytes, broken), { start: 0, length: bytes.length }))
        got.push(chunk.slice());
    };
    if (broken >= bytes.length) await read();
    else await t.throwsAsync(read(), { instanceOf: DiskError });
    t.deepEqual(Buffer.concat(got), Buffer.from(bytes.subarray(0, broken)), String(broken));
  }
});
