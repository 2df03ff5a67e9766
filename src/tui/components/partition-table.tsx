import { Text } from 'ink';
import { createContext, type PropsWithChildren, type ReactNode, useContext } from 'react';
import type { TableRow } from '../load/facts.ts';
import { displayWidth, truncate } from '../text/fit.ts';
import type { Role } from '../theme.ts';
import { InkTable } from './ink-table.ts';
import { ThemeContext } from './theme-context.ts';

type Column = keyof TableRow;

/** The order in which columns are given up where the pane is narrow. */
const COLUMN_CHOICES: readonly (readonly Column[])[] = [
  ['part', 'start', 'sectors', 'size', 'type', 'name'],
  ['part', 'start', 'size', 'type', 'name'],
  ['part', 'start', 'size', 'type'],
];
const FLEXIBLE: readonly Column[] = ['type', 'name'];
const MIN_FLEXIBLE = 14;
/** A border and two blanks for each column. */
const COLUMN_OVERHEAD = 3;
/** The first of the private characters that stand for a cell's text, and what fills the rest of its columns. */
const FIRST_TOKEN = 0xe000;
const FILLER = '\ufdd0';
const TOKEN = /([\ue000-\uf8ff])\ufdd0*/g;

/** The rows with the columns that fit into `width`, cut so that the table is no wider. */
export function tableToFit(rows: readonly TableRow[], width: number): readonly Record<string, string>[] {
  for (const [choice, columns] of COLUMN_CHOICES.entries()) {
    const isLast = choice === COLUMN_CHOICES.length - 1;
    const widths = new Map(
      columns.map((column) => [column, Math.max(column.length, ...rows.map((row) => displayWidth(row[column])))]),
    );
    const fixed = columns.filter((column) => !FLEXIBLE.includes(column));
    const flexible = columns.filter((column) => FLEXIBLE.includes(column));
    const fixedWidth = fixed.reduce((sum, column) => sum + widths.get(column)!, 0);
    let room = width - 1 - columns.length * COLUMN_OVERHEAD - fixedWidth;
    if (room < flexible.length * MIN_FLEXIBLE && !isLast) continue;
    for (const [index, column] of flexible.entries()) {
      const left = flexible.slice(index + 1);
      const wantedByOthers = left.reduce((sum, other) => sum + Math.min(widths.get(other)!, Math.floor(room / 2)), 0);
      const given = Math.max(1, Math.min(widths.get(column)!, room - wantedByOthers));
      widths.set(column, given);
      room -= given;
    }
    return rows.map((row) =>
      Object.fromEntries(columns.map((column) => [column, truncate(row[column], widths.get(column)!)])),
    );
  }
  return [];
}

/** The texts of all cells; a cell's token is an index into it. */
const CellTexts = createContext<readonly string[]>([]);

/**
 * ink-table takes one UTF-16 unit for one column, which holds for ASCII only. It is given a token of the right length
 * for every cell, and the text is put in when the cell is drawn.
 */
function tokensFor(rows: readonly Readonly<Record<string, string>>[]) {
  const texts: string[] = [];
  const tokenOf = (text: string): string => {
    const width = displayWidth(text);
    if (width === 0) return '';
    const token = String.fromCharCode(FIRST_TOKEN + texts.push(text) - 1);
    return token + FILLER.repeat(width - 1);
  };
  const data = rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([column, text]) => [column, tokenOf(text)])),
  );
  return { texts, data };
}

function painted(role: Role): (props: PropsWithChildren) => ReactNode {
  return function Painted({ children }: PropsWithChildren): ReactNode {
    const theme = useContext(ThemeContext);
    const texts = useContext(CellTexts);
    const text = String(children).replaceAll(
      TOKEN,
      (_, token: string) => texts[token.charCodeAt(0) - FIRST_TOKEN] ?? '',
    );
    return <Text wrap="truncate">{theme.paint(role, text)}</Text>;
  };
}

const Header = painted('title');
const Cell = painted('plain');
const Skeleton = painted('divider');

/** The partition table of a disk, drawn by ink-table. */
export function PartitionTableView({ rows, width }: { rows: readonly TableRow[]; width: number }): ReactNode {
  const { texts, data } = tokensFor(tableToFit(rows, width));
  return (
    <CellTexts value={texts}>
      <InkTable data={data} header={Header} cell={Cell} skeleton={Skeleton} />
    </CellTexts>
  );
}
