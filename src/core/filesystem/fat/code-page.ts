import { SINGLE_BYTE_PAGES } from './code-page-tables.ts';

/** Code pages in which some characters take two bytes, by the name that the Encoding Standard has for each. */
const DOUBLE_BYTE_PAGES: Readonly<Record<string, string>> = {
  '932': 'shift_jis',
  '936': 'gbk',
  '949': 'euc-kr',
  '950': 'big5',
};
/** The one that names have unless somebody says otherwise. */
export const DEFAULT_CODE_PAGE = '437';
const UNKNOWN = '\ufffd';

/** The numbers of the code pages that names can be read in. */
export const codePageNames: readonly string[] = [
  ...Object.keys(SINGLE_BYTE_PAGES),
  ...Object.keys(DOUBLE_BYTE_PAGES),
].sort((left, right) => Number(left) - Number(right));

/** How the bytes of short names and labels become text. What a page does not have stays a byte, as in `decodeName` (bytes/text.ts). */
export interface CodePage {
  readonly name: string;
  /** `length` bytes from `at`; in lower case where the page has that letter, when asked for. */
  decode(bytes: Uint8Array, at: number, length: number, lowerCase?: boolean): string;
}

/** The code page of that number; undefined for one that is not known. */
export function codePageNamed(name: string): CodePage | undefined {
  const table = Object.hasOwn(SINGLE_BYTE_PAGES, name) ? SINGLE_BYTE_PAGES[name] : undefined;
  if (table !== undefined) return new SingleBytePage(name, table);
  const encoding = Object.hasOwn(DOUBLE_BYTE_PAGES, name) ? DOUBLE_BYTE_PAGES[name] : undefined;
  return encoding === undefined ? undefined : new DoubleBytePage(name, encoding);
}

class SingleBytePage implements CodePage {
  readonly name: string;
  readonly #characters: readonly string[];
  readonly #lower: readonly string[];

  constructor(name: string, upperHalf: string) {
    this.name = name;
    const characters = Array.from({ length: 256 }, (_, byte) => {
      const character = byte < 0x80 ? String.fromCharCode(byte) : upperHalf[byte - 0x80]!;
      return character === UNKNOWN ? undecodable(byte) : character;
    });
    const known = new Set(characters);
    this.#characters = characters;
    this.#lower = characters.map((character) => {
      const lower = character.toLowerCase();
      return known.has(lower) ? lower : character;
    });
  }

  decode(bytes: Uint8Array, at: number, length: number, lowerCase = false): string {
    const table = lowerCase ? this.#lower : this.#characters;
    let text = '';
    for (let index = at; index < at + length; index++) text += table[bytes[index]!]!;
    return text;
  }
}

class DoubleBytePage implements CodePage {
  readonly name: string;
  readonly #decoder: TextDecoder;

  constructor(name: string, encoding: string) {
    this.name = name;
    this.#decoder = new TextDecoder(encoding, { fatal: true });
  }

  decode(bytes: Uint8Array, at: number, length: number, lowerCase = false): string {
    let text = '';
    for (let index = at; index < at + length; ) {
      const byte = bytes[index]!;
      const single = byte < 0x80 ? String.fromCharCode(byte) : this.#character(bytes.subarray(index, index + 1));
      const double = single === undefined && index + 1 < at + length ? bytes.subarray(index, index + 2) : undefined;
      const character = single ?? (double === undefined ? undefined : this.#character(double));
      text += character ?? undecodable(byte);
      index += single === undefined && character !== undefined ? 2 : 1;
    }
    return lowerCase ? text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()) : text;
  }

  #character(bytes: Uint8Array): string | undefined {
    try {
      return this.#decoder.decode(bytes);
    } catch {
      return undefined;
    }
  }
}

/** A byte as the lone surrogate that stands for it. */
function undecodable(byte: number): string {
  return String.fromCharCode(0xdc00 + byte);
}
