import { hasBit } from '../../../bytes/bits.ts';
import type { CodePage } from '../code-page.ts';
import { type DecodedEntry, DirectoryDecoder } from '../directory-decoder.ts';
import { ATTRIBUTE_BITS, DELETED_MARK, directoryEntry, END_OF_DIRECTORY, SLOT_BYTES } from '../directory-entry.ts';
import type { FatGeometry } from '../geometry.ts';
import { LONG_NAME_ATTRIBUTES } from '../long-name-entry.ts';
import { decodeShortName } from '../short-name.ts';
import { badShortName } from './bad-short-name.ts';
import { dotFault, isNamed } from './dot-entries.ts';
import { type Sink, slotFinding } from './fault.ts';
import { LongNameCheck } from './long-name-check.ts';
import { type ScannedEntry, scannedEntry } from './scanned-entry.ts';

const NAME_BYTES = 11;
const { attributes: ATTRIBUTES, caseBits: CASE_BITS } = directoryEntry.fields;

/** A directory that is to be scanned. */
export interface PlacedDirectory {
  /** Without a slash at the end: empty for the root. */
  readonly path: string;
  readonly isRoot: boolean;
  /** 0 for a fixed root. */
  readonly firstCluster: number;
  /** What its `..` must lead to: 0 for a directory in the root. */
  readonly parentCluster: number;
}

/** Takes the slots of one directory in order, gives its entries and tells what is wrong with their names. */
export class DirectoryScan {
  readonly #directory: PlacedDirectory;
  readonly #geometry: FatGeometry;
  readonly #codePage: CodePage;
  readonly #sink: Sink;
  readonly #decoder: DirectoryDecoder;
  readonly #longNames: LongNameCheck;
  readonly #names = new Set<string>();
  #slots = 0;
  #bad = 0;
  #good = 0;
  /** A slot that says "none follows" was met; 'told': and one that is no free one behind it. */
  #end: false | true | 'told' = false;

  constructor(directory: PlacedDirectory, geometry: FatGeometry, codePage: CodePage, sink: Sink) {
    this.#directory = directory;
    this.#geometry = geometry;
    this.#codePage = codePage;
    this.#sink = sink;
    this.#decoder = new DirectoryDecoder(codePage, () => undefined);
    this.#longNames = new LongNameCheck(this.#where, sink);
  }

  get #where(): string {
    return this.#directory.path === '' ? '/' : this.#directory.path;
  }

  /** The entries in `bytes`, whose first byte lies at `origin` of the device. */
  push(bytes: Uint8Array, origin: number): ScannedEntry[] {
    const decoded = this.#decoder.ended ? [] : this.#decoder.push(bytes, origin);
    const entries: ScannedEntry[] = [];
    let next = 0;
    for (let at = 0; at + SLOT_BYTES <= bytes.length; at += SLOT_BYTES) {
      const offset = origin + at;
      const index = this.#slots++;
      if (!this.#directory.isRoot && index < 2 && this.#isDot(bytes, at, offset, index)) continue;
      const first = bytes[at]!;
      if (first === END_OF_DIRECTORY || first === DELETED_MARK) {
        if (first === END_OF_DIRECTORY && this.#end === false) this.#end = true;
        this.#longNames.orphaned('a free slot follows it');
        continue;
      }
      if (this.#end === true) this.#tellAfterEnd(offset);
      if (bytes[at + ATTRIBUTES.offset] === LONG_NAME_ATTRIBUTES) {
        this.#longNames.part(bytes, at, offset);
        continue;
      }
      while (next < decoded.length && decoded[next]!.offset < offset) next++;
      entries.push(this.#entry(bytes, at, offset, decoded[next]));
    }
    return entries;
  }

  /** To be called behind the last slot. */
  finish(): void {
    this.#longNames.orphaned('the directory ends behind it');
    const all = this.#good + this.#bad;
    if (all <= 4 || this.#bad <= this.#good / 2) return;
    const message = `${this.#bad} of its ${all} entries have names that cannot be: it may be no directory at all`;
    this.#sink({
      severity: 'warning',
      code: 'directory-doubtful',
      structure: 'directory',
      message,
      owners: [this.#where],
    });
  }

  /** One of the two first slots, whether it is what it must be or not; false for another entry that stands there. */
  #isDot(bytes: Uint8Array, at: number, offset: number, index: number): boolean {
    const name = index === 0 ? '.' : '..';
    const cluster = index === 0 ? this.#directory.firstCluster : this.#directory.parentCluster;
    const fault = dotFault(bytes, at, name, cluster, this.#geometry);
    if (fault !== undefined)
      this.#sink(slotFinding('error', 'dot-entry-wrong', 'directory entry', offset, fault, this.#where));
    const first = bytes[at]!;
    return first === END_OF_DIRECTORY || first === DELETED_MARK || isNamed(bytes, at, name);
  }

  #tellAfterEnd(offset: number): void {
    this.#end = 'told';
    const message = 'entries follow the one that says that none does: only some systems see them';
    this.#sink(slotFinding('warning', 'entry-after-end', 'directory entry', offset, message, this.#where));
  }

  #entry(bytes: Uint8Array, at: number, offset: number, decoded: DecodedEntry | undefined): ScannedEntry {
    const caseBits = bytes[at + CASE_BITS.offset]!;
    const name = decoded?.offset === offset ? decoded.name : decodeShortName(this.#codePage, bytes, at, caseBits);
    const path = `${this.#directory.path}/${name}`;
    const fault = badShortName(bytes, at, this.#longNames.short(bytes, at));
    if (fault === undefined) this.#good++;
    else this.#bad++;
    if (hasBit(bytes[at + ATTRIBUTES.offset]!, ATTRIBUTE_BITS.label)) {
      if (!this.#directory.isRoot) this.#tellLabel(offset);
    } else {
      if (fault !== undefined)
        this.#sink(slotFinding('error', 'short-name-bad', 'directory entry', offset, fault, path));
      const raw = String.fromCharCode(...bytes.subarray(at, at + NAME_BYTES));
      if (this.#names.has(raw)) {
        const message = `another entry of the directory has the short name ${decodeShortName(this.#codePage, bytes, at, 0)} too`;
        this.#sink(slotFinding('error', 'short-name-twice', 'directory entry', offset, message, path));
      } else this.#names.add(raw);
    }
    return scannedEntry(bytes, at, { path, offset }, this.#geometry);
  }

  #tellLabel(offset: number): void {
    const message = 'a volume label stands in a directory that is not the root';
    this.#sink(slotFinding('warning', 'label-misplaced', 'directory entry', offset, message, this.#where));
  }
}
