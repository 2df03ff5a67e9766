/** What people meet and can do something about, by the name that the operating system has for it. */
const WORDS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EDQUOT: 'the quota is used up',
  EEXIST: 'a file of that name',
  EFBIG: 'a file larger than that filesystem takes',
  EISDIR: 'a directory',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'a name that is too long',
  ENOSPC: 'no space left',
  EPERM: 'permission denied',
  EROFS: 'a filesystem that is read-only',
};

/** `no space left (ENOSPC)`; the bare code where there are no words for it. */
export function systemWords(code: string): string {
  const words = WORDS[code];
  return words === undefined ? code : `${words} (${code})`;
}
