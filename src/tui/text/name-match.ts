/** Tells the paths that a search means. */
export type PathTest = (path: string) => boolean;

/**
 * A part of the name; with `*` or `?` in it, a pattern for all of the name; with a slash in it, either for all of the path.
 * Case does not count.
 */
export function pathTest(pattern: string): PathTest {
  const wanted = pattern.toLowerCase();
  const isOfPath = wanted.includes('/');
  const subject = (path: string): string => (isOfPath ? path : path.slice(path.lastIndexOf('/') + 1)).toLowerCase();
  if (!/[*?]/.test(wanted)) return (path) => subject(path).includes(wanted);
  return (path) => matchesPattern(subject(path), wanted);
}

/** Whether `*` (any characters) and `?` (one) make the whole text; goes back to the last `*` only, so no pattern is slow. */
export function matchesPattern(text: string, pattern: string): boolean {
  let at = 0;
  let star = -1;
  let retry = 0;
  for (let position = 0; position < text.length; ) {
    const wanted = pattern[at];
    if (wanted === '*') {
      star = at++;
      retry = position;
    } else if (wanted === '?' || wanted === text[position]) {
      at++;
      position++;
    } else if (star >= 0) {
      at = star + 1;
      position = ++retry;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}
