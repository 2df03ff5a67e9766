import { escapeText } from '../../core/index.ts';
import type { Command } from '../keymap.ts';
import { locatorOf } from '../load/tree-item.ts';
import { gotoOffset, moveInHex, realigned } from './hex-view.ts';
import { endedSearch } from './match-order.ts';
import { openExtract, openFilter, startCheck } from './open-jobs.ts';
import { openPrompt, promptCommand, typeIntoPrompt } from './prompt.ts';
import { matchesArrived, nextMatch } from './search.ts';
import { clampScroll, layoutIn, overlaySize, scrollLimit } from './selectors.ts';
import type { Tab, TuiAction, TuiState } from './state.ts';
import { withTree } from './subject.ts';
import { cancelTask, leave, type TaskAction, taskTold } from './task.ts';
import { childrenAdded, childrenArrived, expand, forgetBelow, type RevealStep, reveal, stopLoading } from './tree.ts';
import { moveInTree } from './tree-keys.ts';

/** The next state; pure. What has to be read follows from the state (requests.ts) and comes back as an action. */
export function reduce(state: TuiState, action: TuiAction): TuiState {
  switch (action.type) {
    case 'command':
      return command(state, action.command);
    case 'typed':
      return typeIntoPrompt(state, action.text);
    case 'resized':
      return resized(state, action.viewport);
    case 'children':
      return withTree(state, childrenArrived(state.tree, action.row, action.items));
    case 'more-children':
      return withTree(state, childrenAdded(state.tree, action));
    case 'task-progress':
    case 'task-ended':
      return taskTold(searchEnded(state, action), action);
    case 'matches':
      return matchesArrived(state, action.task, action.matches, action.count);
    case 'content':
      return { ...state, contents: new Map(state.contents).set(action.volume, escapeText(action.content)) };
    case 'arrived':
      if (state.going?.id !== action.request) return state;
      return arrived(state, action.steps);
    case 'not-arrived':
      if (state.going?.id !== action.request) return state;
      return { ...state, going: undefined, message: { text: action.problem, tone: 'error' } };
    default:
      return aboutSubject(state, action);
  }
}

function arrived(state: TuiState, steps: readonly RevealStep[]): TuiState {
  const next = realigned({
    ...withTree({ ...state, message: lasting(state) }, reveal(state.tree, steps)),
    going: undefined,
    isZoomed: false,
  });
  const { pending, window } = next.hex;
  if (pending === undefined) return { ...next, pane: 'tree' };
  const viewing: TuiState = { ...next, pane: 'view' };
  return window === undefined ? viewing : gotoOffset(viewing, pending);
}

/** What a goto said of itself is over when it has arrived; which match it is remains to be said. */
function lasting({ message, going }: TuiState): TuiState['message'] {
  return message?.tone === 'info' && going?.match === undefined ? undefined : message;
}

type SubjectAction = Extract<TuiAction, { readonly subject: number }>;

/** An answer about another row than the one selected now comes too late and is dropped. */
function aboutSubject(state: TuiState, action: SubjectAction): TuiState {
  if (action.subject !== state.subject.id) return state;
  switch (action.type) {
    case 'bytes': {
      const next = realigned({ ...state, hex: { ...state.hex, window: action.window } });
      return next.hex.pending === undefined || next.going !== undefined ? next : gotoOffset(next, next.hex.pending);
    }
    case 'no-bytes':
      return { ...state, hex: { ...state.hex, problem: action.problem } };
    case 'details':
      return { ...state, details: { ...state.details, ...contentOf(action.result) } };
    case 'text':
      return { ...state, text: { ...state.text, ...contentOf(action.result) } };
  }
}

function contentOf<Content extends object>(
  result: Content | { readonly problem: string },
): { content: Content | undefined; problem: string | undefined } {
  return 'problem' in result
    ? { content: undefined, problem: result.problem }
    : { content: result, problem: undefined };
}

function resized(state: TuiState, viewport: TuiState['viewport']): TuiState {
  const next = realigned({ ...state, viewport });
  return scrolled(withTree(next, next.tree), 0);
}

function command(state: TuiState, name: Command): TuiState {
  if (name === 'quit') return leave(state);
  if (name === 'interrupt') return state.task === undefined || state.task.isCanceled ? leave(state) : cancelTask(state);
  if (state.prompt !== undefined) return promptCommand(state, name);
  // A message stands until the next key.
  const fresh: TuiState =
    state.message === undefined || state.going !== undefined
      ? { ...state, isAskedToLeave: false }
      : { ...state, message: undefined, isAskedToLeave: false };
  if (fresh.overlay !== undefined) return inOverlay(fresh, name);
  return everywhere(fresh, name) ?? inPane(fresh, name);
}

function inOverlay(state: TuiState, name: Command): TuiState {
  return name === 'close' ? { ...state, overlay: undefined } : paged(state, name);
}

