/** Lines that were entered, and where one is among them while one goes up and down. Pure. */

export interface LineHistory {
  /** The oldest first. */
  readonly lines: ReadonlyArray<string>
  readonly linesMax: number
  /** Which line is shown: `lines.length` is the one that is being written. */
  readonly at: number
  /** What was being written before one went up. */
  readonly draft: string
}

export const linesMaxDefault = 500

export const make = (lines: ReadonlyArray<string> = [], linesMax = linesMaxDefault): LineHistory => {
  const last = lines.slice(Math.max(0, lines.length - linesMax))
  return { lines: last, linesMax, at: last.length, draft: "" }
}

/** Remembers a line, unless it is empty, blank in front (as in shells), or the same as the last one. */
export const add = (history: LineHistory, line: string): LineHistory => {
  const { lines, linesMax } = history
  const isNew = line !== "" && !line.startsWith(" ") && line !== lines.at(-1)
  return make(isNew ? [...lines, line] : lines, linesMax)
}

/** To another line, so many further; `undefined` where there is none. `current` is kept when one leaves what is being written. */
export const move = (
  history: LineHistory,
  by: number,
  current: string
): readonly [LineHistory, string] | undefined => {
  const at = Math.min(Math.max(history.at + by, 0), history.lines.length)
  if (at === history.at) return undefined
  const draft = history.at === history.lines.length ? current : history.draft
  return [{ ...history, at, draft }, at === history.lines.length ? draft : history.lines[at]!]
}

/** The nearest line before `before` that has the text in it. */
export const search = (
  history: LineHistory,
  text: string,
  before = history.lines.length
): number | undefined => {
  for (let at = Math.min(before, history.lines.length) - 1; at >= 0; at--) {
    if (history.lines[at]!.includes(text)) return at
  }
  return undefined
}
