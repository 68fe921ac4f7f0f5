/**
 * One `Config` against the sources, with everything that is wrong in it.
 *
 * Effect's `Config.all` stops at the first value that is wrong, and a `Config` cannot be taken apart. So it is read again, with
 * that value hidden, until none is wrong; and then with a value that it takes in the place of each that is missing. All this
 * happens only once something is wrong.
 */
import type * as Config from "effect/Config"
import type { Node } from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import type { Invalid, Issue, Missing, Rejected } from "./ConfigurationIssue.ts"
import * as Key from "./ConfigurationKey.ts"
import * as Provider from "./ConfigurationProvider.ts"
import { named, redactedIn, unlessSecret } from "./ConfigurationSecret.ts"
import type { Source } from "./ConfigurationSource.ts"
import * as Trial from "./ConfigurationTrial.ts"

export interface Evaluation {
  /** Absent if there are issues. */
  readonly value: { readonly held: unknown } | undefined
  readonly issues: ReadonlyArray<Issue>
  /** What was asked for. */
  readonly loads: Provider.Loads
  /** The keys among them whose values must not be shown. */
  readonly secrets: ReadonlySet<string>
  /** Whether `issues` and `loads` are all there is. */
  readonly isComplete: boolean
}

/** Each takes a few dozen readings; so many mistakes in one value are told in parts. */
const mistakesMax = 100

/** What a result tells of its keys: those whose text is in a `Redacted`. If one is in there changed, it may be any. */
const secretsOf = (loads: Provider.Loads, result: unknown): ReadonlySet<string> => {
  const { hidden, texts } = redactedIn(result)
  const values = new Set(Array.from(loads.values(), ({ node }) => node?.value))
  const isAny = hidden || Array.from(texts).some((text) => !values.has(text))
  return new Set(
    Array.from(loads).flatMap(([key, { node, path }]) =>
      isAny || Key.isSecretName(path) || (node?.value !== undefined && texts.has(node.value)) ? [key] : []
    )
  )
}

/** What was said of several values, in one. */
const joined = (said: Iterable<string>): string => {
  const expected = new Set(said)
  expected.delete("")
  if (expected.has("an integer")) expected.delete("a number")
  return Array.from(expected).join(", ")
}

const missing = (
  sources: ReadonlyArray<Source>,
  path: Key.Path,
  expected: ReadonlyArray<string>
): Missing => ({
  _tag: "Missing",
  key: Key.textOf(path),
  expected: joined(expected),
  places: path.length === 0 ? [] : sources.map((source) => source.invitation(path)),
  obstacles: sources.flatMap((source) => source.obstacle(path) ?? [])
})

