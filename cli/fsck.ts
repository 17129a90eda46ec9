/** `coopfs fsck`: prints the geometry of a disk image and checks all of it. */

import { Command } from 'commander';
import { checkImage, type CheckReport } from '../fileserver/disk/check_image.ts';
import { print, runs, withExamples } from './action.ts';
import { EXIT } from './exit_status.ts';
import { geometryInWords } from './format.ts';
import { declareOptions, resolveOptions } from './options.ts';
import { counted } from './text_table.ts';

const NAMES = ['disk', 'json'] as const;

/** The report for people: geometry and state, then one line for each finding, then the verdict. */
const reportAsText = (disk: string, report: CheckReport): string[] => {
  const { geometry, volumeId, clusterEpoch, findings, cutShort } = report;
  const lines = geometry === undefined ? [] : [`geometry   ${geometryInWords(geometry)}`];
  if (volumeId !== undefined) lines.push(`volume     ${volumeId}`);
  if (clusterEpoch !== undefined) lines.push(`epoch      ${clusterEpoch}`);
  // Without a geometry there is nothing that these lines could count.
  if (geometry === undefined) {
    lines.push(
      ...findings.map(({ place, offset, problem }) => `! ${place}, at byte ${offset}: ${problem}`),
    );
    return [...lines, `${disk} is no disk image, or too damaged to be read as one`];
  }
  lines.push(
    `journal    ${counted(report.recordsToReplay, 'record')} to replay`,
    `dirty      ${counted(report.markedFiles, 'file')} marked: newer in the memories of nodes`,
    ...findings.map(({ place, offset, problem }) => `! ${place}, at byte ${offset}: ${problem}`),
  );
  const checked = counted(report.blocksChecked, 'block');
  const more = cutShort ? ' at least' : '';
  lines.push(
    findings.length === 0
      ? `${disk} is sound (${checked} checked)`
      : `${disk} is damaged:${more} ${counted(findings.length, 'problem')} (${checked} checked)`,
  );
  return lines;
};

export const fsckCommand = (): Command => {
  const command = declareOptions(
    new Command('fsck').description('print the geometry of a disk image and check all of it'),
    NAMES,
  );
  withExamples(command, [
    ['coopfs fsck --disk disk.img', 'exit status 0: sound, 1: damaged or no image'],
  ]);
  return runs(command, async () => {
    const { disk, json } = resolveOptions(command, NAMES, ['disk']);
    const report = await checkImage(disk);
    if (json) print(JSON.stringify(report));
    else print(...reportAsText(disk, report));
    return report.findings.length === 0 ? EXIT.ok : EXIT.failed;
  });
};
