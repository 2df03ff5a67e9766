import { DEVICE_TYPE_NAMES } from './type-names/devices.ts';
import { LINUX_TYPE_NAMES } from './type-names/linux.ts';
import { SYSTEM_TYPE_NAMES } from './type-names/systems.ts';

const TYPE_NAMES = new Map(
  [SYSTEM_TYPE_NAMES, LINUX_TYPE_NAMES, DEVICE_TYPE_NAMES].flatMap((names) => Object.entries(names)),
);

/** The name of a GPT partition type GUID (upper case); empty when unknown. */
export function gptTypeName(id: string): string {
  return TYPE_NAMES.get(id) ?? '';
}
