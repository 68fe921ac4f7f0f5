/** Medians, ratios, tables, verdicts. */
import type { Goal } from "./Case.ts"
import { DISTURBED_CORES } from "./measure.ts"
import type { CaseResult, Row, Sample } from "./measure.ts"
import { median } from "./median.ts"

const present = (row: Row): ReadonlyArray<Sample> => row.samples.filter((sample) => sample !== undefined)

/** The median of a figure over the rounds; NaN where there is none. */
export const medianOf = (row: Row, name: string): number =>
  median(present(row).map((sample) => sample[name] ?? NaN))

/** The median of `row / over`, round by round: what slows a whole round down cancels out. */
export const ratioOf = (row: Row | undefined, over: Row | undefined, name: string): number =>
  row === undefined || over === undefined
    ? NaN
    : median(
        row.samples.map((sample, round) => (sample?.[name] ?? NaN) / (over.samples[round]?.[name] ?? NaN))
      )

/** From this share of its core on, the generator may be what limits a row. */
const GENERATOR_BOUND = 0.95

const number = (value: number, digits = 0): string =>
  Number.isNaN(value)
    ? "-"
    : value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })

const percent = (value: number): string => (Number.isNaN(value) ? "-" : `${Math.round(value * 100)} %`)

const range = (row: Row, name: string): string => {
  const values = present(row).map((sample) => sample[name] ?? NaN)
  return values.length < 2 ? "-" : `${number(Math.min(...values))}–${number(Math.max(...values))}`
}

type Column = readonly [title: string, cell: (row: Row, reference: Row | undefined) => string]

const columns = (result: CaseResult): ReadonlyArray<Column> => {
  const test = result.case
  const times =
    test.reference === "node:net" || test.reference === "node:dgram"
      ? "x raw"
      : test.kind === "rate" && test.mode === "lines"
        ? "x naive"
        : "x first"
  const ratio: Column = [times, (row, reference) => number(ratioOf(row, reference, "rate"), 2)]
  if (test.kind === "idle") {
    return [
      ["bytes/conn", (row) => number(medianOf(row, "rate"))],
      ratio,
      ["range", (row) => range(row, "rate")],
      ["JS heap/conn", (row) => number(medianOf(row, "heapBytes"))],
      ["after 1 byte", (row) => number(medianOf(row, "usedBytes"))],
      ["process MB", (row) => number(medianOf(row, "baseBytes") / 1e6)],
      ["conns", (row) => number(medianOf(row, "connections"))]
    ]
  }
  return [
    [test.unit, (row) => number(medianOf(row, "rate"))],
    ratio,
    ["range", (row) => range(row, "rate")],
    [`us/${test.per}`, (row) => number(medianOf(row, "cpuMicrosPerMessage"), 2)],
    [`${times} per CPU`, (row, reference) => number(1 / ratioOf(row, reference, "cpuMicrosPerMessage"), 2)],
    ["server", (row) => percent(medianOf(row, "serverBusy"))],
    ["generator", (row) => percent(medianOf(row, "generatorBusy"))],
    ["p50 us", (row) => number(medianOf(row, "p50Micros"))],
    ["p99 us", (row) => number(medianOf(row, "p99Micros"))],
    ...(test.mode === "request-reply-lines"
      ? ([["not ok", (row: Row) => number(medianOf(row, "other"))]] as const)
      : []),
    ...(test.mode === "udp" ? ([["lost", (row: Row) => number(medianOf(row, "lost"))]] as const) : [])
  ]
}

const pad = (text: string, width: number, left: boolean): string =>
  left ? text.padEnd(width) : text.padStart(width)

/** The table of a case as a Markdown table, aligned to be read as it is. */
const table = (result: CaseResult): string => {
  const shown = columns(result)
  const reference = result.rows.find((row) => row.server.name === result.case.reference)
  const measured = result.rows.filter((row) => present(row).length > 0 && row.problem === undefined)
  const cells = [
    ["server", ...shown.map(([title]) => title)],
    ...measured.map((row) => [row.server.name, ...shown.map(([, cell]) => cell(row, reference))])
  ]
  const widths =
    cells[0]?.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0))) ?? []
  const lines = cells.map(
    (line) => `| ${line.map((cell, column) => pad(cell, widths[column] ?? 0, column === 0)).join(" | ")} |`
  )
  lines.splice(
    1,
    0,
    `| ${widths.map((width, column) => "-".repeat(width - 1) + (column === 0 ? "-" : ":")).join(" | ")} |`
  )
  const problems = result.rows.flatMap((row) =>
    row.problem === undefined ? [] : [`- ${row.server.name}: ${row.problem.kind}: ${row.problem.reason}`]
  )
  return [measured.length > 0 ? lines : [], problems]
    .filter((block) => block.length > 0)
    .map((block) => block.join("\n"))
    .join("\n\n")
}

