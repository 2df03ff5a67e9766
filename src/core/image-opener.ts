import path from 'node:path';
import type { Container, ContainerOptions, WritableContainer } from './container/container.ts';
import { openContainer, openWritableContainer } from './container/formats.ts';
import { RawContainer } from './container/raw.ts';
import { type BlockDevice, DEFAULT_SECTOR_SIZE, type ResizableBlockDevice } from './device/block-device.ts';
import { FileDevice } from './device/file-device.ts';
import { MemoryDevice } from './device/memory-device.ts';
import { corrupt, DiskError, errorInFile, unsupported } from './errors.ts';
import type { Diagnostic, OpenContext, Reference } from './format.ts';
import { formatView, type View } from './locator.ts';
import {
  fileBesideLink,
  locateReference,
  type ReferencePolicy,
  referenceDetails,
  referenceError,
  resolveReference,
} from './references.ts';

/** Diagnostics that are kept; a hostile image could give cause for any number. */
const MAX_DIAGNOSTICS = 1000;

/** Backing chains deeper than this are refused; QEMU's own limit is 200. */
const MAX_CHAIN_DEPTH = 200;

export interface OpenOptions extends ReferencePolicy, ContainerOptions {
  /** Bytes; for images that do not say (raw). */
  readonly sectorSize?: number | undefined;
  /** The container format instead of the one that the magic bytes tell. */
  readonly format?: string | undefined;
  /**
   * `open` (the default), or `none`: a backing file is left alone, and what only it has reads as zeros. For an image whose
   * backing file is lost or not wanted; whatever is read this way is not what the machine saw.
   */
  readonly backing?: 'open' | 'none' | undefined;
  /** See `OpenContext.strict`. */
  readonly strict?: boolean | undefined;
  /** The DOS code page of the short names and labels of FAT, by its number: one of `codePageNames`; 437 unless given. */
  readonly codePage?: string | undefined;
}

/** A file that the image, or a layer of it, names: what became of it, and why. */
export interface ReferenceRecord {
  readonly kind: Reference['kind'];
  /** As the image has it. */
  readonly name: string;
  /** The path of the image file that names it. */
  readonly from: string;
  /** Where it was found, symbolic links resolved; undefined when it was refused before. */
  readonly path: string | undefined;
  /** The format it was opened as. */
  readonly format: string | undefined;
  /** What allowed it (`beside the image`), or what kept it closed. */
  readonly rule: string;
  readonly opened: boolean;
}

/** The files of an image, opened once each, with the one policy; closes them in reverse. */
export class ImageOpener implements AsyncDisposable {
  readonly file: FileDevice;
  readonly options: OpenOptions;
  readonly diagnostics: Diagnostic[] = [];
  /** The image's path, whose folder relative names start from; undefined for an image that lies in no folder. */
  readonly #place: string | undefined;
  readonly #records: Writable<ReferenceRecord>[] = [];
  readonly #stack = new AsyncDisposableStack();
  /** Layers by file and format: the views of an image share what lies below them. */
  readonly #layers = new Map<string, Promise<BlockDevice>>();

  constructor(file: FileDevice, place: string | undefined, options: OpenOptions) {
    this.file = this.#stack.use(file);
    this.#place = place;
    this.options = options;
  }

  get references(): readonly ReferenceRecord[] {
    return this.#records;
  }

  /** Opens the image's own file as a container; it is closed with the opener. */
  async openContainer(options: ContainerOptions): Promise<Container> {
    return this.#stack.use(await openContainer(this.file, this.contextFor(undefined), this.options.format, options));
  }

  /** The same to write to it, by way of `file`: the image's own, or what keeps its changes; backing files are only read. */
  async openWritableContainer(file: ResizableBlockDevice): Promise<WritableContainer> {
    return this.#stack.use(await openWritableContainer(file, this.contextFor(undefined), this.options.format));
  }

  /** For the image's own file, and for what opens later: the partition table, filesystems, those of a view too. */
  contextFor(view: View | undefined): OpenContext {
    const { log, strict, codePage } = this.options;
    const context = {
      ...this.#context({ path: this.file.path, place: this.#place, chain: [this.file.identity] }),
      log,
      strict,
      codePage,
    };
    if (view === undefined) return context;
    return {
      ...context,
      log: view.kind === 'log' ? view.log : log,
      report: (diagnostic) => this.#report({ ...diagnostic, view: formatView(view) }),
    };
  }