export const evaluate = Effect.fnUntraced(function* (
  config: Config.Config<unknown>,
  sources: ReadonlyArray<Source>
): Effect.fn.Return<Evaluation> {
  const issues: Array<Issue> = []
  const standIns = new Map<string, Node | undefined>()
  const secrets = new Set<string>()
  /** Known to be no secrets. */
  const plain = new Set<string>()
  const asked = new Map<string, Provider.Load>()
  /** Tables that were made up: what is missing in them is missing. */
  const tables = new Map<string, Issue>()
  let isMadeUp = false
  const done = (value: Evaluation["value"], isComplete: boolean): Evaluation => {
    // Where a check said no, what becomes of its keys is not known of all: what is not, is not shown.
    if (issues.some(({ _tag }) => _tag === "Rejected")) {
      for (const [key, { node }] of asked) if (node?.value !== undefined && !plain.has(key)) secrets.add(key)
    }
    return {
      value,
      issues: issues.map((issue) => discreet(issue, asked, secrets)),
      loads: asked,
      secrets,
      isComplete
    }
  }
  for (let count = 0; count < mistakesMax; count++) {
    const { loads, outcome } = yield* Trial.read(config, sources, standIns)
    if (!isMadeUp) for (const [key, load] of loads) asked.set(key, load)
    for (const [key, { path }] of loads) if (Key.isSecretName(path)) secrets.add(key)
    if (outcome._tag === "Held") {
      if (issues.length > 0) return done(undefined, true)
      for (const key of secretsOf(asked, outcome.value)) secrets.add(key)
      return done({ held: outcome.value }, true)
    }
    if (outcome._tag === "Rejected") {
      const load = outcome.key === undefined ? undefined : loads.get(outcome.key)
      // What was made up is no reason to complain.
      if (load?.source === undefined || standIns.has(Key.textOf(load.path))) {
        if (issues.length === 0) issues.push(rejectedWithout(outcome, Array.from(loads.values()).at(0)))
        return done(undefined, false)
      }
      for (const complaint of yield* complaintsWithout(config, sources, standIns, loads)) {
        ;(complaint.isSecret ? secrets : plain).add(Key.textOf(complaint.path))
      }
      issues.push(rejected(outcome.detail, load, load.source))
      standIns.set(Key.textOf(load.path), undefined)
      continue
    }
    const { complaint, key, path } = outcome
    ;(complaint.isSecret ? secrets : plain).add(key)
    const load = loads.get(key) ?? Provider.look(sources, path)
    const { expected, standIn } = yield* Trial.sample(config, sources, standIns, outcome)
    if (standIns.has(key)) {
      if (standIns.get(key) !== undefined || standIn === undefined) return done(undefined, false)
      standIns.set(key, standIn)
      isMadeUp = true
      continue
    }
    if (load.source !== undefined && load.node?.value !== undefined) {
      issues.push(
        complaint.words === undefined
          ? invalid(load, load.source, joined([complaint.expected, ...expected]))
          : rejected(complaint.words, load, load.source)
      )
      standIns.set(key, undefined)
      continue
    }
    const table = tables.get(Key.textOf(path.slice(0, -1)))
    if (asked.has(key) || table !== undefined) {
      const issue = missing(sources, path, [complaint.expected, ...expected])
      issues.push(issue)
      if (complaint.expected === "a table") tables.set(key, issue)
      // It is not the table that is missing, but what belongs into it.
      if (table !== undefined && issues.includes(table)) issues.splice(issues.indexOf(table), 1)
    }
    if (standIn === undefined) return done(undefined, false)
    standIns.set(key, standIn)
    isMadeUp = true
  }
  return done(undefined, false)
})

/** What is said when one of these keys is not there: it tells which of them are secrets. */
const complaintsWithout = (
  config: Config.Config<unknown>,
  sources: ReadonlyArray<Source>,
  standIns: Provider.StandIns,
  loads: Provider.Loads
): Effect.Effect<ReadonlyArray<Trial.Wrong["complaint"]>> =>
  Effect.forEach(
    Array.from(loads).filter(([, { node }]) => node?.value !== undefined),
    ([key]) =>
      Effect.map(Trial.read(config, sources, new Map(standIns).set(key, undefined)), ({ outcome }) =>
        outcome._tag === "Wrong" && outcome.key === key ? [{ ...outcome.complaint, path: outcome.path }] : []
      )
  ).pipe(Effect.map((complaints) => complaints.flat()))

const given = ({ node, path }: Provider.Load, source: Source) => ({
  key: Key.textOf(path),
  value: node?.value === undefined ? undefined : named(node.value),
  origin: source.origin(path)
})

const invalid = (load: Provider.Load, source: Source, expected: string): Invalid => ({
  _tag: "Invalid",
  ...given(load, source),
  expected: expected === "" ? "something else" : expected
})

const rejected = (detail: string, load: Provider.Load, source: Source): Rejected => ({
  _tag: "Rejected",
  ...given(load, source),
  detail
})

const rejectedWithout = ({ detail }: Trial.Rejected, load: Provider.Load | undefined): Rejected => ({
  _tag: "Rejected",
  key: load === undefined ? "" : Key.textOf(load.path),
  detail,
  value: undefined,
  origin: { _tag: "Default" }
})

/** What a message of the application's own says may quote what was read. */
const discreet = (issue: Issue, loads: Provider.Loads, secrets: ReadonlySet<string>): Issue => {
  const texts = Array.from(secrets, (key) => loads.get(key)?.node?.value ?? "")
  if (issue._tag !== "Invalid" && issue._tag !== "Rejected") return issue
  const value = secrets.has(issue.key) ? undefined : issue.value
  return issue._tag === "Rejected"
    ? { ...issue, value, detail: unlessSecret(issue.detail, texts) ?? "it is refused" }
    : { ...issue, value, expected: unlessSecret(issue.expected, texts) ?? "something else" }
}
