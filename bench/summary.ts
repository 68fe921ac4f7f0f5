/** All cases in one table, to be pasted, and their goals in another. */
import type { CaseResult, Row } from "./measure.ts"
import { medianOf, ratioOf, verdicts } from "./report.ts"

const number = (value: number, digits: number): string =>
  value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })

const rate = (value: number): string => {
  if (value >= 1e5) return `${number(value / 1000, 0)} k`
  return value >= 1e4 ? `${number(value / 1000, 1)} k` : number(value, 0)
}

const cell = (row: Row | undefined): string => {
  if (row === undefined) return ""
  if (row.problem !== undefined) return row.problem.kind
  const micros = medianOf(row, "cpuMicrosPerMessage")
  return `${rate(medianOf(row, "rate"))} / ${number(micros, micros < 100 ? 1 : 0)}`
}

const table = (
  titles: ReadonlyArray<string>,
  lines: ReadonlyArray<ReadonlyArray<string>>
): ReadonlyArray<string> => {
  const widths = titles.map((title, i) =>
    Math.max(title.length, ...lines.map((line) => line[i]?.length ?? 0))
  )
  const shown = (line: ReadonlyArray<string>) =>
    `| ${line.map((text, i) => (i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))).join(" | ")} |`
  const rule = widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`))
  return [shown(titles), `| ${rule.join(" | ")} |`, ...lines.map(shown)]
}

const goals = (results: ReadonlyArray<CaseResult>): ReadonlyArray<ReadonlyArray<string>> =>
  results.flatMap((result) =>
    verdicts(result).map(({ figure, goal, verdict }) => {
      const find = (name: string) => result.rows.find((row) => row.server.name === name)
      const clock = ratioOf(find(goal.row), find(goal.over), "rate")
      const [reached, byClock] = [figure, clock].map((one) => (Number.isNaN(one) ? "-" : one.toFixed(2)))
      return [`${result.case.name}: ${goal.bound} of ${goal.over}`, `${reached}`, `${byClock}`, verdict]
    })
  )

/** Requests or messages a second, and microseconds of the server's processor for each. */
export const summary = (results: ReadonlyArray<CaseResult>): string => {
  const names = [...new Set(results.flatMap(({ rows }) => rows.map(({ server }) => server.name)))]
  const figures = results.map(({ case: { name }, rows }) => [
    name,
    ...names.map((server) => cell(rows.find((row) => row.server.name === server)))
  ])
  return [
    "## All: how many a second / us of the server's processor for each",
    "",
    ...table(["case", ...names], figures),
    "",
    ...table(["goal", "reached", "by the clock", ""], goals(results))
  ].join("\n")
}
