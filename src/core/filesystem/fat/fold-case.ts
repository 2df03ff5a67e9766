/** A name with the difference between capital and small letters taken out, one character for one (ß is not SS), as FAT compares names. */
export function foldCase(name: string): string {
  const upper = name.toUpperCase();
  if (upper.length === name.length) return upper;
  return Array.from(name, (character) => {
    const capital = character.toUpperCase();
    return capital.length === character.length ? capital : character;
  }).join('');
}
