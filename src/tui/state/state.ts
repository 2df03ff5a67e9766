import type { Command } from '../keymap.ts';
import type { Details } from '../load/facts.ts';
import type { HexWindow } from '../load/hex-window.ts';
import type { Preview } from '../load/preview.ts';
import type { TreeItem } from '../load/tree-item.ts';
import type { Viewport } from './layout.ts';
import type { Match, Search } from './search.ts';
import type { Report, Task, TaskAction } from './task.ts';
import type { RevealStep, TreeState } from './tree.ts';

export type Tab = 'details' | 'hex' | 'text';
export type Pane = 'tree' | 'view';

export interface HexState {
  /** The bytes at hand; undefined before the first answer. */
  readonly window: HexWindow | undefined;
  readonly cursor: number;
  /** The byte offset of the first row on the screen. */
  readonly top: number;
  /** Why there are no bytes to show. */
  readonly problem: string | undefined;
  /** An offset to go to once the size is known. */
  readonly pending: string | undefined;
  readonly littleEndian: boolean;
}

/** A tab's content: nothing before it came, then what came. */
export interface Page<Content> {
  readonly content: Content | undefined;
  readonly problem: string | undefined;
  readonly scroll: number;
}

export interface Prompt {
  readonly kind: 'goto' | 'filter' | 'find' | 'extract' | 'recover';
  readonly text: string;
  /** Where typing goes, in UTF-16 units. */
  readonly caret: number;
  readonly problem: string | undefined;
}

export interface GotoRequest {
  readonly id: number;
  readonly locator: string;
  /** A match of a search at that place, or in that directory when it is deleted. */
  readonly match?: Match;
}

export interface Message {
  readonly text: string;
  readonly tone: 'info' | 'warning' | 'error';
}

export interface TuiState {
  readonly viewport: Viewport;
  readonly pane: Pane;
  readonly tab: Tab;
  readonly isZoomed: boolean;
  readonly tree: TreeState;
  /** The row that hex, details and text are about. */
  readonly subject: { readonly id: number; readonly item: TreeItem };
  readonly hex: HexState;
  /** Where the cursor was in things seen before, by row; the oldest are forgotten. */
  readonly places: ReadonlyMap<number, { readonly cursor: number; readonly top: number }>;
  readonly details: Page<Details>;
  readonly text: Page<Preview>;
  readonly prompt: Prompt | undefined;
  readonly search: Search | undefined;
  /** What runs; the report is of that, or of what ran last. */
  readonly task: Task | undefined;
  readonly report: Report | undefined;
  /** Where something was to be extracted to last, by its row: it is offered again. */
  readonly destination: { readonly subject: number; readonly text: string } | undefined;
  readonly overlay: { readonly kind: 'help' | 'diagnostics' | 'report'; readonly scroll: number } | undefined;
  readonly message: Message | undefined;
  readonly going: GotoRequest | undefined;
  readonly showDeleted: boolean;
  /** What each volume holds, by its name, as it becomes known. */
  readonly contents: ReadonlyMap<string, string>;
  readonly isAskedToLeave: boolean;
  /** It ends as soon as the task has. */
  readonly isLeaving: boolean;
  readonly isDone: boolean;
  readonly nextRequest: number;
}

export type TuiAction =
  | { readonly type: 'command'; readonly command: Command }
  | { readonly type: 'typed'; readonly text: string }
  | { readonly type: 'resized'; readonly viewport: Viewport }
  | { readonly type: 'children'; readonly row: number; readonly items: readonly TreeItem[] }
  /** Some of the children of a row whose others are still to come, or the last of them. */
  | {
      readonly type: 'more-children';
      readonly row: number;
      readonly items: readonly TreeItem[];
      readonly progress: string;
      readonly isLast: boolean;
    }
  | { readonly type: 'matches'; readonly task: number; readonly matches: readonly Match[]; readonly count: number }
  | TaskAction
  | { readonly type: 'bytes'; readonly subject: number; readonly window: HexWindow }
  | { readonly type: 'no-bytes'; readonly subject: number; readonly problem: string }
  | { readonly type: 'details'; readonly subject: number; readonly result: Details | Failure }
  | { readonly type: 'text'; readonly subject: number; readonly result: Preview | Failure }
  | { readonly type: 'arrived'; readonly request: number; readonly steps: readonly RevealStep[] }
  | { readonly type: 'not-arrived'; readonly request: number; readonly problem: string }
  | { readonly type: 'content'; readonly volume: string; readonly content: string };

export interface Failure {
  readonly problem: string;
}
