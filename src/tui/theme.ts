/** What a piece of text means; the theme says how that looks. */
export type Role =
  | 'plain'
  | 'bar'
  | 'barStrong'
  | 'barIdle'
  | 'title'
  | 'divider'
  | 'dim'
  | 'selected'
  | 'selectedIdle'
  | 'directory'
  | 'file'
  | 'link'
  | 'special'
  | 'structure'
  | 'deleted'
  | 'match'
  | 'selectedMatch'
  | 'intact'
  | 'likely'
  | 'error'
  | 'warning'
  | 'label'
  | 'key'
  | 'byteZero'
  | 'bytePrintable'
  | 'byteSpace'
  | 'byteControl'
  | 'byteHigh'
  | 'byteBad'
  | 'address'
  | 'sectorAddress'
  | 'cursor'
  | 'cursorIdle';

interface Look {
  /** SGR parameters: attributes, which stay without colors too. */
  readonly attributes?: readonly number[];
  /** SGR parameters: colors, left out under NO_COLOR. */
  readonly colors?: readonly number[];
}

const BOLD = 1;
const DIM = 2;
const UNDERLINE = 4;
const INVERSE = 7;
const STRIKE = 9;

// The sixteen colors of the terminal's own palette: they suit a light background as well as a dark one.
const LOOKS: Readonly<Record<Role, Look>> = {
  plain: {},
  bar: { attributes: [INVERSE] },
  barStrong: { attributes: [INVERSE, BOLD] },
  barIdle: { attributes: [INVERSE, DIM] },
  title: { attributes: [BOLD] },
  divider: { attributes: [DIM] },
  dim: { attributes: [DIM] },
  selected: { attributes: [INVERSE] },
  selectedIdle: { attributes: [UNDERLINE, BOLD] },
  directory: { attributes: [BOLD], colors: [34] },
  file: {},
  link: { colors: [36] },
  special: { colors: [33] },
  structure: { attributes: [BOLD] },
  deleted: { attributes: [DIM, STRIKE] },
  match: { attributes: [BOLD, UNDERLINE], colors: [33] },
  selectedMatch: { attributes: [INVERSE, BOLD, UNDERLINE] },
  intact: { colors: [32] },
  likely: { colors: [36] },
  error: { attributes: [BOLD], colors: [31] },
  warning: { colors: [33] },
  label: { colors: [36] },
  key: { attributes: [BOLD] },
  byteZero: { attributes: [DIM] },
  bytePrintable: { colors: [36] },
  byteSpace: { colors: [32] },
  byteControl: { colors: [35] },
  byteHigh: { colors: [33] },
  byteBad: { attributes: [BOLD], colors: [31] },
  address: { attributes: [DIM] },
  sectorAddress: { attributes: [BOLD] },
  cursor: { attributes: [INVERSE, BOLD] },
  cursorIdle: { attributes: [UNDERLINE, BOLD] },
};

export interface Theme {
  readonly hasColor: boolean;
  /** `text`, which is printable already, in the look of its role. */
  paint(role: Role, text: string): string;
}

/** The theme for an environment: NO_COLOR (any value but the empty one, no-color.org) takes the colors and leaves the attributes. */
export function createTheme(environment: Readonly<Record<string, string | undefined>>): Theme {
  const hasColor = (environment['NO_COLOR'] ?? '') === '';
  const openings = new Map<Role, string>();
  for (const [role, look] of Object.entries(LOOKS) as [Role, Look][]) {
    const codes = [...(look.attributes ?? []), ...(hasColor ? (look.colors ?? []) : [])];
    openings.set(role, codes.length === 0 ? '' : `\x1b[${codes.join(';')}m`);
  }
  return {
    hasColor,
    paint(role, text) {
      const opening = openings.get(role)!;
      return opening === '' || text === '' ? text : `${opening}${text}\x1b[0m`;
    },
  };
}
