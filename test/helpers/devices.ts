import type { BlockDevice, ReadOptions, WritableBlockDevice } from '../../src/core/index.ts';

export interface Request {
  readonly kind: 'read' | 'write' | 'flush';
  readonly offset: number;
  readonly length: number;
}

/** Passes everything on and keeps a list of the requests it saw. */
export class RecordingDevice implements WritableBlockDevice {
  readonly requests: Request[] = [];
  readonly base: BlockDevice;

  constructor(base: BlockDevice) {
    this.base = base;
  }

  get size(): number {
    return this.base.size;
  }

  get sectorSize(): number {
    return this.base.sectorSize;
  }

  /** Bytes read so far. */
  get bytesRead(): number {
    return this.requests.filter(({ kind }) => kind === 'read').reduce((sum, { length }) => sum + length, 0);
  }

  async readInto(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    this.requests.push({ kind: 'read', offset, length: target.length });
    return this.base.readInto(target, offset, options);
  }

  async writeFrom(source: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    this.requests.push({ kind: 'write', offset, length: source.length });
    return writable(this.base).writeFrom(source, offset, options);
  }

  async flush(): Promise<void> {
    this.requests.push({ kind: 'flush', offset: 0, length: 0 });
    return writable(this.base).flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.base[Symbol.asyncDispose]();
  }
}

/** Fails the read or write with number `failAt` (from 0), with an error as a device would give it; Infinity never fails. */
export class FaultyDevice extends RecordingDevice {
  readonly failAt: number;

  constructor(base: BlockDevice, failAt: number) {
    super(base);
    this.failAt = failAt;
  }

  override async readInto(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    this.#failIfDue();
    return super.readInto(target, offset, options);
  }

  override async writeFrom(source: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    this.#failIfDue();
    return super.writeFrom(source, offset, options);
  }

  #failIfDue(): void {
    if (this.requests.length === this.failAt) throw new InjectedFault(this.failAt);
  }
}

/** What a FaultyDevice throws: a test sees it come through, or wrapped as a `cause`. */
export class InjectedFault extends Error {
  constructor(request: number) {
    super(`injected fault at request ${request}`);
  }
}

/** Whether an injected fault is the error itself or anywhere among its causes. */
export function isInjectedFault(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 10; at = at.cause, depth++) {
    if (at instanceof InjectedFault) return true;
  }
  return false;
}

function writable(device: BlockDevice): WritableBlockDevice {
  if (!('writeFrom' in device)) throw new Error('the base device is read-only');
  return device as WritableBlockDevice;
}
