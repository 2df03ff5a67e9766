import { bitNumbers64 } from '../../bytes/bits.ts';
import { byteArray, guid, Struct, type StructValue, word64le } from '../../bytes/struct.ts';
import { decodeUtf16Little } from '../../bytes/text.ts';

/** A GPT partition entry (UEFI 2.10 section 5.3.3, table 5.6); larger entries keep these fields in front. */
export const gptEntry = new Struct('gpt', 'partition entry', {
  typeGuid: guid(0),
  partitionGuid: guid(16),
  // Words, not counts: one absurd entry must not hide the others.
  firstLba: word64le(32),
  /** Inclusive. */
  lastLba: word64le(40),
  attributes: word64le(48),
  name: byteArray(56, 72),
});

export type GptEntry = StructValue<typeof gptEntry.fields>;

export const UNUSED_TYPE = '00000000-0000-0000-0000-000000000000';

/** Attribute bits of every type (UEFI 2.10 section 5.3.3, table 5.8). */
const COMMON_ATTRIBUTES: Readonly<Record<number, string>> = {
  0: 'required',
  1: 'no block I/O protocol',
  2: 'legacy BIOS bootable',
};

const BASIC_DATA_TYPE = 'EBD0A0A2-B9E5-4433-87C0-68B6B72699C7';
/** Bits 60 to 63 as Windows has them (PARTITION_INFORMATION_GPT). */
const BASIC_DATA_ATTRIBUTES: Readonly<Record<number, string>> = {
  60: 'read-only',
  61: 'shadow copy',
  62: 'hidden',
  63: 'no drive letter',
};

/** Bits as the Discoverable Partitions Specification has them for Linux types. */
const LINUX_ATTRIBUTES: Readonly<Record<number, string>> = {
  59: 'grow filesystem',
  60: 'read-only',
  63: 'no auto-mount',
};

/** The attribute bits in words; a bit whose meaning belongs to an unknown type is `attribute bit N`. */
export function attributeWords(attributes: bigint, typeGuid: string, typeName: string): string[] {
  const own =
    typeGuid === BASIC_DATA_TYPE ? BASIC_DATA_ATTRIBUTES : typeName.startsWith('Linux ') ? LINUX_ATTRIBUTES : {};
  return bitNumbers64(attributes).map((bit) => COMMON_ATTRIBUTES[bit] ?? own[bit] ?? `attribute bit ${bit}`);
}

/** UTF-16LE up to the first NUL; UEFI wants one, full names do without. */
export function decodeEntryName(bytes: Uint8Array): string {
  return decodeUtf16Little(bytes).split('\0', 1)[0]!;
}
