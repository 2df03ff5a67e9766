/**
 * A pattern for names as POSIX has it (fnmatch): `*` any characters, `?` one, `[a-z]` and `[!a-z]` one of a set, `\` before what
 * stands for itself. A name that begins with a dot is no exception.
 */
export function namePattern(pattern: string, ignoreCase: boolean): RegExp {
  let source = '';
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!;
    const set = character === '[' ? /^\[(!?)(\]?[^\]]*)\]/.exec(pattern.slice(at)) : null;
    if (set !== null) {
      source += `[${set[1] === '!' ? '^' : ''}${set[2]!.replace(/[\\\]^]/g, '\\$&')}]`;
      at += set[0].length - 1;
    } else if (character === '*') source += '.*';
    else if (character === '?') source += '.';
    else {
      const literal = character === '\\' && at + 1 < pattern.length ? pattern[++at]! : character;
      source += RegExp.escape(literal);
    }
  }
  return new RegExp(`^${source}$`, ignoreCase ? 'sui' : 'su');
}
