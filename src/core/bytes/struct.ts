import { corrupt, type DiskError } from '../errors.ts';
import { formatGuid, parseGuid } from './guid.ts';

/** One field of an on-disk structure; it reads and writes itself. `at` is where the structure begins in `view`. */
export interface Field<Value> {
  readonly offset: number;
  readonly length: number;
  get(view: DataView, at: number): Value;
  set(view: DataView, at: number, value: Value): void;
  /** The value as it stands, where `get` may have rounded it. */
  exact?(view: DataView, at: number): bigint;
}

// biome-ignore lint/suspicious/noExplicitAny: a table holds fields of many types; StructValue gives each its own back
export type Fields = Readonly<Record<string, Field<any>>>;

export type StructValue<Table extends Fields> = {
  readonly [Name in keyof Table]: Table[Name] extends Field<infer Value> ? Value : never;
};

/**
 * An on-disk structure as one table of fields: it parses, writes, builds test images and names bytes in the hex view.
 * `layer` and `name` are what errors say; `size` is the end of the last field in bytes unless given.
 */
export class Struct<Table extends Fields> {
  readonly layer: string;
  readonly name: string;
  readonly fields: Table;
  readonly size: number;
  readonly #entries: readonly (readonly [string, Field<unknown>])[];
  /** Every field, so that a parsed structure has its shape from the beginning: to add them one by one takes ten times as long. */
  readonly #blank: Readonly<Record<string, unknown>>;

  constructor(layer: string, name: string, fields: Table, size?: number) {
    this.layer = layer;
    this.name = name;
    this.fields = fields;
    this.#entries = Object.entries(fields);
    this.#blank = Object.fromEntries(this.#entries.map(([field]) => [field, 0]));
    this.size = size ?? Math.max(...this.#entries.map(([, field]) => field.offset + field.length));
  }

  /** The CORRUPT error of a field whose value cannot be; `origin` is where the structure lies in the device. */
  invalid(field: keyof Table & string, expected: string, found: string | number, origin = 0): DiskError {
    const { offset } = this.fields[field]!;
    return corrupt({
      layer: this.layer,
      structure: `${this.name} ${field}`,
      offset: origin + offset,
      expected,
      found,
    });
  }

  /** Reads every field from `bytes` at `at`. `origin` is the device offset of that place, for errors. */
  parse(bytes: Uint8Array, at = 0, origin: number = at): StructValue<Table> {
    if (at + this.size > bytes.length) {
      throw corrupt({
        layer: this.layer,
        structure: this.name,
        offset: origin,
        expected: `${this.size} bytes`,
        found: `${Math.max(0, bytes.length - at)} bytes`,
      });
    }
    const view = viewOf(bytes);
    const value: Record<string, unknown> = { ...this.#blank };
    for (let index = 0; index < this.#entries.length; index++) {
      const [name, field] = this.#entries[index]!;
      const read = field.get(view, at);
      if (typeof read === 'number' && read > Number.MAX_SAFE_INTEGER) {
        throw corrupt({
          layer: this.layer,
          structure: `${this.name} ${name}`,
          offset: origin + field.offset,
          expected: 'a value below 2^53',
          found: field.exact?.(view, at) ?? read,
        });
      }
      value[name] = read;
    }
    return value as StructValue<Table>;
  }

  /** Writes the given fields into `bytes` at `at`; the others keep their bytes. */
  write(bytes: Uint8Array, values: Partial<StructValue<Table>>, at = 0): void {
    const view = viewOf(bytes);
    for (const [name, value] of Object.entries(values)) this.fields[name]!.set(view, at, value);
  }

  /** A new buffer of `size` bytes with the given fields set and zeros elsewhere. */
  build(values: Partial<StructValue<Table>>): Uint8Array {
    const bytes = new Uint8Array(this.size);
    this.write(bytes, values);
    return bytes;
  }
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

type Get<Value> = (view: DataView, at: number) => Value;
type Set<Value> = (view: DataView, at: number, value: Value) => void;

/** Each kind of field calls its own method of DataView: one that is chosen by name takes ten times as long. */
function field<Value>(offset: number, length: number, get: Get<Value>, set: Set<Value>): Field<Value> {
  return { offset, length, get, set };
}

export const u8 = (offset: number): Field<number> =>
  field(
    offset,
    1,
    (view, at) => view.getUint8(at + offset),
    (view, at, value) => view.setUint8(at + offset, value),
  );
export const u16le = (offset: number): Field<number> =>
  field(
    offset,
    2,
    (view, at) => view.getUint16(at + offset, true),
    (view, at, value) => view.setUint16(at + offset, value, true),
  );
export const u16be = (offset: number): Field<number> =>
  field(
    offset,
    2,
    (view, at) => view.getUint16(at + offset),
    (view, at, value) => view.setUint16(at + offset, value),
  );
export const u32le = (offset: number): Field<number> =>
  field(
    offset,
    4,
    (view, at) => view.getUint32(at + offset, true),
    (view, at, value) => view.setUint32(at + offset, value, true),
  );
export const u32be = (offset: number): Field<number> =>
  field(
    offset,
    4,
    (view, at) => view.getUint32(at + offset),
    (view, at, value) => view.setUint32(at + offset, value),
  );
export const i16le = (offset: number): Field<number> =>
  field(
    offset,
    2,
    (view, at) => view.getInt16(at + offset, true),
    (view, at, value) => view.setInt16(at + offset, value, true),
  );
export const i32le = (offset: number): Field<number> =>
  field(
    offset,
    4,
    (view, at) => view.getInt32(at + offset, true),
    (view, at, value) => view.setInt32(at + offset, value, true),
  );

/** A 64-bit count or offset as `number`; `Struct.parse` refuses values above 2^53-1 as CORRUPT. */
function count64(offset: number, little: boolean): Field<number> {
  return {
    offset,
    length: 8,
    get: (view, at) => Number(view.getBigUint64(at + offset, little)),
    set: (view, at, value) => view.setBigUint64(at + offset, BigInt(value), little),
    exact: (view, at) => view.getBigUint64(at + offset, little),
  };
}

export const u64le = (offset: number): Field<number> => count64(offset, true);
export const u64be = (offset: number): Field<number> => count64(offset, false);

/** A 64-bit packed word (flags, table entry) as `bigint`. */
function word64(offset: number, little: boolean): Field<bigint> {
  return {
    offset,
    length: 8,
    get: (view, at) => view.getBigUint64(at + offset, little),
    set: (view, at, value) => view.setBigUint64(at + offset, value, little),
  };
}

export const word64le = (offset: number): Field<bigint> => word64(offset, true);
export const word64be = (offset: number): Field<bigint> => word64(offset, false);

/** Raw bytes; reading gives a copy. */
export function byteArray(offset: number, length: number): Field<Uint8Array> {
  return {
    offset,
    length,
    get: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at + offset, length).slice(),
    set: (view, at, value) => new Uint8Array(view.buffer, view.byteOffset + at + offset, length).set(value),
  };
}

/** A GUID in the mixed-endian byte order of UEFI and Microsoft. */
export function guid(offset: number): Field<string> {
  const raw = byteArray(offset, 16);
  return {
    offset,
    length: 16,
    get: (view, at) => formatGuid(raw.get(view, at)),
    set: (view, at, value) => raw.set(view, at, parseGuid(value)),
  };
}
