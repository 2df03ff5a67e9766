import { byteArray, Struct, u8, u16le, u32le } from '../../bytes/struct.ts';

/** Bytes of every slot of a directory, short or long. */
export const SLOT_BYTES = 32;

/** A short (8.3) directory entry: FAT specification section 6. */
export const directoryEntry = new Struct(
  'fat',
  'directory entry',
  {
    name: byteArray(0, 11),
    attributes: u8(11),
    /** Windows NT: bit 3 the base is lower case, bit 4 the extension is. */
    caseBits: u8(12),
    /** 10 ms units beyond `createdTime`, 0 to 199. */
    createdFine: u8(13),
    createdTime: u16le(14),
    createdDate: u16le(16),
    accessedDate: u16le(18),
    firstClusterHigh: u16le(20),
    modifiedTime: u16le(22),
    modifiedDate: u16le(24),
    firstClusterLow: u16le(26),
    size: u32le(28),
  },
  SLOT_BYTES,
);

/** Bit numbers of `attributes`. */
export const ATTRIBUTE_BITS = { readOnly: 0, hidden: 1, system: 2, label: 3, directory: 4, archive: 5 } as const;

/** First byte of a name: the entry is free and none follows; the entry is deleted; stands for a real 0xE5 (a Kanji lead byte). */
export const END_OF_DIRECTORY = 0x00;
export const DELETED_MARK = 0xe5;
export const ESCAPED_E5 = 0x05;