  #context(link: ChainLink): OpenContext {
    const depth = link.chain.length - 1;
    return {
      report: (diagnostic) => this.#report(depth === 0 ? diagnostic : { ...diagnostic, view: `layer=${depth}` }),
      openReference: (reference) => this.#openReference(reference, link),
    };
  }

  #report(diagnostic: Diagnostic): void {
    const { diagnostics } = this;
    // A view reads the header of the image again, and meets what was met before.
    const isNew = diagnostics.length <= MAX_DIAGNOSTICS && !diagnostics.some((known) => isSame(known, diagnostic));
    if (!isNew) return;
    if (diagnostics.length < MAX_DIAGNOSTICS) diagnostics.push(diagnostic);
    else diagnostics.push({ layer: 'image', message: 'there is more that is odd than is listed here' });
  }

  async #openReference(reference: Reference, link: ChainLink): Promise<BlockDevice> {
    const { kind, name } = reference;
    const record = this.#recordFor({ kind, name, from: link.path });
    if (kind === 'backing file' && this.options.backing === 'none') {
      record.rule = 'left out, as asked';
      // Not opened, but still a file that the image stands on: whoever writes beside it must be able to tell.
      record.path = await locateReference(reference, link.place).then(
        ({ target }) => target,
        () => undefined,
      );
      return this.#emptyLayer(reference);
    }
    if (kind === 'parent' && this.options.backing === 'none') {
      const expected = 'an image that can be read without what is below it';
      // Not the reference's own failure, after which a parent is looked for under its other names.
      throw unsupported({ ...referenceDetails(reference), layer: 'image', expected, found: 'a differencing disk' });
    }
    try {
      const allowed = await resolveReference(reference, link.place, this.options);
      record.path = allowed.path;
      await this.#reportBesideLink(reference, allowed.path, link);
      const device = await this.#openLayer(reference, allowed.path, link);
      record.format = 'format' in device ? String(device.format) : undefined;
      record.rule = allowed.rule;
      record.opened = true;
      return device;
    } catch (cause) {
      const error = referenceError(cause, reference);
      record.rule = error instanceof DiskError ? error.message : String(error);
      throw error;
    }
  }

  /** Where to note what becomes of a reference, in the order that they are met; a view asks for the same ones again. */
  #recordFor(named: Pick<ReferenceRecord, 'kind' | 'name' | 'from'>): Writable<ReferenceRecord> {
    const known = this.#records.find(
      ({ kind, name, from }) => kind === named.kind && name === named.name && from === named.from,
    );
    const record = known ?? { ...named, path: undefined, format: undefined, rule: '', opened: false };
    if (known === undefined && this.#records.length < MAX_CHAIN_DEPTH) this.#records.push(record);
    return record;
  }

  async #reportBesideLink(reference: Reference, target: string, link: ChainLink): Promise<void> {
    const other = await fileBesideLink(reference, link.place, target);
    if (other === undefined) return;
    const { layer, structure, offset } = referenceDetails(reference);
    const message = `QEMU would take ${other}, beside the link that the image was opened by; ${target} lies beside the image`;
    this.#report({ layer, structure, offset, message });
  }

  /** A layer without a byte: reads past the end of a backing file are zeros. */
  #emptyLayer({ name, offset }: Reference): BlockDevice {
    this.#report({
      layer: 'image',
      structure: 'backing file',
      offset,
      message: `${name} was left out: what the image itself does not have reads as zeros`,
    });
    const nothing = new MemoryDevice(new Uint8Array(0), this.file.sectorSize);
    return new RawContainer(nothing, [{ key: 'leftOut', value: true }]);
  }

  async #openLayer(reference: Reference, target: string, link: ChainLink): Promise<BlockDevice> {
    const file = this.#stack.use(await FileDevice.open(target, fileOptions(this.options)));
    const details = referenceDetails(reference);
    if (link.chain.includes(file.identity))
      throw corrupt({ ...details, expected: 'a chain that ends', found: `${path.basename(target)} again` });
    if (link.chain.length >= MAX_CHAIN_DEPTH)
      throw corrupt({ ...details, expected: `a chain of at most ${MAX_CHAIN_DEPTH} images`, found: 'more' });
    const key = `${file.identity} ${reference.format ?? ''}`;
    const known = this.#layers.get(key);
    if (known !== undefined) {
      await file[Symbol.asyncDispose]();
      return known;
    }
    const context = this.#context({ path: target, place: target, chain: [...link.chain, file.identity] });
    const { passphrase, offeredPassphrase = passphrase } = this.options;
    // How blocks that were given back are read is a choice for the disk, whichever of its files they are in.
    const unmapped = reference.kind === 'parent' ? this.options.unmapped : undefined;
    const opening = openContainer(file, context, reference.format, { offeredPassphrase, unmapped }).then(
      (container) => this.#stack.use(container),
      (error: unknown) => {
        throw errorInFile(error, target, details.remedies);
      },
    );
    this.#layers.set(key, opening);
    opening.catch(() => this.#layers.delete(key));
    return opening;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

function isSame(left: Diagnostic, right: Diagnostic): boolean {
  return (['layer', 'structure', 'offset', 'message', 'view'] as const).every((field) => left[field] === right[field]);
}

type Writable<Value> = { -readonly [Key in keyof Value]: Value[Key] };

interface ChainLink {
  /** The path of the file that names a reference. */
  readonly path: string;
  /** The same; undefined when it came without a folder. */
  readonly place: string | undefined;
  /** The identities of the files from the opened image down to this one. */
  readonly chain: readonly string[];
}

export function fileOptions(options: OpenOptions): { sectorSize: number } {
  return { sectorSize: options.sectorSize ?? DEFAULT_SECTOR_SIZE };
}