function everywhere(state: TuiState, name: Command): TuiState | undefined {
  switch (name) {
    case 'help':
    case 'diagnostics':
      return { ...state, overlay: { kind: name, scroll: 0 } };
    case 'switch-pane':
      return state.pane === 'tree'
        ? { ...state, pane: 'view' }
        : realigned({ ...state, pane: 'tree', isZoomed: false });
    case 'show-details':
      return showing(state, 'details');
    case 'show-hex':
      return showing(state, 'hex');
    case 'show-text':
      return showing(state, 'text');
    case 'zoom': {
      const isZoomed = !state.isZoomed;
      return realigned({ ...state, isZoomed, pane: isZoomed ? 'view' : state.pane });
    }
    case 'goto':
    case 'find':
      return openPrompt(state, name);
    case 'filter':
      return openFilter(state);
    case 'extract':
      return openExtract(state);
    case 'check':
      return startCheck(state);
    case 'find-next':
      return nextMatch(state, 1);
    case 'find-previous':
      return nextMatch(state, -1);
    case 'report':
      return showReport(state);
    case 'toggle-deleted':
      return withDeletedToggled(state);
    case 'close':
      return closed(state);
    default:
      return undefined;
  }
}

/** Back to the tree; there, whatever is under way ends, the newest first and one at a time. */
function closed(state: TuiState): TuiState {
  if (state.pane !== 'tree') return realigned({ ...state, pane: 'tree', isZoomed: false, message: undefined });
  if (state.going !== undefined) return { ...state, going: undefined, message: undefined };
  if (state.task !== undefined && !state.task.isCanceled) return cancelTask(state);
  const stopped = stopLoading(state.tree);
  if (stopped !== state.tree) return withTree(state, stopped);
  return withTree({ ...state, message: undefined }, { ...state.tree, filter: undefined });
}

function showReport(state: TuiState): TuiState {
  if (state.report !== undefined) return { ...state, overlay: { kind: 'report', scroll: 0 } };
  const text = 'nothing was extracted, checked or looked for yet';
  return { ...state, message: { text, tone: 'info' } };
}

/** A search knows when all of its matches are there. */
function searchEnded(state: TuiState, action: TaskAction): TuiState {
  const isOver = action.type === 'task-ended' && state.task?.id === action.task && state.task.job.kind === 'find';
  return isOver && state.search !== undefined ? { ...state, search: endedSearch(state.search) } : state;
}

function showing(state: TuiState, tab: Tab): TuiState {
  return { ...state, tab };
}

function inPane(state: TuiState, name: Command): TuiState {
  if (state.pane === 'tree') return moveInTree(state, name);
  return state.tab === 'hex' ? moveInHex(state, name) : paged(state, name);
}

/** A key in a page of lines: details, text, help, diagnostics. */
function paged(state: TuiState, name: Command): TuiState {
  const height = state.overlay === undefined ? layoutIn(state).height : overlaySize(state).height;
  switch (name) {
    case 'up':
      return scrolled(state, -1);
    case 'down':
      return scrolled(state, 1);
    case 'page-up':
      return scrolled(state, 1 - height);
    case 'page-down':
      return scrolled(state, Math.max(1, height - 1));
    case 'first':
      return scrolled(state, Number.NEGATIVE_INFINITY);
    case 'last':
      return scrolled(state, Number.POSITIVE_INFINITY);
    default:
      return state;
  }
}

function scrolled(state: TuiState, lines: number): TuiState {
  const limit = scrollLimit(state);
  const moved = (page: { readonly scroll: number }): number => clampScroll(page.scroll + lines, limit);
  if (state.overlay !== undefined) return { ...state, overlay: { ...state.overlay, scroll: moved(state.overlay) } };
  if (state.tab === 'details') return { ...state, details: { ...state.details, scroll: moved(state.details) } };
  if (state.tab === 'text') return { ...state, text: { ...state.text, scroll: moved(state.text) } };
  return state;
}

/** Opens the filesystems again that were open before. */
function reopened(before: TuiState['tree'], after: TuiState['tree']): TuiState['tree'] {
  const open = before.rows.filter(({ item, status }) => item.kind === 'filesystem' && status !== 'closed');
  return open.reduce(
    (tree, { id }) =>
      expand(
        tree,
        tree.rows.findIndex((row) => row.id === id),
      ),
    after,
  );
}

/** Directories are read again as the new setting has them, and the selection is looked for again. */
function withDeletedToggled(state: TuiState): TuiState {
  const { item } = state.subject;
  const kept = item.kind === 'entry' && item.deleted ? item.parent : item;
  const locator = kept === undefined ? undefined : locatorOf(kept);
  const showDeleted = !state.showDeleted;
  const tree = reopened(
    state.tree,
    forgetBelow(state.tree, ({ kind }) => kind === 'filesystem'),
  );
  const going = locator === undefined ? undefined : { id: state.nextRequest, locator };
  const text = showDeleted ? 'deleted entries are listed' : 'deleted entries are not listed';
  const next = withTree({ ...state, showDeleted, going }, tree);
  return { ...next, nextRequest: state.nextRequest + 1, message: { text, tone: 'info' } };
}
