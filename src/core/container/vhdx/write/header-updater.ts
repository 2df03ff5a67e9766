import { crc32c } from '../../../bytes/crc32c.ts';
import type { StructValue } from '../../../bytes/struct.ts';
import type { WritableBlockDevice } from '../../../device/block-device.ts';
import { HEADER_OFFSETS, HEADER_SIGNATURE, vhdxHeader } from '../header.ts';

/** What of a header may change while a file is written to, or tells it from the other. */
export interface HeaderFields {
  readonly sequenceNumber: bigint;
  readonly fileWriteGuid: string;
  readonly dataWriteGuid: string;
  readonly logGuid: string;
  readonly logLength: number;
  readonly logOffset: number;
}

/** The 4 KiB of a header with its checksum (MS-VHDX 2.2.2). */
export function buildHeader(fields: HeaderFields): Uint8Array {
  const values: Partial<StructValue<typeof vhdxHeader.fields>> = {
    ...fields,
    signature: HEADER_SIGNATURE,
    // The sum is made with this field zero; fields that were read bring an old one.
    checksum: 0,
    version: 1,
    logVersion: 0,
  };
  const bytes = vhdxHeader.build(values);
  vhdxHeader.write(bytes, { checksum: crc32c(bytes) });
  return bytes;
}

/**
 * The two headers of a file that is written to. Each update goes over the one that is not current and is flushed before the
 * other is touched, so that a valid one is there at any time (MS-VHDX 2.2.2.1).
 */
export class HeaderUpdater {
  readonly #file: WritableBlockDevice;
  #fields: HeaderFields;
  /** Which of the two headers is current. */
  #current: 0 | 1;

  constructor(file: WritableBlockDevice, fields: HeaderFields, current: 0 | 1) {
    this.#file = file;
    this.#fields = fields;
    this.#current = current;
  }

  get fields(): HeaderFields {
    return this.#fields;
  }

  /** The current header, 1 or 2 as people number them. */
  get currentNumber(): number {
    return this.#current + 1;
  }

  /** Changes fields durably, in both headers, as the section advises: one that rots later costs nothing. */
  async update(changes: Partial<Pick<HeaderFields, 'fileWriteGuid' | 'dataWriteGuid' | 'logGuid'>>): Promise<void> {
    for (let round = 0; round < 2; round++) {
      const fields = { ...this.#fields, ...changes, sequenceNumber: this.#fields.sequenceNumber + 1n };
      const other = this.#current === 0 ? 1 : 0;
      await this.#file.writeFrom(buildHeader(fields), HEADER_OFFSETS[other]);
      await this.#file.flush();
      this.#current = other;
      this.#fields = fields;
    }
  }
}
