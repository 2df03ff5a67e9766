import type { WritableContainer } from '../../../../../src/core/container/container.ts';
import type { VhdxContainer } from '../../../../../src/core/container/vhdx/vhdx-container.ts';
import { vhdxFormat } from '../../../../../src/core/container/vhdx/vhdx-format.ts';
import { createVhdx } from '../../../../../src/core/container/vhdx/write/create-vhdx.ts';
import type { VhdxOptions, VhdxType } from '../../../../../src/core/container/vhdx/write/vhdx-layout.ts';
import { MemoryDevice } from '../../../../../src/core/device/memory-device.ts';
import type { BlockDevice, OpenContext, ResizableBlockDevice } from '../../../../../src/core/index.ts';
import { readBytes } from '../../../../../src/core/index.ts';
import { seededRandom } from '../../../../conformance/device-conformance.ts';
import { testContext } from '../../../../helpers/context.ts';

export const MIB = 1024 ** 2;

export interface DiskRecipe {
  readonly type: VhdxType;
  readonly virtualSize: number;
  readonly blockSize: number;
  readonly logicalSectorSize?: 512 | 4096;
  /** Of the parent, in bytes; the child's own size unless given. */
  readonly parentSize?: number;
}

/** A call of a writable disk. */
export type Call =
  | { readonly kind: 'write'; readonly offset: number; readonly length: number; readonly seed: number }
  | { readonly kind: 'writeZeros' | 'discard'; readonly offset: number; readonly length: number }
  | { readonly kind: 'resize'; readonly size: number }
  | { readonly kind: 'flush' };

/** What a disk must hold, as plain bytes, and what reaches it of the parent's contents. */
export class DiskModel {
  bytes: Uint8Array;
  readonly blockSize: number;

  constructor(bytes: Uint8Array, blockSize: number) {
    this.bytes = bytes;
    this.blockSize = blockSize;
  }

  apply(call: Call): void {
    if (call.kind === 'flush') return;
    if (call.kind === 'resize') {
      const grown = new Uint8Array(call.size);
      grown.set(this.bytes);
      this.bytes = grown;
      return;
    }
    const { offset, length } = call;
    if (call.kind === 'write') this.bytes.set(contentOf(call), offset);
    else if (call.kind === 'writeZeros') this.bytes.fill(0, offset, offset + length);
    else {
      for (let start = 0; start < this.bytes.length; start += this.blockSize) {
        const end = Math.min(start + this.blockSize, this.bytes.length);
        if (offset <= start && offset + length >= end) this.bytes.fill(0, start, end);
      }
    }
  }
}

/** Bytes that tell where they stand and of which call they are; a few of them are zeros. */
export function contentOf({ seed, length }: { readonly seed: number; readonly length: number }): Uint8Array {
  const random = seededRandom(seed);
  const tile = Uint8Array.from({ length: Math.min(length, 4093) }, () => random() * 256);
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += tile.length) bytes.set(tile.subarray(0, length - at), at);
  return bytes;
}

export async function perform(disk: WritableContainer, call: Call): Promise<void> {
  if (call.kind === 'flush') return disk.flush();
  if (call.kind === 'resize') return disk.resize(call.size);
  if (call.kind === 'write') return disk.writeFrom(contentOf(call), call.offset);
  return disk[call.kind]({ start: call.offset, length: call.length });
}

/** Calls at odd offsets, short and long, some of whole blocks. */
export function randomCalls(seed: number, count: number, recipe: DiskRecipe): Call[] {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const { blockSize, logicalSectorSize = 512 } = recipe;
  let size = recipe.virtualSize;
  return Array.from({ length: count }, (_, index): Call => {
    const kind = random();
    if (kind < 0.1) {
      size += (1 + below(random() < 0.5 ? 200 : (blockSize * 1.5) / logicalSectorSize)) * logicalSectorSize;
      return { kind: 'resize', size };
    }
    if (kind < 0.16) return { kind: 'flush' };
    const shape = random();
    let offset = below(size - 1);
    let length = 1 + below(Math.min(size - offset, shape < 0.6 ? 9000 : 300_000));
    if (shape > 0.8) {
      offset -= offset % blockSize;
      length = Math.min(size - offset, blockSize + (random() < 0.5 ? 0 : below(blockSize)));
    }
    if (kind < 0.65) return { kind: 'write', offset, length, seed: seed * 1000 + index };
    return { kind: kind < 0.83 ? 'writeZeros' : 'discard', offset, length };
  });
}

/** A new disk in `file`: of a differencing one the parent is in memory, with contents, and never written again. */
export async function makeDisk(
  file: ResizableBlockDevice,
  recipe: DiskRecipe,
): Promise<{ context: OpenContext; model: DiskModel; parentFile: MemoryDevice | undefined }> {
  const { type, virtualSize, blockSize, logicalSectorSize = 512 } = recipe;
  const options: VhdxOptions = { type, virtualSize, blockSize, logicalSectorSize };
  if (type !== 'differencing') {
    await createVhdx(file, options);
    return {
      context: testContext(),
      model: new DiskModel(new Uint8Array(virtualSize), blockSize),
      parentFile: undefined,
    };
  }
  const parentFile = new MemoryDevice(new Uint8Array(0));
  const parentSize = recipe.parentSize ?? virtualSize;
  await createVhdx(parentFile, { type: 'dynamic', virtualSize: parentSize, blockSize, logicalSectorSize });
  const writable = await vhdxFormat.openWritable!(parentFile, testContext());
  // Every other stretch, so that some blocks are the parent's, some are not, and some are in parts.
  const step = Math.floor(blockSize * 0.7);
  for (let at = 1000; at < parentSize; at += 2 * step)
    await writable.writeFrom(contentOf({ seed: at, length: Math.min(step, parentSize - at) }), at);
  await writable[Symbol.asyncDispose]();
  const parent = (await vhdxFormat.open(parentFile, testContext())) as VhdxContainer;
  await createVhdx(file, {
    ...options,
    parent: { dataWriteGuid: parent.dataWriteGuid, relativePath: './parent.vhdx' },
  });
  const bytes = new Uint8Array(virtualSize);
  bytes.set(await readBytes(parent, 0, Math.min(parentSize, virtualSize)));
  return { context: parentContext(parent), model: new DiskModel(bytes, blockSize), parentFile };
}

/** A context in which every reference leads to `parent`. */
export function parentContext(parent: BlockDevice): OpenContext {
  return { ...testContext(), openReference: async () => parent };
}

/** The first byte that differs, with a few around it; undefined when there is none. */
export function firstDifference(actual: Uint8Array, expected: Uint8Array): string | undefined {
  if (actual.length !== expected.length) return `${actual.length} bytes for ${expected.length}`;
  if (Buffer.compare(actual, expected) === 0) return undefined;
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  const show = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(at, at + 8)).toString('hex');
  return `at ${at}: ${show(actual)} for ${show(expected)}`;
}

/** The whole disk as our reader has it. */
export async function contents(disk: BlockDevice): Promise<Uint8Array> {
  const bytes = new Uint8Array(disk.size);
  await disk.readInto(bytes, 0);
  return bytes;
}
