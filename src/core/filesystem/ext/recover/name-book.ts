import { NumberList } from '../../../bytes/number-list.ts';
import { NumberMap } from '../../../bytes/number-map.ts';
import { SparseBitSet } from '../../../bytes/sparse-bit-set.ts';

/** Names of one inode that are kept: an inode's number is used again and again. What slack has is worth less. */
const MAX_SIGHTINGS = 256;
const MAX_SLACK = 16;
/** What was seen in all. */
const MAX_NAMES = 2 ** 21;
/** Directories that are remembered with their names. */
const MAX_DIRECTORIES = 2 ** 20;
/** No path of Linux is deeper; damaged directories may go in circles. */
const MAX_DEPTH = 2048;
const ROOT_INODE = 2;
/** What a name is worse by: one that only slack has, one of the inode's next life. */
const SLACK_DISTANCE = 1e9;
const LATER_DISTANCE = 1e6;

/** When an inode was what it is asked for: the place of a transaction in the history, and where that content ended. */
export interface Moment {
  readonly order: number;
  readonly endOrder: number | undefined;
  /** The place that is now, where the inode has become another file's: the name of that one is not this one's. */
  readonly reusedBy: number | undefined;
}

/** From when on and until when a name was seen, by places in the history. */
interface Seen {
  readonly first: number;
  readonly last: number;
  /** The copy of the same block before this one: what was in both was there all the time between. */
  readonly before?: number | undefined;
}

/**
 * The names of inodes and directories, as they are and as they were. There may be a million: what was seen of a name is a row of
 * numbers, a second span of the same name another row.
 */
