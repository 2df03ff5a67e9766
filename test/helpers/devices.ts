import type { BlockDevice, ReadOptions, WritableBlockDevice } from '../../src/core/index.ts';

export interface Request {
  readonly kind: 'read' | 'write' | 'flush';
  readonly offset: number;
  readonly length: number;
}

/** Passes everything on and counts it, in memory that does not grow: for long runs and fuzzing. */
export class CountingDevice implements WritableBlockDevice {
  /** Reads, writes and flushes so far. */
  requestCount = 0;
  bytesRead = 0;
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

  /** Told of each request before it is passed on. */
  protected note({ kind, length }: Request): void {
    this.requestCount++;
    if (kind === 'read') this.bytesRead += length;
  }

  async readInto(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    this.note({ kind: 'read', offset, length: target.length });
    return this.base.readInto(target, offset, options);
  }

  async writeFrom(source: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    this.note({ kind: 'write', offset, length: source.length });
    return writable(this.base).writeFrom(source, offset, options);
  }

  async flush(): Promise<void> {
    this.note({ kind: 'flush', offset: 0, length: 0 });
    return writable(this.base).flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.base[Symbol.asyncDispose]();
  }
}

/** Keeps a list of the requests it saw as well. */
export class RecordingDevice extends CountingDevice {
  readonly requests: Request[] = [];

  protected override note(request: Request): void {
    super.note(request);
    this.requests.push(request);
  }
}

/** Fails the read or write with number `failAt` (from 0), with an error as a device would give it; Infinity never fails. */
export class FaultyDevice extends RecordingDevice {
  readonly failAt: number;

  constructor(base: BlockDevice, failAt: number) {
    super(base);
    this.failAt = failAt;
  }

  protected override note(request: Request): void {
    if (request.kind !== 'flush' && this.requests.length === this.failAt) throw new InjectedFault(this.failAt);
    super.note(request);
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
