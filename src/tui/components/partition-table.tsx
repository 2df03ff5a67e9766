import { Text } from 'ink';
import { type PropsWithChildren, type ReactNode, useContext } from 'react';
import type { TableRow } from '../load/details.ts';
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
const MIN_FLEXIBLE = 8;
/** A border and two blanks for each column. */
const COLUMN_OVERHEAD = 3;
/** Stands after a wide character: ink-table counts UTF-16 units, so each must count for one column. A noncharacter, never in a name. */
const FILLER = '\ufdd0';

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
      Object.fromEntries(columns.map((column) => [column, counted(truncate(row[column], widths.get(column)!))])),
    );
  }
  return [];
}

/** Text whose length in UTF-16 units is at least its width in columns. */
function counted(text: string): string {
  return text + FILLER.repeat(Math.max(0, displayWidth(text) - text.length));
}

/** The same as it is shown: without the filler, and as wide as ink-table thinks it is. */
function shown(text: string): string {
  const plain = text.replaceAll(FILLER, '');
  return plain + ' '.repeat(Math.max(0, text.length - displayWidth(plain)));
}

function painted(role: Role): (props: PropsWithChildren) => ReactNode {
  return function Painted({ children }: PropsWithChildren): ReactNode {
    const theme = useContext(ThemeContext);
    return <Text wrap="truncate">{theme.paint(role, shown(String(children)))}</Text>;
  };
}

const Header = painted('title');
const Cell = painted('plain');
const Skeleton = painted('divider');

/** The partition table of a disk, drawn by ink-table. */
export function PartitionTableView({ rows, width }: { rows: readonly TableRow[]; width: number }): ReactNode {
  return <InkTable data={tableToFit(rows, width)} header={Header} cell={Cell} skeleton={Skeleton} />;
}
