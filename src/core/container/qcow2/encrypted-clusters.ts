import { divideDown, roundUp } from '../../bytes/rounding.ts';
import type { BlockDevice, ReadOptions } from '../../device/block-device.ts';
import type { SectorCipher } from '../sector-cipher.ts';

/** Data is encrypted in units of this many bytes, whatever the sectors of the disk (section "Data encryption"). */
export const ENCRYPTION_SECTOR_BYTES = 512;
/** Bytes decrypted at once: a bound on memory, and on how long the event loop stands still. */
const CHUNK_BYTES = 256 * 1024;

/** Where a byte of a data cluster is, in the image (or data) file and on the disk. */
export interface ClusterPlace {
  readonly hostOffset: number;
  readonly guestOffset: number;
}

/** How the data clusters of an image are encrypted. */
export interface ClusterEncryption {
  /** `luks` or `aes`. */
  readonly encoding: string;
  readonly cipher: SectorCipher;
  /** Whose sector number goes into the initialization vector: the place in the file (LUKS) or on the disk (the old AES). */
  readonly countsFrom: keyof ClusterPlace;
}

/** The encrypted data clusters of one image. */
export class EncryptedClusters {
  readonly encoding: string;
  readonly #source: BlockDevice;
  readonly #encryption: ClusterEncryption;

  constructor(source: BlockDevice, encryption: ClusterEncryption) {
    this.encoding = encryption.encoding;
    this.#source = source;
    this.#encryption = encryption;
  }

  /** Fills `target` with decrypted bytes from `place` on, any number of clusters that lie together. */
  async readInto(place: ClusterPlace, target: Uint8Array, options?: ReadOptions): Promise<void> {
    const { cipher, countsFrom } = this.#encryption;
    const within = place.hostOffset % ENCRYPTION_SECTOR_BYTES;
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, roundUp(within + target.length, ENCRYPTION_SECTOR_BYTES)));
    for (let done = 0; done < target.length; ) {
      options?.signal?.throwIfAborted();
      const head = (within + done) % ENCRYPTION_SECTOR_BYTES;
      const length = Math.min(target.length - done, chunk.length - head);
      const sectors = chunk.subarray(0, roundUp(head + length, ENCRYPTION_SECTOR_BYTES));
      await this.#readPadded(sectors, place.hostOffset + done - head, options);
      cipher.decrypt(sectors, divideDown(place[countsFrom] + done, ENCRYPTION_SECTOR_BYTES));
      target.set(sectors.subarray(head, head + length), done);
      done += length;
    }
  }

  /** What lies behind the end of the file counts as zeros before it is decrypted: QEMU reads noise there, and so do we. */
  async #readPadded(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void> {
    const present = Math.min(target.length, Math.max(0, this.#source.size - offset));
    target.fill(0, present);
    if (present > 0) await this.#source.readInto(target.subarray(0, present), offset, options);
  }
}
