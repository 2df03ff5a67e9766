import { LRUCache } from 'lru-cache';
import type { Image } from '../../core/index.ts';
import { errorText } from '../../core/index.ts';
import type { LoadRequest } from '../state/requests.ts';
import type { TuiAction } from '../state/state.ts';
import { loadChildren, volumeContent } from './children.ts';
import { loadDetails } from './details.ts';
import { type HexTarget, openHexTarget } from './hex-target.ts';
import { loadHexWindow } from './hex-window.ts';
import { loadPreview } from './preview.ts';
import { type Arrived, findRecoverables } from './recoverables.ts';
import { revealSteps } from './reveal-steps.ts';
import { runTask } from './tasks/run-task.ts';
import type { TreeItem } from './tree-item.ts';

/** Opened files and views kept, so that scrolling through one does not look it up for every window. */
const MAX_OPEN_TARGETS = 16;

/** Answers a request with an action; never rejects but when aborted. */
export type Loader = (
  request: LoadRequest,
  signal: AbortSignal,
  /** Takes what there is to tell before the answer. */
  tell: (action: TuiAction) => void,
) => Promise<TuiAction>;

export function createLoader(image: Image): Loader {
  const targets = new LRUCache<TreeItem, HexTarget>({ max: MAX_OPEN_TARGETS });
  const targetOf = async (item: TreeItem, signal: AbortSignal): Promise<HexTarget | undefined> => {
    const known = targets.get(item);
    if (known !== undefined) return known;
    const opened = await openHexTarget(item, signal);
    if (opened !== undefined) targets.set(item, opened);
    return opened;
  };
  const loadBytes = async (
    { subject, item, range }: Extract<LoadRequest, { kind: 'bytes' }>,
    signal: AbortSignal,
  ): Promise<TuiAction> => {
    const target = await targetOf(item, signal);
    if (target === undefined) return { type: 'no-bytes', subject, problem: 'There are no bytes behind this row.' };
    return { type: 'bytes', subject, window: await loadHexWindow(target, range, signal) };
  };

  return async (request, signal, tell) => {
    try {
      switch (request.kind) {
        case 'children': {
          const { row, item } = request;
          if (item.kind === 'recoverables') {
            const some = (part: Arrived): void => tell({ type: 'more-children', row, ...part, isLast: false });
            const items = await findRecoverables(item, some, signal);
            return { type: 'more-children', row, items, progress: '', isLast: true };
          }
          const items = await loadChildren(request.item, request, signal);
          return { type: 'children', row: request.row, items };
        }
        case 'details':
          return { type: 'details', subject: request.subject, result: await loadDetails(request.item, signal) };
        case 'text':
          return { type: 'text', subject: request.subject, result: await loadPreview(request.item, signal) };
        case 'bytes':
          return await loadBytes(request, signal);
        case 'arrival': {
          const steps = await revealSteps(image, request, signal);
          return { type: 'arrived', request: request.request, steps };
        }
        case 'task':
          return await runTask(request, signal, tell);
        case 'content': {
          const { volume } = request;
          return { type: 'content', volume: volume.name, content: await volumeContent(volume) };
        }
      }
    } catch (error) {
      signal.throwIfAborted();
      return failed(request, errorText(error));
    }
  };
}

function failed(request: LoadRequest, problem: string): TuiAction {
  switch (request.kind) {
    case 'children':
      return { type: 'children', row: request.row, items: [{ kind: 'error', text: problem }] };
    case 'details':
    case 'text':
      return { type: request.kind, subject: request.subject, result: { problem } };
    case 'bytes':
      return { type: 'no-bytes', subject: request.subject, problem };
    case 'arrival':
      return { type: 'not-arrived', request: request.request, problem };
    case 'content':
      return { type: 'content', volume: request.volume.name, content: '' };
    case 'task':
      return { type: 'task-ended', task: request.task, summary: { text: problem, tone: 'error' }, entries: [] };
  }
}
