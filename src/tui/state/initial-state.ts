import type { Image } from '../../core/index.ts';
import { diskChildren } from '../load/children.ts';
import { noticeText } from '../load/view-details.ts';
import { emptyHex } from './hex-view.ts';
import type { Viewport } from './layout.ts';
import type { Message, Page, TuiState } from './state.ts';
import { initialTree } from './tree.ts';

export interface StartOptions {
  /** A place to open at: `p2:/etc/passwd`. */
  readonly locator?: string | undefined;
  /** An offset in it, as the goto prompt takes it; shows the bytes. */
  readonly offset?: string | undefined;
}

export const emptyPage: Page<never> = { content: undefined, problem: undefined, scroll: 0 };

/** What is odd in the container itself is said at once, in a line: the rest is behind a key. */
function noticeOf({ notices }: Image): Message | undefined {
  const first = notices[0];
  if (first === undefined) return undefined;
  const more = notices.length === 1 ? '' : ` (and ${notices.length - 1} more: press !)`;
  return { text: `${noticeText(first)}${more}`, tone: 'warning' };
}

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
    search: undefined,
    task: undefined,
    report: undefined,
    destination: undefined,
    overlay: undefined,
    message: noticeOf(image),
    going: locator === undefined || locator === '' ? undefined : { id: 0, locator },
    showDeleted: false,
    contents: new Map(),
    isAskedToLeave: false,
    isLeaving: false,
    isDone: false,
    nextRequest: 1,
  };
}
