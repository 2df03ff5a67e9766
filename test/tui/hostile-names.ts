/** Names that would move the cursor, recolor, reorder or break lines if they reached a terminal as they are. */
export const hostileNames: readonly string[] = [
  'a\x1b[2Jclear',
  'b\x1b]0;title\x07',
  'c\nnew\nline',
  'd\u202egnp.exe',
  'e\tcolumn',
  'f\x9b31mc1',
  'g\udcff\udc80bytes',
  'h\x1b]8;;http://example.invalid\x1b\\link',
  'नमस्ते.txt',
  '日本語のとても長い名前をもつファイル.txt',
];
