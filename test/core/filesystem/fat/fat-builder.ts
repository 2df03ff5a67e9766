import { bootExtension16, bootExtension32 } from '../../../../src/core/filesystem/fat/boot-extension.ts';
import { BOOT_SIGNATURE, bootSector } from '../../../../src/core/filesystem/fat/boot-sector.ts';
import { bootSector32 } from '../../../../src/core/filesystem/fat/boot-sector-32.ts';
import { directoryEntry, SLOT_BYTES } from '../../../../src/core/filesystem/fat/directory-entry.ts';
import {
  FS_INFO_LEAD,
  FS_INFO_STRUCTURE,
  FS_INFO_TRAIL,
  FS_INFO_UNKNOWN,
  fsInfo,
} from '../../../../src/core/filesystem/fat/fs-info.ts';
import {
  LONG_NAME_ATTRIBUTES,
  longNameEntry,
  shortNameChecksum,
  UNITS_PER_SLOT,
} from '../../../../src/core/filesystem/fat/long-name-entry.ts';

export interface BuilderOptions {
  readonly bits: 12 | 16 | 32;
  readonly clusters: number;
  readonly sectorSize?: number;
  readonly sectorsPerCluster?: number;
  readonly fats?: number;
  readonly rootEntries?: number;
}

export interface EntryOptions {
  readonly attributes?: number;
  readonly cluster?: number;
  readonly size?: number;
  readonly caseBits?: number;
}

const RESERVED_SECTORS = 8;
const END = { 12: 0xfff, 16: 0xffff, 32: 0x0fffffff } as const;

/** Makes FAT volumes in memory from the on-disk structures, good or broken ones; fsck.fat finds the good ones clean. */
export class FatBuilder {
  readonly bytes: Uint8Array;
  readonly bits: 12 | 16 | 32;
  readonly clusterSize: number;
  readonly fatOffset: number;
  readonly fatBytes: number;
  readonly fats: number;
  readonly rootOffset: number;
  readonly dataOffset: number;
  #next = 2;

  constructor(options: BuilderOptions) {
    const { bits, clusters, sectorSize = 512, sectorsPerCluster = 1, fats = 2 } = options;
    const rootEntries = bits === 32 ? 0 : (options.rootEntries ?? 512);
    const sectorsPerFat = Math.ceil(Math.ceil(((clusters + 2) * bits) / 8) / sectorSize);
    const rootSectors = Math.ceil((rootEntries * SLOT_BYTES) / sectorSize);
    const dataSector = RESERVED_SECTORS + fats * sectorsPerFat + rootSectors;
    const sectors = dataSector + clusters * sectorsPerCluster;
    this.bits = bits;
    this.fats = fats;
    this.clusterSize = sectorsPerCluster * sectorSize;
    this.fatOffset = RESERVED_SECTORS * sectorSize;
    this.fatBytes = sectorsPerFat * sectorSize;
    this.rootOffset = (dataSector - rootSectors) * sectorSize;
    this.dataOffset = dataSector * sectorSize;
    this.bytes = new Uint8Array(sectors * sectorSize);
    const extension = { driveNumber: 0x80, extendedSignature: 0x29, serialNumber: 0x1234abcd };
    bootSector.write(this.bytes, {
      jump: Uint8Array.of(0xeb, bits === 32 ? 0x58 : 0x3c, 0x90),
      oemName: Buffer.from('TESTFAT '),
      bytesPerSector: sectorSize,
      sectorsPerCluster,
      reservedSectors: RESERVED_SECTORS,
      fatCount: fats,
      rootEntryCount: rootEntries,
      totalSectors16: sectors < 0x10000 && bits !== 32 ? sectors : 0,
      totalSectors32: sectors < 0x10000 && bits !== 32 ? 0 : sectors,
      media: 0xf8,
      sectorsPerFat16: bits === 32 ? 0 : sectorsPerFat,
      sectorsPerTrack: 32,
      headCount: 2,
      signature: BOOT_SIGNATURE,
    });
    const label = { label: Buffer.from('NO NAME    '), typeName: Buffer.from(`FAT${bits}   `) };
    (bits === 32 ? bootExtension32 : bootExtension16).write(this.bytes, { ...extension, ...label });
    this.set(0, END[bits] - 7);
    this.set(1, END[bits]);
    if (bits !== 32) return;
    bootSector32.write(this.bytes, {
      sectorsPerFat32: sectorsPerFat,
      rootCluster: 2,
      fsInfoSector: 1,
      backupBootSector: 6,
    });
    const info = { freeCount: FS_INFO_UNKNOWN, nextFree: FS_INFO_UNKNOWN };
    const signatures = {
      leadSignature: FS_INFO_LEAD,
      structureSignature: FS_INFO_STRUCTURE,
      trailSignature: FS_INFO_TRAIL,
    };
    fsInfo.write(this.bytes, { ...info, ...signatures }, sectorSize);
    this.chain([2]);
    this.#next = 3;
    this.bytes.copyWithin(6 * sectorSize, 0, 2 * sectorSize);
  }

