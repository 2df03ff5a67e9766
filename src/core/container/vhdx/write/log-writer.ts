import { randomGuid } from '../../../bytes/guid.ts';
import type { WritableBlockDevice } from '../../../device/block-device.ts';
import { writeZeroBytes } from '../../../device/write-zero-bytes.ts';
import { ZERO_GUID } from '../current-header.ts';
import type { HeaderUpdater } from './header-updater.ts';
import { buildLogEntry, type LogChange, logEntryLength, MAX_CHANGES } from './log-entry-bytes.ts';

/**
 * Changes structures of a file through its log (MS-VHDX 2.3): data are durable before the entry that makes them visible, the
 * entry before the structures are changed in place, and those before the log's space is used again.
 *
 * Entries stand one behind the other from the start of the log and all name the first as their tail. When the next does not
 * fit, everything is flushed in place, the header says that the log is empty, and the next entry is the first of a log with a
 * GUID of its own: then nothing that an earlier round left can be taken for an entry, and no reader has to follow a sequence
 * around the end of the log, which QEMU does not do right (block/vhdx-log.c, vhdx_log_search counts applied entries too).
 *
 * The first entry is made durable before the header names its GUID, so that a log that is named is never without an entry:
 * some readers call such a file corrupt, and QEMU then refuses every change that needs the log (vhdx_log_write). MS-VHDX 2.2.2
 * wants a new GUID in the header before the log is written over, so that no part of an old log is replayed; while the header
 * has the zero GUID, as it does then, nothing is.
 */
export class LogWriter {
  readonly #file: WritableBlockDevice;
  readonly #headers: HeaderUpdater;
  #sequenceNumber = 0n;
  /** Bytes of entries since the log was empty. */
  #used = 0;

  constructor(file: WritableBlockDevice, headers: HeaderUpdater) {
    this.#file = file;
    this.#headers = headers;
  }

  /** Whether the file has entries that a reader would have to replay. */
  get isActive(): boolean {
    return this.#used > 0;
  }

  /**
   * Makes the changes durable: all together when an entry can carry them, else as many at a time, in their order. After a
   * failure the file is as before or after any of the entries, and this writer must not be used any more.
   */
  async commit(changes: readonly LogChange[]): Promise<void> {
    await this.#file.flush();
    for (let first = 0; first < changes.length; first += MAX_CHANGES) {
      const part = changes.slice(first, first + MAX_CHANGES);
      await this.#append(part);
      for (const change of part) await this.#apply(change);
    }
  }

  async #append(changes: readonly LogChange[]): Promise<void> {
    const { logOffset, logLength } = this.#headers.fields;
    const length = logEntryLength(changes);
    // A log that is full to its last byte is taken for empty by QEMU: one sector always stays free.
    if (this.#used + length >= logLength) await this.empty();
    const logGuid = this.isActive ? this.#headers.fields.logGuid : randomGuid();
    this.#sequenceNumber++;
    const place = { sequenceNumber: this.#sequenceNumber, tail: 0, logGuid, fileSize: this.#file.size };
    await this.#file.writeFrom(buildLogEntry(changes, place), logOffset + this.#used);
    await this.#file.flush();
    if (!this.isActive) await this.#headers.update({ logGuid });
    this.#used += length;
  }

  async #apply(change: LogChange): Promise<void> {
    if ('bytes' in change) await this.#file.writeFrom(change.bytes, change.fileOffset);
    else await writeZeroBytes(this.#file, change.fileOffset, change.zeroLength);
  }

  /** Makes everything in the file durable, the changes in place too, and says in the header that there is nothing to replay. */
  async empty(): Promise<void> {
    if (!this.isActive) return;
    await this.#file.flush();
    await this.#headers.update({ logGuid: ZERO_GUID });
    this.#used = 0;
  }
}
