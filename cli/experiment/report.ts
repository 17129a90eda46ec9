/** The report: one HTML page with everything in it, readable in light and dark. Pure. */

import { escapeText, plotAsSvg, type Plot, type Series } from './plot.ts';

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** What one experiment has found out. */
export interface Section {
  readonly name: string;
  readonly title: string;
  /** Paragraphs: what was done, and how to read it. */
  readonly says: readonly string[];
  readonly plots: readonly Plot[];
  readonly tables: readonly Table[];
  /** Everything that was measured, for the file of data. */
  readonly data: unknown;
  /** Why it was left out, or is not whole. */
  readonly missing: string | undefined;
}

export interface Report {
  /** Names and values: machine, time, seed. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly sections: readonly Section[];
  /** Why it is partial; undefined if it is whole. */
  readonly partial: string | undefined;
  /** The name of the file beside it that holds the data. */
  readonly dataFile: string;
}

/** Each for a light and a dark page. */
const COLOURS = [
  ['#1d4ed8', '#7aa5ff'],
  ['#c2410c', '#ff9d5c'],
  ['#15803d', '#5fd38a'],
  ['#7e22ce', '#c99bff'],
  ['#0e7490', '#5fd3e6'],
  ['#be123c', '#ff8aa5'],
] as const;

const variables = (dark: 0 | 1): string =>
  COLOURS.map((pair, index) => `--c${index}:${pair[dark]}`).join(';');

const STYLE = `
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1b2430;--soft:#5b6675;--rule:#e0e4ea;
--warn:#fff4d6;--warn-ink:#7a4b00;--profile:#d97706;--partition:#be123c;--paused:#7e22ce;--down:#334155;${variables(0)}}
@media(prefers-color-scheme:dark){:root{--page:#11151b;--card:#191f28;--ink:#e6eaf0;--soft:#98a4b3;--rule:#2b3441;
--warn:#3a2d10;--warn-ink:#ffd98a;--profile:#fbbf24;--partition:#ff6f91;--paused:#c99bff;--down:#cbd5e1;${variables(1)}}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1360px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:1.9rem;margin:0 0 4px;letter-spacing:-.01em}h2{font-size:1.35rem;margin:0 0 8px}
.lead{color:var(--soft);margin:0 0 20px;max-width:75ch}
section{background:var(--card);border:1px solid var(--rule);border-radius:14px;padding:24px;margin:24px 0}
section p{max-width:85ch;margin:.4em 0}
.facts{display:flex;flex-wrap:wrap;gap:8px 28px;margin:0 0 8px;padding:0}
.facts div{min-width:9em}.facts dt{color:var(--soft);font-size:.78rem;text-transform:uppercase;letter-spacing:.05em}
.facts dd{margin:0;font-weight:600;overflow-wrap:anywhere}
nav a{margin-right:14px}a{color:var(--c0)}
.warn{background:var(--warn);color:var(--warn-ink);border-radius:10px;padding:10px 14px;margin:12px 0}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,480px),1fr));gap:24px;margin-top:16px}
.plots.one{grid-template-columns:minmax(0,760px)}
figure{margin:0}figcaption{font-weight:600;margin-bottom:2px}
svg{width:100%;height:auto;display:block;font-size:12px}
svg text{fill:var(--ink)}svg .tick{fill:var(--soft)}svg .label{fill:var(--soft);font-size:12.5px}
.grid{stroke:var(--rule)}.axis{stroke:var(--soft)}
.series polyline{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}
.series circle{fill:currentColor;stroke:var(--card);stroke-width:1}
.series.dashed polyline{stroke-dasharray:6 4;opacity:.85}
.series.dashed circle{fill:var(--card);stroke:currentColor;stroke-width:1.5}
.series.dots circle{stroke:none;opacity:.55}
${COLOURS.map((_, index) => `.c${index}{color:var(--c${index})}`).join('')}
.band .back{fill:currentColor;opacity:.1}.band .bar{fill:currentColor;opacity:.28}.band text{font-size:11px}
.band.profile{color:var(--profile)}.band.partition{color:var(--partition)}
.band.paused{color:var(--paused)}.band.down{color:var(--down)}
.legend{display:flex;flex-wrap:wrap;gap:2px 16px;font-size:.86rem;color:var(--soft)}
.legend i{display:inline-block;width:22px;height:0;border-top:3px solid currentColor;vertical-align:middle;margin-right:6px}
.legend i.dashed{border-top-style:dashed}.legend i.dots{width:8px;height:8px;border:0;border-radius:50%;background:currentColor}
.legend span span{color:var(--soft)}
.scroll{overflow-x:auto;margin-top:16px}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:5px 14px 5px 0;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
th{color:var(--soft);font-weight:600}th:first-child,td:first-child{text-align:left}
footer{color:var(--soft);font-size:.88rem}
`;

const legend = (series: readonly Series[]): string =>
  series
    .map(
      ({ name, colour, kind }) =>
        `<span class="c${colour}"><i class="${kind}"></i><span>${escapeText(name)}</span></span>`,
    )
    .join('');

const figure = (plot: Plot): string =>
  `<figure><figcaption>${escapeText(plot.title)}</figcaption>` +
  `<div class="legend">${legend(plot.series)}</div>\n${plotAsSvg(plot)}</figure>`;

const tableAsHtml = ({ head, rows }: Table): string => {
  const row = (cells: readonly string[], tag: 'th' | 'td'): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeText(cell)}</${tag}>`).join('')}</tr>`;
  return (
    `<div class="scroll"><table><thead>${row(head, 'th')}</thead>` +
    `<tbody>${rows.map((cells) => row(cells, 'td')).join('\n')}</tbody></table></div>`
  );
};

const warning = (text: string | undefined): string =>
  text === undefined ? '' : `<p class="warn">${escapeText(text)}</p>`;

const sectionAsHtml = ({ name, title, says, plots, tables, missing }: Section): string =>
  [
    `<section id="${escapeText(name)}"><h2>${escapeText(title)}</h2>`,
    ...says.map((each) => `<p>${escapeText(each)}</p>`),
    warning(missing),
    plots.length === 0
      ? ''
      : `<div class="plots${plots.length === 1 ? ' one' : ''}">${plots.map(figure).join('\n')}</div>`,
    ...tables.map(tableAsHtml),
    '</section>',
  ].join('\n');

/** The page. Whatever was measured is in the data file, too. */
export const reportAsHtml = ({ facts, sections, partial, dataFile }: Report): string =>
  [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width,initial-scale=1">',
    `<title>coopfs: netem experiments</title><style>${STYLE}</style></head><body><main>`,
    '<h1>coopfs: netem experiments</h1>',
    '<p class="lead">What a bad network and dying nodes do to rudp and to a cluster, measured on one machine.</p>',
    warning(partial),
    `<dl class="facts">${facts
      .map(
        ([name, value]) => `<div><dt>${escapeText(name)}</dt><dd>${escapeText(value)}</dd></div>`,
      )
      .join('')}</dl>`,
    `<nav>${sections
      .map(({ name, title }) => `<a href="#${escapeText(name)}">${escapeText(title)}</a>`)
      .join('')}</nav>`,
    ...sections.map(sectionAsHtml),
    `<footer>All figures are in <a href="${escapeText(dataFile)}">${escapeText(dataFile)}</a>, beside this page.`,
    'Figures of one machine are for comparison with one another, not with those of others.</footer>',
    '</main></body></html>',
    '',
  ].join('\n');
