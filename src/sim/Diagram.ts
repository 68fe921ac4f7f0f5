/** A history as a sequence diagram: a column for each host, time goes down. As text for a terminal, as SVG for a report. */
import { describe, type Entry, type History, isLocal, type Kind } from "./History.ts"
import * as Nanos from "./Nanos.ts"
import { escaped } from "../result/HtmlText.ts"

export interface DiagramOptions {
  /** The newest so many entries. Default 40. */
  readonly entriesMax?: number | undefined
  /** Only entries of these kinds; hosts of which nothing is left have no column. Default: all. */
  readonly kinds?: ReadonlyArray<Kind> | undefined
}

const entriesMaxDefault = 40

interface Part {
  readonly hosts: ReadonlyArray<string>
  readonly entries: ReadonlyArray<Entry>
  readonly earlier: number
}

const partOf = (history: History, { entriesMax = entriesMaxDefault, kinds }: DiagramOptions): Part => {
  const { entries: all, length } = history
  const wanted = kinds === undefined ? all : all.filter(({ kind }) => kinds.includes(kind))
  const entries = wanted.slice(-entriesMax)
  const hosts = [...new Set(entries.flatMap(({ from, to }) => [from, to]))]
  // Of which kinds those are that were forgotten, nobody knows.
  const forgotten = kinds === undefined ? length - all.length : 0
  return { hosts, entries, earlier: forgotten + wanted.length - entries.length }
}

// --- text -----------------------------------------------------------------------------------------------

const timeWidth = 14
const laneWidthMin = 20

/** For a terminal. `--x` is lost; `!` is a fault. */
export const text = (history: History, options: DiagramOptions = {}): string => {
  const { earlier, entries, hosts } = partOf(history, options)
  const lane = Math.max(laneWidthMin, ...hosts.map(({ length }) => length + 4))
  const center = (host: string) => timeWidth + hosts.indexOf(host) * lane + 4
  const head = hosts.reduce((line, host) => put(line, center(host) - 2, host), "")
  const bars = hosts.reduce((line, host) => put(line, center(host), "|"), "")
  const lines = entries.map((entry) => {
    const line = put(bars, 0, Nanos.format(entry.at).padStart(timeWidth - 2))
    return (isLocal(entry) ? local(line, entry, center) : arrow(line, entry, center)).trimEnd()
  })
  return [head, ...(earlier > 0 ? [`${bars}  ... ${earlier} earlier`] : []), ...lines].join("\n")
}

const local = (line: string, entry: Entry, center: (host: string) => number): string => {
  const sign = entry.kind === "Fault" ? "!" : "*"
  return put(line, center(entry.from), `${sign} ${entry.what}`)
}

const arrow = (line: string, entry: Entry, center: (host: string) => number): string => {
  const [from, to] = [center(entry.from), center(entry.to)]
  if (from === to) return put(line, from, `@ ${describe(entry)}`)
  const isRight = to > from
  const [left, right] = isRight ? [from, to] : [to, from]
  const isLost = entry.arrives === undefined
  const shaft = "-".repeat(right - left - 1)
  const drawn = isRight ? `${shaft.slice(1)}${isLost ? "x" : ">"}` : `${isLost ? "x" : "<"}${shaft.slice(1)}`
  const label = ` ${describe(entry)} `
  const room = drawn.length - 4
  const inside = label.length <= room
  const whole = put(line, left + 1, inside ? put(drawn, 2, label) : drawn)
  return inside ? whole : `${whole.trimEnd()} ${label.trim()}`
}

/** `words` over what is there. */
const put = (line: string, at: number, words: string): string =>
  line.padEnd(at).slice(0, at) + words + line.slice(at + words.length)

// --- SVG ------------------------------------------------------------------------------------------------

const laneGap = 190
const rowHeight = 22
const top = 50

/** For a report: a picture that stands alone. */
export const svg = (history: History, options: DiagramOptions = {}): string => {
  const { earlier, entries, hosts } = partOf(history, options)
  const x = (host: string) => 150 + hosts.indexOf(host) * laneGap
  const height = top + (entries.length + 1) * rowHeight
  const width = 150 + Math.max(1, hosts.length) * laneGap
  const lanes = hosts.map(
    (host) =>
      `<text x="${x(host)}" y="24" class="host">${escaped(host)}</text>` +
      `<line x1="${x(host)}" y1="34" x2="${x(host)}" y2="${height - 8}" class="lane"/>`
  )
  const rows = entries.map((entry, i) => row(entry, top + i * rowHeight, x))
  const more = earlier > 0 ? `<text x="8" y="40" class="time">${earlier} earlier</text>` : ""
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<style>${style}</style>`,
    `<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>`,
    ...lanes,
    more,
    ...rows,
    "</svg>"
  ].join("\n")
}

const style =
  "text{font:11px monospace}.host{font-weight:bold;text-anchor:middle}.lane{stroke:#bbb}" +
  ".time{fill:#888}.arrow{stroke:#236;marker-end:url(#tip)}.lost{stroke:#c22;stroke-dasharray:4 3}" +
  ".label{text-anchor:middle}.fault{fill:#c22;font-weight:bold}.note{fill:#263}"

const row = (entry: Entry, y: number, x: (host: string) => number): string => {
  const time = `<text x="8" y="${y + 4}" class="time">${Nanos.format(entry.at)}</text>`
  const [from, to] = [x(entry.from), x(entry.to)]
  if (isLocal(entry) || from === to) {
    const kind = entry.kind === "Fault" ? "fault" : "note"
    const words = isLocal(entry) ? entry.what : describe(entry)
    return `${time}<circle cx="${from}" cy="${y}" r="3"/><text x="${from + 8}" y="${y + 4}" class="${kind}">${escaped(words)}</text>`
  }
  const isLost = entry.arrives === undefined
  const end = isLost ? (from + to) / 2 : to
  return (
    `${time}<line x1="${from}" y1="${y}" x2="${end}" y2="${y}" class="${isLost ? "lost" : "arrow"}"/>` +
    `<text x="${(from + to) / 2}" y="${y - 4}" class="label">${escaped(describe(entry))}${isLost ? " (lost)" : ""}</text>`
  )
}
