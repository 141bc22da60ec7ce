import { scaleLinear, scaleLog } from 'd3-scale'
import { line } from 'd3-shape'

/** One line of a chart. */
export interface Series {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

/** A chart whose x axis is logarithmic, with a tick at each x that was measured. */
export interface LineChart {
  readonly title: string
  /** What one must know to read it. */
  readonly note: string
  readonly x: { readonly label: string; readonly format: (value: number) => string }
  readonly y: {
    readonly label: string
    readonly format: (value: number) => string
    /** `linear` begins at 0. */
    readonly scale: 'linear' | 'log'
  }
  readonly series: readonly Series[]
}

const WIDTH = 760
const HEIGHT = 440
const MARGIN = { top: 76, right: 190, bottom: 56, left: 84 }
const RIGHT = WIDTH - MARGIN.right
const BOTTOM = HEIGHT - MARGIN.bottom
/** Okabe and Ito's colours, which colour-blind readers can tell apart. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7']

/** The text of an SVG file. Needs at least one point; with a `log` scale every y is above 0. */
export function lineChart({ title, note, x, y, series }: LineChart): string {
  const points = series.flatMap((one) => one.points)
  const xs = [...new Set(points.map(([value]) => value))].sort((a, b) => a - b)
  const ys = points.map(([, value]) => value)
  const xScale = scaleLog([Math.min(...xs), Math.max(...xs)], [MARGIN.left + 12, RIGHT - 12])
  const range = [BOTTOM, MARGIN.top]
  const yScale =
    y.scale === 'log'
      ? scaleLog([Math.min(...ys), Math.max(...ys)], range).nice()
      : scaleLinear([0, Math.max(...ys)], range).nice()
  const yTicks = yScale.ticks(6).filter((tick) => y.scale === 'linear' || Number.isInteger(Math.log10(tick)))
  const path = line<readonly [number, number]>(
    ([value]) => xScale(value),
    ([, value]) => yScale(value),
  )

  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" font-family="sans-serif" font-size="12">`,
    `<title>${escapeXml(title)}</title>`,
    `<desc>${escapeXml(note)}</desc>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="16" y="28" font-size="17" font-weight="bold">${escapeXml(title)}</text>`,
    `<text x="16" y="48" fill="#555">${escapeXml(note)}</text>`,
    ...yTicks.flatMap((tick) => [
      `<path d="M${MARGIN.left},${yScale(tick)}H${RIGHT}" stroke="#ddd"/>`,
      `<text x="${MARGIN.left - 8}" y="${yScale(tick) + 4}" text-anchor="end">${escapeXml(y.format(tick))}</text>`,
    ]),
    `<path d="M${MARGIN.left},${BOTTOM}H${RIGHT}" stroke="#333"/>`,
    ...xs.flatMap((tick) => [
      `<path d="M${xScale(tick)},${BOTTOM}v5" stroke="#333"/>`,
      `<text x="${xScale(tick)}" y="${BOTTOM + 19}" text-anchor="middle">${escapeXml(x.format(tick))}</text>`,
    ]),
    `<text x="${(MARGIN.left + RIGHT) / 2}" y="${HEIGHT - 12}" text-anchor="middle">${escapeXml(x.label)}</text>`,
    `<text x="18" y="${(MARGIN.top + BOTTOM) / 2}" text-anchor="middle" transform="rotate(-90 18 ${(MARGIN.top + BOTTOM) / 2})">${escapeXml(y.label)}</text>`,
    ...series.flatMap((one, index) => {
      const colour = COLOURS[index % COLOURS.length]
      const legend = MARGIN.top + 10 + index * 22
      return [
        `<path d="${path(one.points) ?? ''}" fill="none" stroke="${colour}" stroke-width="2"/>`,
        ...one.points.map(
          ([px, py]) =>
            `<circle cx="${xScale(px)}" cy="${yScale(py)}" r="3.5" fill="${colour}"><title>${escapeXml(`${one.name}, ${x.format(px)}: ${y.format(py)}`)}</title></circle>`,
        ),
        `<path d="M${RIGHT + 16},${legend}h20" stroke="${colour}" stroke-width="3"/>`,
        `<text x="${RIGHT + 42}" y="${legend + 4}">${escapeXml(one.name)}</text>`,
      ]
    }),
    '</svg>',
    '',
  ].join('\n')
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