export interface Verdict {
  readonly goal: Goal
  readonly verdict: "PASS" | "MISS" | "SKIP"
  readonly figure: number
  readonly note: string
}

const reached = (goal: Goal, figure: number): boolean => {
  if (goal.relation === ">=") return figure >= goal.bound
  return goal.relation === ">" ? figure > goal.bound : figure <= goal.bound
}

/**
 * Compares the figures with the goals. A goal against a peer that this machine lacks is skipped; one without a
 * figure for any other reason is missed. Where the generator had no time left against the other row, rates say
 * nothing, and the rate for each second of the server's processor time is compared instead.
 */
export const verdicts = (result: CaseResult): ReadonlyArray<Verdict> =>
  result.case.goals.map((goal) => {
    const find = (name: string) => result.rows.find((row) => row.server.name === name)
    const row = find(goal.row)
    const over = find(goal.over)
    const problem = [row, over].find((one) => one?.problem !== undefined)
    if (problem?.problem !== undefined) {
      const skipped = problem.problem.kind === "absent" && problem.server.optional === true
      const note = `no figure: ${problem.server.name} ${problem.problem.kind}`
      return { goal, verdict: skipped ? "SKIP" : "MISS", figure: NaN, note }
    }
    const byProcessor = result.case.kind === "rate" && result.case.judgedBy === "processor"
    const bound =
      result.case.kind === "rate" && over !== undefined && medianOf(over, "generatorBusy") >= GENERATOR_BOUND
    const wall = ratioOf(row, over, "rate")
    const figure = byProcessor || bound ? 1 / ratioOf(row, over, "cpuMicrosPerMessage") : wall
    const note = byProcessor
      ? `per server CPU-second; by the clock ${wall.toFixed(3)}`
      : bound
        ? "per server CPU-second, as the generator had no time left"
        : ""
    return { goal, verdict: reached(goal, figure) ? "PASS" : "MISS", figure, note }
  })

const goalLine = ({ figure, goal, note, verdict }: Verdict): string => {
  const measured = Number.isNaN(figure) ? "" : `${figure.toFixed(3)}, `
  return `${verdict}  ${goal.row} / ${goal.over}: ${measured}to reach ${goal.relation} ${goal.bound}${note === "" ? "" : ` (${note})`}`
}

/** Says by which rows one can see that the generator was not the limit, and who disturbed the run. */
const notes = (result: CaseResult): ReadonlyArray<string> => {
  if (result.case.kind === "idle") return []
  const measured = result.rows.filter((row) => present(row).length > 0 && row.problem === undefined)
  const bound = measured.filter((row) => medianOf(row, "generatorBusy") >= GENERATOR_BOUND)
  const lines = [
    bound.length === 0
      ? "generator: had time left in every row"
      : `generator: no time left with ${bound.map((row) => row.server.name).join(", ")}: more is possible there`
  ]
  if (result.othersCores !== undefined && result.othersCores > DISTURBED_CORES) {
    lines.push(
      `disturbed: other processes used ${percent(result.othersCores)} of a core meanwhile: do not trust it`
    )
  }
  if (result.roundsLeftOut > 0)
    lines.push(`rounds left out, as other processes were busy: ${result.roundsLeftOut}`)
  return lines
}

/** The whole report of a case. */
export const render = (result: CaseResult, judged: boolean): string => {
  const goals = judged ? verdicts(result).map(goalLine) : []
  const blocks = [
    `## ${result.case.name}: ${result.case.title}`,
    table(result),
    [...notes(result), ...goals].join("\n")
  ]
  return `${blocks.filter((block) => block !== "").join("\n\n")}\n\n`
}

/** The result as data: medians, ratios and every sample. */
export const toJson = (result: CaseResult): object => {
  const reference = result.rows.find((row) => row.server.name === result.case.reference)
  return {
    name: result.case.name,
    title: result.case.title,
    reference: result.case.reference,
    othersCores: result.othersCores,
    roundsLeftOut: result.roundsLeftOut,
    rows: result.rows.map((row) => ({
      server: row.server.name,
      problem: row.problem,
      median: Object.fromEntries(
        Object.keys(present(row)[0] ?? {}).map((name) => [name, medianOf(row, name)])
      ),
      ratio: ratioOf(row, reference, "rate"),
      samples: row.samples,
      disturbed: row.disturbed
    })),
    goals: verdicts(result).map(({ figure, goal, note, verdict }) => ({ ...goal, verdict, figure, note }))
  }
}