  /** A cluster's entry in every FAT. */
  set(cluster: number, value: number): void {
    for (let fat = 0; fat < this.fats; fat++) {
      const base = this.fatOffset + fat * this.fatBytes;
      const view = new DataView(this.bytes.buffer);
      if (this.bits === 32) view.setUint32(base + cluster * 4, value, true);
      else if (this.bits === 16) view.setUint16(base + cluster * 2, value, true);
      else {
        const at = base + Math.floor((cluster * 3) / 2);
        const word = view.getUint16(at, true);
        const other = cluster % 2 === 0 ? word - (word % 0x1000) + value : (word % 0x10) + value * 0x10;
        view.setUint16(at, other, true);
      }
    }
  }

  /** Links the clusters in that order, the last one with an end mark. */
  chain(clusters: readonly number[]): void {
    clusters.forEach((cluster, at) => {
      this.set(cluster, clusters[at + 1] ?? END[this.bits]);
    });
  }

  /** Content in the next free clusters, in one run; returns its first cluster, 0 for none. */
  store(content: Uint8Array): number {
    const count = Math.ceil(content.length / this.clusterSize);
    if (count === 0) return 0;
    const first = this.#next;
    this.#next += count;
    this.chain(Array.from({ length: count }, (_, at) => first + at));
    this.bytes.set(content, this.clusterOffset(first));
    return first;
  }

  clusterOffset(cluster: number): number {
    return this.dataOffset + (cluster - 2) * this.clusterSize;
  }

  /** Slots into the root directory: the fixed one, or cluster 2 and as many more as it takes. */
  setRoot(slots: readonly Uint8Array[]): void {
    const content = Buffer.concat(slots);
    if (this.bits !== 32) {
      this.bytes.set(content, this.rootOffset);
      return;
    }
    this.bytes.set(content.subarray(0, this.clusterSize), this.clusterOffset(2));
    const rest = content.subarray(this.clusterSize);
    if (rest.length > 0) this.set(2, this.store(rest));
  }
}

/** An 8.3 slot; `name` is the 11 bytes as on disk, one character each. */
export function shortSlot(name: string, options: EntryOptions = {}): Uint8Array {
  const cluster = options.cluster ?? 0;
  return directoryEntry.build({
    name: Buffer.from(name.padEnd(11), 'latin1'),
    attributes: options.attributes ?? 0x20,
    caseBits: options.caseBits ?? 0,
    modifiedDate: 0x5021,
    firstClusterHigh: Math.floor(cluster / 0x10000),
    firstClusterLow: cluster % 0x10000,
    size: options.size ?? 0,
  });
}

/** The slots of a long name, the last part first, for that short name. */
export function longSlots(long: string, shortName: string): Uint8Array[] {
  const checksum = shortNameChecksum(Buffer.from(shortName.padEnd(11), 'latin1'));
  const count = Math.ceil(long.length / UNITS_PER_SLOT);
  const units = Buffer.alloc(count * UNITS_PER_SLOT * 2, 0xff);
  units.write(long, 'utf16le');
  if (long.length % UNITS_PER_SLOT !== 0) units.writeUInt16LE(0, long.length * 2);
  return Array.from({ length: count }, (_, index) => {
    const part = count - index;
    const at = (part - 1) * UNITS_PER_SLOT * 2;
    return longNameEntry.build({
      ordinal: index === 0 ? 0x40 + part : part,
      attributes: LONG_NAME_ATTRIBUTES,
      checksum,
      name1: units.subarray(at, at + 10),
      name2: units.subarray(at + 10, at + 22),
      name3: units.subarray(at + 22, at + 26),
    });
  });
}

/** A file or directory with a long name. */
export function longEntry(long: string, shortName: string, options: EntryOptions = {}): Uint8Array[] {
  return [...longSlots(long, shortName), shortSlot(shortName, options)];
}

/** The same slots as deleting leaves them. */
export function deletedSlots(slots: readonly Uint8Array[]): Uint8Array[] {
  return slots.map((slot) => Uint8Array.from(slot, (byte, at) => (at === 0 ? 0xe5 : byte)));
}
