import type { Command } from '../keymap.ts';
import type { Details } from '../load/facts.ts';
import type { HexWindow } from '../load/hex-window.ts';
import type { Preview } from '../load/preview.ts';
import type { TreeItem } from '../load/tree-item.ts';
import type { Viewport } from './layout.ts';
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
  readonly kind: 'goto' | 'find';
  readonly text: string;
  /** Where typing goes, in UTF-16 units. */
  readonly caret: number;
  readonly problem: string | undefined;
}

export interface GotoRequest {
  readonly id: number;
  readonly locator: string;
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
  /** What was last looked for in the tree. */
  readonly found: string;
  readonly overlay: { readonly kind: 'help' | 'diagnostics'; readonly scroll: number } | undefined;
  readonly message: Message | undefined;
  readonly going: GotoRequest | undefined;
  readonly showDeleted: boolean;
  /** What each volume holds, by its name, as it becomes known. */
  readonly contents: ReadonlyMap<string, string>;
  readonly isDone: boolean;
  readonly nextRequest: number;
}

export type TuiAction =
  | { readonly type: 'command'; readonly command: Command }
  | { readonly type: 'typed'; readonly text: string }
  | { readonly type: 'resized'; readonly viewport: Viewport }
  | { readonly type: 'children'; readonly row: number; readonly items: readonly TreeItem[] }
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
