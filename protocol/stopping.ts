/** What both daemons have in common when they stop. */

/** How long an orderly stop may take before a daemon goes with what could not be saved. */
export const STOP_LIMIT_MS = 10_000;

/** How many files are named; a volume may have millions. */
const NAMED_FILES = 20;

/** "file 7", "files 1, 2 and 3 more". */
export const filesInWords = (files: readonly number[]): string => {
  const named = files.slice(0, NAMED_FILES).join(', ');
  const more = files.length > NAMED_FILES ? ` and ${files.length - NAMED_FILES} more` : '';
  return `${files.length === 1 ? 'file' : 'files'} ${named}${more}`;
};
