/** Code page 437, the one that FAT short names have unless somebody says otherwise: bytes 0x80 to 0xFF (unicode.org, CP437.TXT). */
const UPPER_HALF =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ' +
  'áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐' +
  '└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀' +
  'αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0';

/** The character of every byte. */
const CHARACTERS: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte < 0x80 ? String.fromCharCode(byte) : UPPER_HALF[byte - 0x80]!,
);

/** The same in lower case, where the code page has that letter. */
const LOWER_CHARACTERS: readonly string[] = CHARACTERS.map((character) => {
  const lower = character.toLowerCase();
  return CHARACTERS.includes(lower) ? lower : character;
});

/** `length` bytes from `at` as text. */
export function decodeCodePage437(bytes: Uint8Array, at: number, length: number, lowerCase = false): string {
  const table = lowerCase ? LOWER_CHARACTERS : CHARACTERS;
  let text = '';
  for (let index = at; index < at + length; index++) text += table[bytes[index]!]!;
  return text;
}
