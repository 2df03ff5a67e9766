/** The numbers that begin at the cursor, as far as there are bytes for them. */
export interface InspectedValue {
  readonly name: string;
  readonly value: string;
}

/** Unsigned and signed integers at the start of `bytes`, in the order to print them. */
export function inspectBytes(bytes: Uint8Array, littleEndian: boolean): InspectedValue[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values: InspectedValue[] = [];
  const add = (name: string, length: number, read: () => number | bigint | string): void => {
    if (bytes.length >= length) values.push({ name, value: String(read()) });
  };
  add('u8', 1, () => view.getUint8(0));
  add('i8', 1, () => view.getInt8(0));
  add('bits', 1, () => view.getUint8(0).toString(2).padStart(8, '0'));
  add('u16', 2, () => view.getUint16(0, littleEndian));
  add('i16', 2, () => view.getInt16(0, littleEndian));
  add('u32', 4, () => view.getUint32(0, littleEndian));
  add('i32', 4, () => view.getInt32(0, littleEndian));
  add('u64', 8, () => view.getBigUint64(0, littleEndian));
  add('i64', 8, () => view.getBigInt64(0, littleEndian));
  return values;
}
