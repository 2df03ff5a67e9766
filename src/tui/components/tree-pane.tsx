import { Box, Text } from 'ink';
import { memo, type ReactNode, useContext } from 'react';
import type { TreeRow, TreeState } from '../state/tree.ts';
import { highlightAt, shownRows } from '../state/tree-filter.ts';
import { displayWidth, padTo, truncate } from '../text/fit.ts';
import { itemLabel } from '../text/item-label.ts';
import type { Role, Theme } from '../theme.ts';
import { ThemeContext } from './theme-context.ts';

const MARKS = { leaf: ' ', closed: '▸', loading: '⋯', open: '▾' } as const;
/** Names keep at least this many columns, however deep they are. */
const MIN_NAME_COLUMNS = 12;
const MIN_NOTE_COLUMNS = 4;
const WIDE_TREE_COLUMNS = 40;

export interface TreePaneProps {
  readonly tree: TreeState;
  readonly contents: ReadonlyMap<string, string>;
  readonly width: number;
  readonly height: number;
  readonly isFocused: boolean;
}

/** The rows of the tree that are on the screen, and no others. */
export const TreePane = memo(function TreePane(props: TreePaneProps): ReactNode {
  const theme = useContext(ThemeContext);
  const { tree, width, height } = props;
  const shown = shownRows(tree);
  const count = Math.max(0, Math.min(height, (shown ?? tree.rows).length - tree.top));
  const visible = Array.from({ length: count }, (_, line) => shown?.[tree.top + line] ?? tree.top + line);
  return (
    <Box flexDirection="column" width={width} height={height}>
      <Text wrap="truncate">
        {visible
          .map((at) => treeLine(tree.rows[at]!, at === tree.selected, highlightAt(tree, at), props, theme))
          .join('\n')}
      </Text>
    </Box>
  );
});

/** One row in exactly `width` columns: indent, mark, name, and the note at the right edge where it fits. */
export function treeLine(
  row: TreeRow,
  isSelected: boolean,
  highlight: string,
  { contents, width, isFocused }: Pick<TreePaneProps, 'contents' | 'width' | 'isFocused'>,
  theme: Theme,
): string {
  const { text, note, role, noteRole } = itemLabel(row.item, contents);
  const step = width >= WIDE_TREE_COLUMNS ? 2 : 1;
  const indent = ' '.repeat(Math.min(row.depth * step, Math.max(0, width - MIN_NAME_COLUMNS - 2)));
  const head = `${indent}${MARKS[row.status]} `;
  const room = width - displayWidth(head);
  // The note keeps its place as long as enough is left to tell the name.
  const noteRoom = room - Math.min(displayWidth(text), MIN_NAME_COLUMNS) - 1;
  const shownNote = noteRoom < MIN_NOTE_COLUMNS ? '' : truncate(note, noteRoom);
  const name = truncate(text, shownNote === '' ? room : room - displayWidth(shownNote) - 1);
  const left = room - displayWidth(name);
  const gap = ' '.repeat(Math.max(0, left - displayWidth(shownNote)));
  const look = isSelected ? (isFocused ? 'selected' : 'selectedIdle') : undefined;
  const painted = paintMatch(name, highlight, look ?? role, look === 'selected' ? 'selectedMatch' : 'match', theme);
  if (look === undefined) return head + painted + gap + theme.paint(noteRole ?? 'dim', shownNote);
  return (
    theme.paint(look, head) +
    painted +
    theme.paint(look, gap + padTo(shownNote, width - displayWidth(head + name + gap)))
  );
}

/** The name with the first place of `part` in it in its own look; case does not count. */
function paintMatch(name: string, part: string, look: Role, matchLook: Role, theme: Theme): string {
  const at = part === '' ? -1 : name.toLowerCase().indexOf(part.toLowerCase());
  if (at < 0) return theme.paint(look, name);
  const end = at + part.length;
  return (
    theme.paint(look, name.slice(0, at)) +
    theme.paint(matchLook, name.slice(at, end)) +
    theme.paint(look, name.slice(end))
  );
}
