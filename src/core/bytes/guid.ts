/**
 * A GUID as text, from its 16 bytes in the mixed-endian order of UEFI and Microsoft (RFC 9562 section 4, GUID layout):
 * the first three fields little endian, the rest in order.
 */
export function formatGuid(bytes: Uint8Array): string {
  const hex = (indexes: readonly number[]): string =>
    indexes.map((index) => bytes[index]!.toString(16).padStart(2, '0')).join('');
  return [hex([3, 2, 1, 0]), hex([5, 4]), hex([7, 6]), hex([8, 9]), hex([10, 11, 12, 13, 14, 15])]
    .join('-')
    .toUpperCase();
}

/** The inverse of `formatGuid`. */
export function parseGuid(text: string): Uint8Array {
  const hex = text.replaceAll('-', '');
  const plain = Uint8Array.from({ length: 16 }, (_, index) => Number.parseInt(hex.slice(index * 2, index * 2 + 2), 16));
  return Uint8Array.from([3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15], (index) => plain[index]!);
}

/** A UUID as text, from its 16 bytes in network order (RFC 9562), as ext and LUKS store it. */
export function formatUuid(bytes: Uint8Array): string {
  const hex = Array.from(bytes.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** A new random GUID, in the form that `formatGuid` gives. */
export function randomGuid(): string {
  return crypto.randomUUID().toUpperCase();
}
