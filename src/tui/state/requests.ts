import type { ByteRange, Volume } from '../../core/index.ts';
import type { TreeItem } from '../load/tree-item.ts';
import type { Match } from './search.ts';
import { hexLayoutIn, hexSize, imageOf, layoutIn } from './selectors.ts';
import type { TuiState } from './state.ts';
import type { Job } from './task.ts';

/** Something that the state lacks. The key tells requests apart; one whose key is no longer wanted is given up. */
export type LoadRequest = { readonly key: string } & (
  | { readonly kind: 'children'; readonly row: number; readonly item: TreeItem; readonly showDeleted: boolean }
  | { readonly kind: 'details' | 'text'; readonly subject: number; readonly item: TreeItem }
  | { readonly kind: 'bytes'; readonly subject: number; readonly item: TreeItem; readonly range: ByteRange }
  | {
      readonly kind: 'arrival';
      readonly request: number;
      readonly locator: string;
      readonly match: Match | undefined;
      readonly showDeleted: boolean;
    }
  /** Canceled, it is aborted and its answer awaited all the same: it tells what was done by then. */
  | { readonly kind: 'task'; readonly task: number; readonly job: Job; readonly isCanceled: boolean }
  | { readonly kind: 'content'; readonly volume: Volume }
);

/** Volumes whose content is looked at ahead, one at a time; the rest are when they are opened. */
const MAX_CONTENT_PROBES = 64;
/** Contents that are kept, those of views too. */
const MAX_CONTENTS = 4096;

/** Everything the state is waiting for; pure, so that what is read when is plain to see and to test. */
export function wantedRequests(state: TuiState): LoadRequest[] {
  const requests = childRequests(state);
  const { subject, going, showDeleted } = state;
  if (going !== undefined) {
    requests.push({
      kind: 'arrival',
      key: `arrival ${going.id}`,
      request: going.id,
      locator: going.locator,
      match: going.match,
      showDeleted,
    });
  }
  const { task } = state;
  if (task !== undefined) {
    const { id, job, isCanceled } = task;
    requests.push({ kind: 'task', key: `task ${id}`, task: id, job, isCanceled });
  }
  const pageRequest = (kind: 'details' | 'text'): void => {
    const page = kind === 'details' ? state.details : state.text;
    if (page.content !== undefined || page.problem !== undefined) return;
    requests.push({ kind, key: `${kind} ${subject.id}`, subject: subject.id, item: subject.item });
  };
  if (state.tab === 'hex') requests.push(...byteRequests(state));
  else {
    // The status line below the text tells what the details know.
    pageRequest('details');
    if (state.tab === 'text') pageRequest('text');
  }
  const unknown = unknownVolume(state);
  if (unknown !== undefined) requests.push({ kind: 'content', key: `content ${unknown.name}`, volume: unknown });
  return requests;
}

/** The next volume to look into: those of the image first, then those of its views that are on the screen. */
function unknownVolume(state: TuiState): Volume | undefined {
  const { tree, contents } = state;
  const isUnknown = ({ name }: Volume): boolean => !contents.has(name);
  const own = imageOf(state).volumes.slice(0, MAX_CONTENT_PROBES).find(isUnknown);
  if (own !== undefined || contents.size >= MAX_CONTENTS) return own;
  const shown = tree.rows.slice(tree.top, tree.top + layoutIn(state).height);
  return shown
    .map(({ item }) => (item.kind === 'volume' && item.image.view !== undefined ? item.volume : undefined))
    .find((volume) => volume !== undefined && isUnknown(volume));
}

function childRequests({ tree, showDeleted }: TuiState): LoadRequest[] {
  if (tree.loading.length === 0) return [];
  const wanted = new Set(tree.loading);
  return tree.rows
    .filter(({ id }) => wanted.has(id))
    .map(({ id, item }) => ({ kind: 'children', key: `children ${id}`, row: id, item, showDeleted }));
}

/** The rows on the screen and a page around them; asked for again before the edge is reached. */
function byteRequests(state: TuiState): LoadRequest[] {
  const { hex, subject } = state;
  if (hex.problem !== undefined) return [];
  const page = layoutIn(state).hexRows * hexLayoutIn(state).bytesPerRow;
  const size = hexSize(state);
  const margin = Math.floor(page / 2);
  if (hex.window !== undefined && size !== undefined) {
    const from = Math.max(0, hex.top - margin);
    const to = Math.min(size, hex.top + page + margin);
    const { start, bytes } = hex.window;
    if (from >= start && to <= start + bytes.length) return [];
  }
  const start = Math.max(0, hex.top - page);
  const range: ByteRange = { start, length: hex.top + 2 * page - start };
  const key = `bytes ${subject.id} ${range.start} ${range.length}`;
  return [{ kind: 'bytes', key, subject: subject.id, item: subject.item, range }];
}
