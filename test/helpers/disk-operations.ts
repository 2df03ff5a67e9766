import type { WritableContainer } from '../../src/core/container/container.ts';
import { seededRandom } from './seeded-random.ts';

/** One thing that a user does to a virtual disk. */
export type DiskOperation =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'zeros' | 'discard'; readonly offset: number; readonly length: number }
  | { readonly kind: 'resize'; readonly size: number }
  | { readonly kind: 'flush' };

export function writeOf(offset: number, length: number, value: number): DiskOperation {
  return { kind: 'write', offset, bytes: new Uint8Array(length).fill(value) };
}

export async function perform(container: WritableContainer, operation: DiskOperation): Promise<void> {
  switch (operation.kind) {
    case 'write':
      return container.writeFrom(operation.bytes, operation.offset);
    case 'zeros':
      return container.writeZeros({ start: operation.offset, length: operation.length });
    case 'discard':
      return container.discard({ start: operation.offset, length: operation.length });
    case 'resize':
      return container.resize(operation.size);
    case 'flush':
      return container.flush();
  }
}

/** What the disk holds after an operation. `unit`: the clusters of which a discard takes only whole ones. */
export function modelAfter(disk: Uint8Array, operation: DiskOperation, unit: number): Uint8Array {
  const next = new Uint8Array(operation.kind === 'resize' ? operation.size : disk.length);
  next.set(disk);
  if (operation.kind === 'write') next.set(operation.bytes, operation.offset);
  if (operation.kind === 'zeros') next.fill(0, operation.offset, operation.offset + operation.length);
  if (operation.kind === 'discard') {
    const end = operation.offset + operation.length;
    const wholeEnd = end === disk.length ? end : Math.floor(end / unit) * unit;
    const start = Math.ceil(operation.offset / unit) * unit;
    if (start < wholeEnd) next.fill(0, start, wholeEnd);
  }
  return next;
}

export interface OperationOptions {
  readonly count: number;
  readonly size: number;
  /** Bytes of most writes at most. */
  readonly length: number;
  readonly resize?: boolean;
}

/** Writes, zeros and discards at odd offsets, now and then a flush, and a larger size if asked for. */
export function randomOperations(seed: number, options: OperationOptions): DiskOperation[] {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  let { size } = options;
  return Array.from({ length: options.count }, (): DiskOperation => {
    const kind = random();
    const offset = below(size);
    const length = Math.min(size - offset, 1 + below(random() < 0.2 ? options.length * 8 : options.length));
    if (kind < 0.6) return writeOf(offset, length, 1 + below(255));
    if (kind < 0.75) return { kind: 'zeros', offset, length };
    if (kind < 0.9) return { kind: 'discard', offset, length };
    if (kind < 0.95 || options.resize !== true) return { kind: 'flush' };
    size += 512 * (1 + below(size / 4096));
    return { kind: 'resize', size };
  });
}

/** Where two disks differ first; undefined when they are equal. */
export function firstDifference(left: Uint8Array, right: Uint8Array): string | undefined {
  if (left.length !== right.length) return `${left.length} bytes against ${right.length}`;
  if (Buffer.compare(left, right) === 0) return undefined;
  const at = left.findIndex((byte, index) => byte !== right[index]);
  return `byte ${at}: ${left[at]} against ${right[at]}`;
}
