/** A name of an inode that was seen in a directory: in which transactions, and whether as a living entry. */
interface Sighting {
  readonly parent: number;
  readonly name: string;
  /** What deletion left of an entry: it was right at some time before. */
  readonly isSlack: boolean;
  /** The transactions that had it, from one to another, by their places in the history: between them it may have been another's. */
  readonly spans: { readonly first: number; readonly last: number }[];
}

/** Names of one inode that are kept: an inode's number is used again and again. What slack has is worth less. */
const MAX_SIGHTINGS = 256;
const MAX_SLACK = 16;
/** What was seen in all. */
const MAX_NAMES = 2 ** 22;
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

/** The names of inodes and directories, as they are and as they were. */
export class NameBook {
  readonly #sightings = new Map<number, Sighting[]>();
  readonly #directories = new Map<number, { readonly parent: number; readonly name: string }>();

  #count = 0;

  /** A directory that is there, with its name; false when it was known already. */
  addDirectory(id: number, parent: number, name: string): boolean {
    if (id === ROOT_INODE || this.#directories.has(id) || this.#directories.size >= MAX_DIRECTORIES) return false;
    this.#directories.set(id, { parent, name });
    return true;
  }

  add(id: number, parent: number, name: string, isSlack: boolean, last: number, first: number = last): void {
    const known = this.#sightings.get(id) ?? [];
    const same = known.find((one) => one.parent === parent && one.name === name && one.isSlack === isSlack);
    if (this.#count >= MAX_NAMES) return;
    if (same !== undefined) same.spans.push({ first, last });
    else if (known.length < (isSlack ? MAX_SLACK : MAX_SIGHTINGS)) {
      known.push({ parent, name, isSlack, spans: [{ first, last }] });
      this.#sightings.set(id, known);
    }
    this.#count++;
  }

  /** The likeliest path: absolute, or the name alone when its directory is not known; undefined without a name. */
  path(id: number, moment: Moment): string | undefined {
    const sighting = this.#best(id, moment);
    if (sighting === undefined) return undefined;
    const folder = this.#folder(sighting.parent, moment);
    return folder === undefined ? sighting.name : `${folder}/${sighting.name}`;
  }

  /** How many names are as likely as the one that `path` gives: an inode's number is used again, and slack does not say when. */
  nameCount(id: number, moment: Moment): number {
    const known = this.#sightings.get(id) ?? [];
    const least = Math.min(...known.map((sighting) => distance(sighting, moment)));
    if (least === Number.POSITIVE_INFINITY) return 0;
    return known.filter((sighting) => distance(sighting, moment) === least).length;
  }

  #folder(id: number, moment: Moment): string | undefined {
    const names: string[] = [];
    let here = id;
    for (let depth = 0; here !== ROOT_INODE; depth++) {
      // Whether the directory's own inode was used again is not known here.
      const next = this.#directories.get(here) ?? this.#best(here, { ...moment, reusedBy: undefined });
      if (next === undefined || depth > MAX_DEPTH) return undefined;
      names.push(next.name);
      here = next.parent;
    }
    return names
      .reverse()
      .map((name) => `/${name}`)
      .join('');
  }

  #best(id: number, moment: Moment): Sighting | undefined {
    let best: Sighting | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const sighting of this.#sightings.get(id) ?? []) {
      const apart = distance(sighting, moment);
      if (apart < least) {
        best = sighting;
        least = apart;
      }
    }
    return best;
  }
}

/** How far from the moment a name was seen; infinite for what is known to be another file's. */
function distance(sighting: Sighting, moment: Moment): number {
  const { spans, isSlack } = sighting;
  const { order, endOrder } = moment;
  let least = Number.POSITIVE_INFINITY;
  if (isOfNextLife(sighting, moment)) return least;
  for (const { first, last } of spans) {
    const apart = Math.max(first - order, order - last, 0);
    const isLater = endOrder !== undefined && !isSlack && first >= endOrder;
    least = Math.min(least, apart + (isLater ? LATER_DISTANCE : 0));
  }
  return least + (isSlack ? SLACK_DISTANCE : 0);
}

/** Whether it is the name that the inode has now, as another file, and was never seen while it was this one. */
function isOfNextLife({ spans, isSlack }: Sighting, { order, endOrder, reusedBy }: Moment): boolean {
  if (reusedBy === undefined || isSlack || !spans.some(({ last }) => last === reusedBy)) return false;
  return spans.every(({ first }) => first >= (endOrder ?? order + 1));
}
