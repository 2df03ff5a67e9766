import { openContainer } from '../../../../src/core/container/formats.ts';
import {
  type Container,
  type ContainerOptions,
  type Diagnostic,
  MemoryDevice,
  type OpenContext,
} from '../../../../src/core/index.ts';
import { fixtureBytes, fixtureFacts } from '../../../helpers/fixtures.ts';
import type { QemuMapEntry } from './map-rows.ts';

/** What build.sh wrote beside a fixture. */
export interface Qcow2Facts {
  readonly sha256: string;
  /** Of an encrypted image. */
  readonly passphrase?: string;
  readonly map: readonly QemuMapEntry[];
  readonly info: {
    readonly 'virtual-size': number;
    readonly 'cluster-size': number;
    readonly 'backing-filename'?: string;
    readonly 'backing-filename-format'?: string;
    readonly snapshots?: readonly { readonly id: string; readonly name: string }[];
    readonly 'format-specific': {
      readonly data: { readonly compat: string; readonly 'compression-type': string; readonly 'refcount-bits': number };
    };
  };
}

export function qcow2Facts(name: string): Promise<Qcow2Facts> {
  return fixtureFacts<Qcow2Facts>(`qcow2/${name}`);
}

export type KeptDiagnostics = OpenContext & { readonly diagnostics: Diagnostic[] };

/** A context that opens backing files from the fixtures in memory and keeps diagnostics. */
export function fixtureContext(): KeptDiagnostics {
  const context: KeptDiagnostics = {
    diagnostics: [],
    report: (diagnostic) => context.diagnostics.push(diagnostic),
    openReference: async ({ name, format }) =>
      openContainer(new MemoryDevice(await fixtureBytes(`qcow2/${name}`)), context, format),
  };
  return context;
}

/** A fixture, with its passphrase if it has one and unless the options say otherwise. */
export async function openFixture(name: string, options?: ContainerOptions): Promise<Container> {
  const { passphrase } = await qcow2Facts(name);
  return openBytes(await fixtureBytes(`qcow2/${name}`), fixtureContext(), options ?? { passphrase });
}

/** An image in memory, opened by its magic. */
export function openBytes(
  bytes: Uint8Array,
  context: OpenContext = fixtureContext(),
  options?: ContainerOptions,
): Promise<Container> {
  return openContainer(new MemoryDevice(bytes), context, undefined, options);
}
