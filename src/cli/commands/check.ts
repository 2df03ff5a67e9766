import { escapeText, escapeUnprintable, type Finding, type Severity, severityText } from '../../core/index.ts';
import { addImageCommand, type Host, targetOf } from '../image-command.ts';
import { filesystemsOf, type Mounted, volumeName } from '../mounted.ts';
import type { Session } from '../session.ts';

export function registerCheck(host: Host): void {
  addImageCommand(host, {
    usage: 'check <image> [locator]',
    description: 'whether the filesystems are consistent, as fsck -n would say; changes nothing',
    examples: ['sectorscope check disk.qcow2', "sectorscope check --json disk.qcow2 p2 | jq '.[].code'"],
    action: async (image, [locator], options, session) => {
      const target = await targetOf(image, locator, session);
      const mounted = await filesystemsOf(target, session);
      if (options.json === true) await session.output.jsonArray(findingsJson(mounted, session));
      else for (const one of mounted) await printFindings(one, session);
    },
  });
}

async function* findings({ volume, filesystem }: Mounted, session: Session): AsyncGenerator<Finding, void> {
  const progress = session.progress(`Checking ${volumeName(volume)}`);
  try {
    for await (const finding of filesystem.check({ signal: session.signal, onProgress: progress.update })) {
      progress.end();
      if (finding.severity === 'error') session.markNotable();
      yield finding;
    }
  } finally {
    progress.end();
  }
}

async function* findingsJson(mounted: readonly Mounted[], session: Session): AsyncGenerator<unknown, void> {
  for (const one of mounted)
    for await (const finding of findings(one, session))
      yield { volume: one.volume.name, type: one.filesystem.type, ...finding };
}

async function printFindings(one: Mounted, session: Session): Promise<void> {
  const { output } = session;
  const counts: Record<Severity, number> = { error: 0, warning: 0, note: 0 };
  const name = volumeName(one.volume);
  for await (const finding of findings(one, session)) {
    counts[finding.severity]++;
    await output.print(`${name}: ${findingLine(finding)}`);
  }
  const found = severityText(counts);
  const verdict = `${counts.error === 0 ? 'consistent' : 'not consistent'}${found === '' ? '' : `: ${found}`}`;
  await output.print(`${name}: ${one.filesystem.type} is ${verdict}`);
}

function findingLine({ severity, structure, offset, message, owners }: Finding): string {
  const place = offset === undefined ? '' : ` at offset 0x${offset.toString(16)}`;
  const concerned = owners === undefined || owners.length === 0 ? '' : ` (${owners.map(escapeText).join(', ')})`;
  return `${severity}: ${structure}${place}: ${escapeUnprintable(message)}${concerned}`;
}
