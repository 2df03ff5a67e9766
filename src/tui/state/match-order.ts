import type { Volume } from '../../core/index.ts';
import { inNameOrder, type Ranked, ranked } from '../text/name-order.ts';
import type { Match, Search } from './search.ts';

/** A search that has ended: its matches in the order of the tree's rows, as far as they are kept. */
export function endedSearch(search: Search): Search {
  const current = search.matches[search.at];
  const matches = inTreeOrder(search.matches);
  return { ...search, matches, at: current === undefined ? -1 : matches.indexOf(current), isOver: true };
}

function inTreeOrder(matches: readonly Match[]): Match[] {
  const volumes = new Map<Volume, number>();
  for (const { volume } of matches) if (!volumes.has(volume)) volumes.set(volume, volumes.size);
  const keyed = matches.map((match) => ({ match, volume: volumes.get(match.volume)!, names: namesOf(match) }));
  keyed.sort((left, right) => left.volume - right.volume || inPathOrder(left.names, right.names));
  return keyed.map(({ match }) => match);
}

function namesOf({ path, isDirectory }: Match): Ranked[] {
  const names = path.split('/').slice(1);
  return names.map((name, at) => ranked(name, isDirectory || at < names.length - 1));
}

/** A directory stands before what is in it. */
function inPathOrder(left: readonly Ranked[], right: readonly Ranked[]): number {
  const shared = Math.min(left.length, right.length);
  for (let at = 0; at < shared; at++) {
    const order = inNameOrder(left[at]!, right[at]!);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}
