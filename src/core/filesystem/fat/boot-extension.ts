import { byteArray, type Field, Struct, u8, u32le } from '../../bytes/struct.ts';

interface ExtensionFields {
  readonly driveNumber: Field<number>;
  /** Bit 0: not cleanly unmounted; bit 1: a surface test was asked for (Windows NT and Linux). */
  readonly state: Field<number>;
  /** 0x29 when the three fields after it are there, 0x28 for the serial number alone. */
  readonly extendedSignature: Field<number>;
  readonly serialNumber: Field<number>;
  readonly label: Field<Uint8Array>;
  readonly typeName: Field<Uint8Array>;
}

function extensionAt(offset: number): ExtensionFields & Record<string, Field<unknown>> {
  return {
    driveNumber: u8(offset),
    state: u8(offset + 1),
    extendedSignature: u8(offset + 2),
    serialNumber: u32le(offset + 3),
    label: byteArray(offset + 7, 11),
    typeName: byteArray(offset + 18, 8),
  };
}

/** The extended boot record of FAT12 and FAT16 (FAT specification section 3.2), at byte 36 of the boot sector. */
export const bootExtension16: Struct<ExtensionFields & Record<string, Field<unknown>>> = new Struct(
  'fat',
  'boot sector',
  extensionAt(36),
  512,
);

/** The same of FAT32 (section 3.3), at byte 64, behind FAT32's own fields. */
export const bootExtension32: typeof bootExtension16 = new Struct('fat', 'boot sector', extensionAt(64), 512);