export class NameBook {
  /** The newest row of each inode; a row has the one before it. */
  readonly #heads = new NumberMap();
  readonly #rows = {
    next: NumberList.ofUint32(),
    parent: NumberList.ofUint32(),
    first: NumberList.ofUint32(),
    last: NumberList.ofUint32(),
    isSlack: NumberList.ofUint32(),
  };
  readonly #names: string[] = [];
  readonly #directories = new NumberMap();
  readonly #directoryParents = NumberList.ofUint32();
  readonly #directoryNames: string[] = [];
  /** Directories that no other one has an entry for. */
  readonly #tops = new SparseBitSet();

  /** A directory that is there, with its name; false when it was known already. */
  addDirectory(id: number, parent: number, name: string): boolean {
    if (id === ROOT_INODE || this.#directories.has(id) || this.#directories.size >= MAX_DIRECTORIES) return false;
    this.#directories.set(id, this.#directoryParents.push(parent));
    this.#directoryNames.push(name);
    return true;
  }

  /** A directory that is there and has no name: what is below it is told from there. */
  addTop(id: number): void {
    this.#tops.add(id);
  }

  add(id: number, parent: number, name: string, isSlack: boolean, { first, last, before }: Seen): void {
    const rows = this.#rows;
    let known = 0;
    let shared = name;
    for (const row of this.#rowsOf(id)) {
      known++;
      if (rows.parent.at(row) !== parent || this.#names[row] !== name) continue;
      if ((rows.isSlack.at(row) === 1) !== isSlack) continue;
      const [from, to] = [rows.first.at(row), rows.last.at(row)];
      if ((from <= first && first <= to) || to === before) {
        rows.last.set(row, Math.max(to, last));
        return;
      }
      shared = this.#names[row]!;
    }
    if (known >= (isSlack ? MAX_SLACK : MAX_SIGHTINGS) || this.#names.length >= MAX_NAMES) return;
    rows.parent.push(parent);
    rows.first.push(first);
    rows.last.push(last);
    rows.isSlack.push(isSlack ? 1 : 0);
    // Rows are counted from 1 here: 0 is the end.
    this.#heads.set(id, rows.next.push(this.#heads.get(id) ?? 0) + 1);
    this.#names.push(shared);
  }

  /**
   * The likeliest path: absolute; from the directory that no other one has an entry for (`#12/a`); the name alone when its
   * directory is not known; undefined without a name.
   */
  path(id: number, moment: Moment): string | undefined {
    const row = this.#best(id, moment);
    if (row === undefined) return undefined;
    const name = this.#names[row]!;
    const folder = this.#folder(this.#rows.parent.at(row), moment);
    return folder === undefined ? name : `${folder}/${name}`;
  }

  /** How many names are as likely as the one that `path` gives: an inode's number is used again, and slack does not say when. */
  nameCount(id: number, moment: Moment): number {
    const best = this.#best(id, moment);
    if (best === undefined) return 0;
    const least = this.#distance(best, moment);
    const names = new Set<string>();
    for (const row of this.#likelyRows(id, moment))
      if (this.#distance(row, moment) === least) names.add(`${this.#rows.parent.at(row)}/${this.#names[row]}`);
    return names.size;
  }

  #folder(id: number, moment: Moment): string | undefined {
    const names: string[] = [];
    let here = id;
    for (let depth = 0; here !== ROOT_INODE; depth++) {
      if (depth > MAX_DEPTH) return undefined;
      const directory = this.#directories.get(here);
      // Whether the directory's own inode was used again is not known here.
      const row = directory === undefined ? this.#best(here, { ...moment, reusedBy: undefined }) : undefined;
      if (directory !== undefined) {
        names.push(this.#directoryNames[directory]!);
        here = this.#directoryParents.at(directory);
      } else if (row !== undefined) {
        names.push(this.#names[row]!);
        here = this.#rows.parent.at(row);
      } else if (this.#tops.has(here)) {
        return [topName(here), ...names.reverse()].join('/');
      } else return undefined;
    }
    return names
      .reverse()
      .map((name) => `/${name}`)
      .join('');
  }

  #best(id: number, moment: Moment): number | undefined {
    let best: number | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const row of this.#likelyRows(id, moment)) {
      const distance = this.#distance(row, moment);
      // Of equals the one that was seen first: rows come in the opposite order.
      if (distance > least) continue;
      best = row;
      least = distance;
    }
    return best;
  }

  *#rowsOf(id: number): Generator<number, void> {
    for (let row = this.#heads.get(id) ?? 0; row > 0; row = this.#rows.next.at(row - 1)) yield row - 1;
  }

  /** Those that may be of the file that it was then. */
  *#likelyRows(id: number, moment: Moment): Generator<number, void> {
    for (const row of this.#rowsOf(id)) if (!this.#isOfNextLife(row, id, moment)) yield row;
  }

  /** Whether it is the name that the inode has now, as another file, and was never seen while it was this one. */
  #isOfNextLife(row: number, id: number, { order, endOrder, reusedBy }: Moment): boolean {
    const { parent, first, last, isSlack } = this.#rows;
    if (reusedBy === undefined || isSlack.at(row) === 1) return false;
    let isNow = false;
    for (const one of this.#rowsOf(id)) {
      const isSame =
        this.#names[one] === this.#names[row] && parent.at(one) === parent.at(row) && isSlack.at(one) === 0;
      if (!isSame) continue;
      if (first.at(one) < (endOrder ?? order + 1)) return false;
      isNow ||= last.at(one) === reusedBy;
    }
    return isNow;
  }

  #distance(row: number, { order, endOrder }: Moment): number {
    const [first, last] = [this.#rows.first.at(row), this.#rows.last.at(row)];
    const isSlack = this.#rows.isSlack.at(row) === 1;
    const apart = Math.max(first - order, order - last, 0);
    const isLater = endOrder !== undefined && !isSlack && first >= endOrder;
    return apart + (isLater ? LATER_DISTANCE : 0) + (isSlack ? SLACK_DISTANCE : 0);
  }
}

/** What a directory without a name is called: as e2fsck does in lost+found. */
export function topName(id: number): string {
  return `#${id}`;
}
