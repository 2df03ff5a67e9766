import test from 'ava';
import type { WritableContainer } from '../../../../../src/core/container/container.ts';
import { vhdxFormat } from '../../../../../src/core/container/vhdx/vhdx-format.ts';
import { checkRange } from '../../../../../src/core/device/block-device.ts';
import { MemoryDevice } from '../../../../../src/core/device/memory-device.ts';
import type { OpenContext, ResizableBlockDevice } from '../../../../../src/core/index.ts';
import { DiskError } from '../../../../../src/core/index.ts';
import { InjectedFault, isInjectedFault } from '../../../../helpers/devices.ts';
import { changingCalls, foreignSector, PREPARED } from './crash-trace.ts';
import { type Call, contentOf, contents, type DiskRecipe, MIB, makeDisk, perform } from './vhdx-model.ts';

/** A file in memory that fails one request of any kind, a flush or a change of size too; a write that fails has written its first half. */
class OneFault implements ResizableBlockDevice {
  readonly sectorSize = 512;
  readonly #bytes: Uint8Array;
  #size: number;
  #left: number;

  constructor(bytes: Uint8Array, failAt: number) {
    this.#bytes = new Uint8Array(bytes.length + 8 * MIB);
    this.#bytes.set(bytes);
    this.#size = bytes.length;
    this.#left = failAt;
  }

  get size(): number {
    return this.#size;
  }

  #isNext(): boolean {
    return this.#left-- === 0;
  }

  #check(): void {
    if (this.#isNext()) throw new InjectedFault(0);
  }

  async readInto(target: Uint8Array, offset: number): Promise<void> {
    this.#check();
    checkRange(this, 'memory', offset, target.length);
    target.set(this.#bytes.subarray(offset, offset + target.length));
  }

  async writeFrom(source: Uint8Array, offset: number): Promise<void> {
    checkRange(this, 'memory', offset, source.length);
    const fails = this.#isNext();
    this.#bytes.set(fails ? source.subarray(0, source.length / 2) : source, offset);
    if (fails) throw new InjectedFault(0);
  }

  async flush(): Promise<void> {
    this.#check();
  }

  /** It only ever grows, into zeros. */
  async resize(size: number): Promise<void> {
    this.#check();
    this.#size = size;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

const after = { kind: 'write', offset: 2 * MIB + 1000, length: 60_000, seed: 99 } as const;

interface Prepared {
  readonly bytes: Uint8Array;
  readonly context: OpenContext;
  /** The disk before each call, and after the last. */
  readonly states: readonly Uint8Array[];
}

async function prepare(recipe: DiskRecipe, calls: readonly Call[]): Promise<Prepared> {
  const base = new MemoryDevice(new Uint8Array(0));
  const { context, model } = await makeDisk(base, recipe);
  const disk = await vhdxFormat.openWritable!(base, context);
  for (const call of PREPARED) {
    await perform(disk, call);
    model.apply(call);
  }
  await disk[Symbol.asyncDispose]();
  const states = [model.bytes.slice()];
  for (const call of calls) {
    model.apply(call);
    states.push(model.bytes.slice());
  }
  return { bytes: base.bytes, context, states };
}

/** Does the calls until one fails; gives its number, or undefined when none did. */
async function performUntilFault(disk: WritableContainer, calls: readonly Call[]): Promise<number | undefined> {
  for (const [index, call] of calls.entries()) {
    try {
      await perform(disk, call);
    } catch (error) {
      if (isInjectedFault(error)) return index;
      throw error;
    }
  }
  return undefined;
}

/** Whether one more write works; when it does not, it must be refused in words. */
async function worksOn(disk: WritableContainer): Promise<boolean> {
  try {
    await perform(disk, after);
    return true;
  } catch (error) {
    if (error instanceof DiskError && /earlier write failed/.test(error.message)) return false;
    throw error;
  }
}

for (const type of ['dynamic', 'fixed', 'differencing'] as const) {
  test(`an I/O fault at any request leaves a valid image, and a ${type} disk that works on or says why not`, async (t) => {
    const recipe: DiskRecipe = { type, virtualSize: 3 * MIB + 4096, blockSize: MIB, parentSize: 6 * MIB };
    const calls = changingCalls(recipe);
    const { bytes, context, states } = await prepare(recipe, calls);
    const wrong: string[] = [];
    let [worked, refused, failAt] = [0, 0, 0];
    /** False when there was no request of that number. */
    const runWithFault = async (): Promise<boolean> => {
      const file = new OneFault(bytes, failAt);
      const disk = await vhdxFormat.openWritable!(file, context);
      const failed = await performUntilFault(disk, calls);
      if (failed === undefined) return false;
      let allowed = states.slice(failed, failed + 2);
      const open = foreignSector(await contents(disk), allowed, true);
      if (open !== undefined) wrong.push(`fault ${failAt}, the disk that is open: ${open}`);
      if (await worksOn(disk)) {
        worked++;
        allowed = allowed.map((state) => state.slice());
        for (const state of allowed) state.set(contentOf(after), after.offset);
      } else refused++;
      await disk[Symbol.asyncDispose]();
      const closed = foreignSector(await contents(await vhdxFormat.open(file, context)), allowed, true);
      if (closed !== undefined) wrong.push(`fault ${failAt}, the image: ${closed}`);
      await (await vhdxFormat.openWritable!(file, context))[Symbol.asyncDispose]();
      return true;
    };
    for (let isDone = false; !isDone; failAt++) {
      try {
        isDone = !(await runWithFault());
      } catch (error) {
        // When the opening fails, nothing was done.
        if (!isInjectedFault(error)) wrong.push(`fault ${failAt}: ${String(error)}`);
      }
    }
    t.deepEqual(wrong.slice(0, 5), []);
    t.true(worked > 10 && refused > 10, `${worked} worked on, ${refused} refused`);
  });
}
