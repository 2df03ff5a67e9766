/** Bits of FAT[1], set when the volume was cleanly unmounted and no disk error was met: FAT specification section 4.2. */
export const CLEAN_BITS = {
  12: undefined,
  16: { clean: 0x8000, sound: 0x4000 },
  32: { clean: 0x8000000, sound: 0x4000000 },
} as const;
