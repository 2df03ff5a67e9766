import { escapeText, type Volume } from '../../core/index.ts';
import { isGone, type TreeItem } from '../load/tree-item.ts';
import { baseName, itemLabel } from '../text/item-label.ts';
import type { Prompt, TuiState } from './state.ts';
import { withTree } from './subject.ts';
import { type Extractable, type Job, startTask } from './task.ts';
import { parentIndex, select, type TreeState } from './tree.ts';
import { matchFrom } from './tree-filter.ts';

const MAX_HOST_NAME_BYTES = 255;
/** What is offered of a longer name: four bytes each at most. */
const CUT_NAME_CHARACTERS = 60;

/** A prompt with a text to begin with, which typing goes on from. */
function prompted(state: TuiState, kind: Prompt['kind'], text: string): TuiState {
  return { ...state, prompt: { kind, text, caret: text.length, problem: undefined }, message: undefined };
}

function said(state: TuiState, text: string): TuiState {
  return { ...state, message: { text, tone: 'info' } };
}

/** Narrows what is below the selected row when that is open, otherwise the rows beside it. */
export function openFilter(state: TuiState): TuiState {
  const { tree } = state;
  const { rows, selected } = tree;
  const row = rows[selected]!;
  const parent = row.status === 'open' ? row : rows[parentIndex(rows, selected)]!;
  const text = tree.filter?.parent === parent.id ? tree.filter.text : '';
  const filter = { text, parent: parent.id, origin: row.id };
  return prompted(withTree(state, { ...tree, filter }), 'filter', text);
}

/** The rows that are left of a text as it is typed, and the selection on the nearest that has it. */
export function filtered(state: TuiState, text: string): TuiState {
  const { tree } = state;
  const { filter } = tree;
  if (filter === undefined) return state;
  const next = { ...tree, filter: { ...filter, text } };
  const origin = rowIndex(tree, filter.origin);
  if (text === '') return withTree(state, select(next, origin < 0 ? tree.selected : origin));
  const parent = rowIndex(tree, filter.parent);
  const found = matchFrom(next, Math.max(origin, parent));
  return withTree(state, select(next, found < 0 ? parent : found));
}

/** All rows again, and the selection where it was before. */
export function unfiltered(state: TuiState): TuiState {
  const { tree } = state;
  const origin = tree.filter === undefined ? -1 : rowIndex(tree, tree.filter.origin);
  return withTree(state, select({ ...tree, filter: undefined }, origin < 0 ? tree.selected : origin));
}

function rowIndex(tree: TreeState, wanted: number): number {
  return tree.rows.findIndex(({ id }) => id === wanted);
}

/** What the selected row lets be extracted. */
function extractable(item: TreeItem): Extractable | undefined {
  switch (item.kind) {
    case 'entry':
    case 'recoverable':
    case 'filesystem':
      return item;
    case 'volume':
      return item.volume === undefined ? undefined : item;
    default:
      return undefined;
  }
}

export function openExtract(state: TuiState): TuiState {
  if (state.task !== undefined) return startTask(state, state.task.job, '');
  const { item, id } = state.subject;
  const known = state.destination?.subject === id ? state.destination.text : undefined;
  if (item.kind === 'recoverable' && item.file.certainty === 'lost')
    return said(state, 'lost: nothing of its content is left to recover');
  if (extractable(item) === undefined && item.kind !== 'recoverables')
    return said(state, 'nothing to extract here: select a file, a directory or a filesystem');
  return prompted(state, isGone(item) ? 'recover' : 'extract', known ?? `./${hostName(item)}`);
}

/** A name for what is extracted that any host takes and any terminal shows. */
function hostName(item: TreeItem): string {
  switch (item.kind) {
    case 'entry':
      return plainName(item.name);
    case 'recoverable':
      return plainName(item.file.path?.split('/').at(-1) ?? '') || item.file.key;
    case 'recoverables':
      return 'recovered';
    case 'volume':
    case 'filesystem':
      return plainName(item.volume?.name ?? '') || 'files';
    default:
      return 'files';
  }
}

function plainName(name: string): string {
  const plain = escapeText(name)
    .replaceAll(/[/\\:]/g, '_')
    .replace(/^\.\.?$/, '_');
  // Escapes make a name longer, and hosts take no more than 255 bytes.
  return Buffer.byteLength(plain) > MAX_HOST_NAME_BYTES ? [...plain].slice(0, CUT_NAME_CHARACTERS).join('') : plain;
}

/** The job that a destination was typed for; a destination that would surprise is refused in the prompt. */
export function acceptedExtract(state: TuiState, prompt: Prompt): TuiState {
  const destination = prompt.text.trim();
  const refused = (problem: string): TuiState => ({ ...state, prompt: { ...prompt, problem } });
  if (destination === '') return refused('a folder or file to write to, or Esc');
  if (destination.startsWith('~')) return refused('~ is not expanded here: write the path in full, or ./~');
  const job = extractJob(state.subject.item, destination);
  const closed: TuiState = { ...state, prompt: undefined };
  if (job === undefined) return closed;
  const verb = isGone(job.item) ? 'Recovering' : 'Extracting';
  const title = `${verb} ${itemName(job.item)} to ${escapeText(destination)}`;
  return startTask({ ...closed, destination: { subject: state.subject.id, text: destination } }, job, title);
}

function extractJob(item: TreeItem, destination: string) {
  if (item.kind === 'recoverables') return { kind: 'recover', item, destination } as const;
  const source = extractable(item);
  return source === undefined ? undefined : ({ kind: 'extract', item: source, destination } as const);
}

function itemName(item: TreeItem): string {
  return item.kind === 'recoverable' ? baseName(item.label) : itemLabel(item, new Map()).text;
}

/** The volume of a row, or all of its disk. */
function volumesOf(item: TreeItem): readonly Volume[] {
  switch (item.kind) {
    case 'entry':
    case 'recoverable':
    case 'recoverables':
    case 'filesystem':
      return [item.volume];
    case 'volume':
      return item.volume === undefined ? [] : [item.volume];
    case 'disk':
    case 'table':
      return item.image.volumes;
    default:
      return [];
  }
}

export function acceptedFind(state: TuiState, prompt: Prompt): TuiState {
  const closed: TuiState = { ...state, prompt: undefined };
  const pattern = prompt.text.trim();
  if (pattern === '') return closed;
  const volumes = volumesOf(state.subject.item);
  if (volumes.length === 0) return said(closed, 'no files to look through here: select a filesystem or the disk');
  const job: Job = { kind: 'find', volumes, pattern, deleted: state.showDeleted };
  const next = startTask(closed, job, `Finding ${escapeText(pattern)}`);
  if (next.task === state.task) return next;
  return { ...next, search: { pattern: escapeText(pattern), matches: [], total: 0, at: -1, isOver: false } };
}

/** A check says what it finds as it goes: the page of its report opens with it. */
export function startCheck(state: TuiState): TuiState {
  const volumes = volumesOf(state.subject.item);
  if (volumes.length === 0) return said(state, 'no filesystem to check here: select one, a file in it, or the disk');
  const names = volumes.map(({ name }) => (name === '' ? 'the disk' : name)).join(', ');
  const next = startTask(state, { kind: 'check', volumes }, `Checking ${names}`);
  return next.task === state.task ? next : { ...next, overlay: { kind: 'report', scroll: 0 } };
}
