/** Plots as SVG: axes with units, lines, dots, and bands behind them. Pure: figures in, text out. */

export interface Axis {
  readonly label: string;
  /** Logarithmic; what is not above 0 is left out then. */
  readonly log?: boolean;
  /** Where it begins and ends at least. */
  readonly from?: number;
  readonly to?: number;
}

export interface Series {
  readonly name: string;
  /** One of the colours of the report, from 0. */
  readonly colour: number;
  readonly kind: 'line' | 'dashed' | 'dots';
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface PlotBand {
  readonly label: string;
  readonly kind: string;
  readonly from: number;
  readonly to: number;
}

export interface Plot {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  readonly bands?: readonly PlotBand[];
}

const WIDTH = 620;
const HEIGHT = 330;
const LEFT = 64;
const RIGHT = 18;
const TOP = 14;
const BOTTOM = 48;
const LANE = 17;
const TICKS = 6;

export const escapeText = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');

/** Three digits that count. */
export const shortNumber = (value: number): string => {
  if (!Number.isFinite(value)) return '–';
  if (value !== 0 && Math.abs(value) < 0.001) return value.toExponential(0);
  return Math.abs(value) >= 1000
    ? Math.round(value).toLocaleString('en')
    : String(Number(value.toPrecision(3)));
};

/** 1, 2 or 5 times a power of ten, so that there are about `TICKS` steps. */
const niceStep = (range: number): number => {
  const rough = range / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((each) => each * power >= rough) ?? 10;
  return factor * power;
};

export interface Scale {
  /** A value's place, from 0 to 1. */
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

const linearScale = (least: number, greatest: number): Scale => {
  const step = niceStep(greatest > least ? greatest - least : 1);
  const first = Math.floor(least / step + 1e-9) * step;
  const count = Math.max(1, Math.ceil((greatest - first) / step - 1e-9));
  const ticks = Array.from({ length: count + 1 }, (_, index) =>
    Number((first + index * step).toPrecision(12)),
  );
  return { at: (value) => (value - first) / (count * step), ticks };
};

const logScale = (least: number, greatest: number): Scale => {
  const first = Math.floor(Math.log10(least));
  const last = Math.max(first + 1, Math.ceil(Math.log10(greatest)));
  const within = last - first <= 2 ? [1, 2, 5] : [1];
  const ticks: number[] = [];
  for (let power = first; power <= last; power += 1) {
    for (const factor of within) ticks.push(Number((factor * 10 ** power).toPrecision(6)));
  }
  return {
    at: (value) => (Math.log10(value) - first) / (last - first),
    ticks: ticks.filter((tick) => tick <= 10 ** last),
  };
};

/** The scale of an axis for these values. */
export const scaleOf = (axis: Axis, values: readonly number[]): Scale => {
  const fit = values.filter((value) => Number.isFinite(value) && (axis.log !== true || value > 0));
  const least = Math.min(axis.from ?? Infinity, ...fit);
  const greatest = Math.max(axis.to ?? -Infinity, ...fit);
  if (least > greatest) return linearScale(0, 1);
  return axis.log === true ? logScale(least, greatest) : linearScale(least, greatest);
};

interface Frame {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  readonly top: number;
}

const px = (value: number): string => value.toFixed(1);

/** Bands that overlap get labels below one another. */
export const lanesOf = (bands: readonly PlotBand[]): readonly number[] => {
  const ends: number[] = [];
  return bands.map(({ from, to }) => {
    const free = ends.findIndex((end) => end <= from);
    const lane = free < 0 ? ends.length : free;
    ends[lane] = to;
    return lane;
  });
};

const bandShapes = (bands: readonly PlotBand[], { x }: Frame): string[] => {
  const lanes = lanesOf(bands);
  const bottom = HEIGHT - BOTTOM;
  return bands.map(({ label, kind, from, to }, index) => {
    const left = x(from);
    const width = Math.max(1, x(to) - left);
    const top = TOP + (lanes[index] ?? 0) * LANE;
    const text = escapeText(label);
    return (
      `<g class="band ${escapeText(kind)}"><title>${text}, ${shortNumber(from)} to ${shortNumber(to)} s</title>` +
      `<rect class="back" x="${px(left)}" y="${px(top)}" width="${px(width)}" height="${px(bottom - top)}"/>` +
      `<rect class="bar" x="${px(left)}" y="${px(top)}" width="${px(width)}" height="${LANE - 2}"/>` +
      `<text x="${px(left + 4)}" y="${px(top + LANE - 6)}">${text}</text></g>`
    );
  });
};

const axes = (plot: Plot, x: Scale, y: Scale, frame: Frame): string[] => {
  const bottom = HEIGHT - BOTTOM;
  const right = WIDTH - RIGHT;
  const middle = (frame.top + bottom) / 2;
  return [
    ...y.ticks.map((tick) => {
      const at = px(frame.y(tick));
      return (
        `<line class="grid" x1="${LEFT}" x2="${right}" y1="${at}" y2="${at}"/>` +
        `<text class="tick" x="${LEFT - 7}" y="${at}" dy="0.35em" text-anchor="end">${shortNumber(tick)}</text>`
      );
    }),
    ...x.ticks.map((tick) => {
      const at = px(frame.x(tick));
      return (
        `<line class="axis" x1="${at}" x2="${at}" y1="${bottom}" y2="${bottom + 5}"/>` +
        `<text class="tick" x="${at}" y="${bottom + 18}" text-anchor="middle">${shortNumber(tick)}</text>`
      );
    }),
    `<line class="axis" x1="${LEFT}" x2="${right}" y1="${bottom}" y2="${bottom}"/>`,
    `<text class="label" x="${(LEFT + right) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${escapeText(plot.x.label)}</text>`,
    `<text class="label" transform="translate(14 ${px(middle)}) rotate(-90)" text-anchor="middle">${escapeText(plot.y.label)}</text>`,
  ];
};

const seriesShape = (series: Series, plot: Plot, { x, y }: Frame): string => {
  const { kind, colour, name } = series;
  const points = series.points.filter(
    ([at, value]) =>
      Number.isFinite(value) &&
      (plot.y.log !== true || value > 0) &&
      (plot.x.log !== true || at > 0),
  );
  const path = points.map(([at, value]) => `${px(x(at))},${px(y(value))}`).join(' ');
  const line = kind === 'dots' ? '' : `<polyline points="${path}"/>`;
  const radius = kind === 'dots' ? 2.2 : 3;
  const marks = points.map(
    ([at, value]) =>
      `<circle cx="${px(x(at))}" cy="${px(y(value))}" r="${radius}">` +
      // Of thousands of dots nobody wants the name of each.
      (kind === 'dots'
        ? '</circle>'
        : `<title>${escapeText(name)}: ${shortNumber(value)} at ${shortNumber(at)}</title></circle>`),
  );
  return `<g class="series c${colour} ${kind}">${line}${marks.join('')}</g>`;
};

/** The plot without its title and legend, which are text of the report. */
export const plotAsSvg = (plot: Plot): string => {
  const { series, bands = [] } = plot;
  const points = series.flatMap((each) => each.points);
  const x = scaleOf(plot.x, [
    ...points.map(([at]) => at),
    ...bands.flatMap(({ from, to }) => [from, to]),
  ]);
  const y = scaleOf(
    plot.y,
    points.map(([, value]) => value),
  );
  const lanes = Math.max(0, ...lanesOf(bands).map((lane) => lane + 1));
  const top = TOP + lanes * LANE;
  const frame: Frame = {
    x: (value) => LEFT + x.at(value) * (WIDTH - LEFT - RIGHT),
    y: (value) => HEIGHT - BOTTOM - y.at(value) * (HEIGHT - BOTTOM - top),
    top,
  };
  return [
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeText(plot.title)}">`,
    ...bandShapes(bands, frame),
    ...axes(plot, x, y, frame),
    ...series.map((each) => seriesShape(each, plot, frame)),
    '</svg>',
  ].join('\n');
};
