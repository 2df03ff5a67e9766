import { ioError, type ReadOptions } from '../../src/core/index.ts';
import { CountingDevice } from './devices.ts';

/** A device some of whose sectors cannot be read; a read that touches one fails, as a disk's does. */
export class BadSectorDevice extends CountingDevice {
  readonly bad: ReadonlySet<number>;

  constructor(base: CountingDevice['base'], bad: Iterable<number>) {
    super(base);
    this.bad = new Set(bad);
  }

  override async readInto(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    const { sectorSize } = this;
    for (let sector = Math.floor(offset / sectorSize); sector * sectorSize < offset + target.length; sector++)
      if (this.bad.has(sector)) throw ioError({ layer: 'file', offset: sector * sectorSize, found: 'a bad sector' });
    return super.readInto(target, offset, options);
  }
}
