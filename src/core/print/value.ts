import { escapeText } from '../bytes/text.ts';

/** Bytes of unknown meaning: as text where they are nothing else but printable ASCII, else `0x` and their digits. */
export function textOrHex(bytes: Uint8Array): string {
  const isText = bytes.every((byte) => byte >= 0x20 && byte < 0x7f);
  return isText ? escapeText(Buffer.from(bytes).toString('latin1')) : `0x${Buffer.from(bytes).toString('hex')}`;
}
