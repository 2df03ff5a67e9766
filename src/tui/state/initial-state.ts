import type { Image } from '../../core/index.ts';
import { diskChildren } from '../load/children.ts';
import { emptyHex } from './hex-view.ts';
import type { Viewport } from './layout.ts';
import type { Page, TuiState } from './state.ts';
import { initialTree } from './tree.ts';

export interface StartOptions {
  /** A place to open at: `p2:/etc/passwd`. */
  readonly locator?: string | undefined;
  /** An offset in it, as the goto prompt takes it; shows the bytes. */
  readonly offset?: string | undefined;
}

export const emptyPage: Page<never> = { content: undefined, problem: undefined, scroll: 0 };

export function initialState(image: Image, viewport: Viewport, { locator, offset }: StartOptions = {}): TuiState {
  const root = { kind: 'disk', image } as const;
  return {
    viewport,
    pane: 'tree',
    tab: offset === undefined ? 'details' : 'hex',
    isZoomed: false,
    tree: initialTree(root, diskChildren(image)),
    subject: { id: 0, item: root },
    hex: { ...emptyHex, pending: offset },
    places: new Map(),
    details: emptyPage,
    text: emptyPage,
    prompt: undefined,
    found: '',
    overlay: undefined,
    message: undefined,
    going: locator === undefined || locator === '' ? undefined : { id: 0, locator },
    showDeleted: false,
    contents: new Map(),
    isDone: false,
    nextRequest: 1,
  };
}
