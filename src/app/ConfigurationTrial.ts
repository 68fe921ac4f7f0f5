/** One reading of a `Config`, with something standing in for keys that were wrong; and what a key takes, found by trying. */
import type * as Config from "effect/Config"
import * as Cause from "effect/Cause"
import { makeArray, makeRecord, makeValue, type Node } from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type Complaint, refusal } from "./ConfigurationComplaint.ts"
import * as Key from "./ConfigurationKey.ts"
import * as Provider from "./ConfigurationProvider.ts"
import type { Source } from "./ConfigurationSource.ts"

export interface Held {
  readonly _tag: "Held"
  readonly value: unknown
}

/** The first key that is wrong, and what was said of it. */
export interface Wrong {
  readonly _tag: "Wrong"
  readonly key: string
  readonly path: Key.Path
  readonly complaint: Complaint
}

/** A check said no; the key is the last one that it had read, `undefined` if none. */
export interface Rejected {
  readonly _tag: "Rejected"
  readonly key: string | undefined
  readonly detail: string
}

export type Outcome = Held | Wrong | Rejected

export interface Trial {
  readonly outcome: Outcome
  readonly loads: Provider.Loads
}

const isThere = (node: Node | undefined): boolean => node?._tag === "Value" || node?.value !== undefined

/** Where something was found that is wrong, rather than that it should be a list: the place furthest in. */
const furthest = (
  complaints: ReadonlyArray<Complaint>,
  loads: Provider.Loads
): { readonly path: Key.Path; readonly complaint: Complaint } => {
  const placed = complaints.map((complaint) => {
    let { path } = complaint
    // `a,b` is a list to whoever takes it so: nobody has asked for its entries.
    while (path.length > 0 && !loads.has(Key.textOf(path)) && isThere(above(path, loads))) {
      path = path.slice(0, -1)
    }
    return { path, complaint }
  })
  const rank = ({ complaint, path }: (typeof placed)[number]) =>
    (isThere(loads.get(Key.textOf(path))?.node) ? 1000 : 0) + path.length + complaint.path.length
  const best = placed.reduce((a, b) => (rank(b) > rank(a) ? b : a))
  const same = placed.filter(
    ({ complaint }) => Key.textOf(complaint.path) === Key.textOf(best.complaint.path)
  )
  const expected = new Set(same.map(({ complaint }) => complaint.expected).filter((text) => text !== ""))
  const isSecret = same.some(({ complaint }) => complaint.isSecret)
  const { path, words } = best.complaint
  return {
    path: best.path,
    complaint: { path, words, expected: Array.from(expected).join(" or "), isSecret }
  }
}

const above = (path: Key.Path, loads: Provider.Loads): Node | undefined => {
  for (let length = path.length - 1; length >= 0; length--) {
    const load = loads.get(Key.textOf(path.slice(0, length)))
    if (load !== undefined) return load.node
  }
  return undefined
}

export const read = Effect.fnUntraced(function* (
  config: Config.Config<unknown>,
  sources: ReadonlyArray<Source>,
  standIns: Provider.StandIns
): Effect.fn.Return<Trial> {
  const loads = new Map<string, Provider.Load>()
  const exit = yield* Effect.exit(Effect.suspend(() => config.parse(Provider.make(sources, standIns, loads))))
  if (Exit.isSuccess(exit)) return { outcome: { _tag: "Held", value: exit.value }, loads }
  if (Cause.hasInterrupts(exit.cause)) return yield* Effect.interrupt
  const refused = refusal(exit.cause)
  if (refused._tag === "Rejected") {
    const read = Array.from(loads.entries()).filter(([, { node }]) => node?.value !== undefined)
    return { outcome: { ...refused, key: read.at(-1)?.[0] }, loads }
  }
  const { complaint, path } = furthest(refused.complaints, loads)
  return { outcome: { _tag: "Wrong", key: Key.textOf(path), path, complaint }, loads }
})

/** Values of all kinds that are asked for; most likely one of them will do. */
const samples =
  "x 0.5 -1 0 1 100 5000 1000000 true Info 1_second 1_KiB http://localhost/ 2000-01-01T00:00:00.000Z 127.0.0.1 ::1 a@b.example " +
  "00000000-0000-4000-8000-000000000000 {} [] tcp:8080"

const candidates: ReadonlyArray<Node> = [
  ...samples.split(" ").map((text) => makeValue(text.replace("_", " "))),
  makeValue("x".repeat(64)),
  makeRecord(new Set<string>()),
  makeArray(0)
]

const literals = (expected: string): ReadonlyArray<Node> =>
  Array.from(expected.matchAll(/"([^"]+)"/g), ([, literal]) => makeValue(literal!)).slice(0, 4)

export interface Sampled {
  /** One that the key takes; `undefined` if none was found. */
  readonly standIn: Node | undefined
  /** All that was said of those that it does not take. */
  readonly expected: ReadonlyArray<string>
}

/**
 * Tries values for a key until one is taken. What is said of the others tells what the key takes in all: that it is a number is
 * said of a word, and of which size of a number.
 */
export const sample = Effect.fnUntraced(function* (
  config: Config.Config<unknown>,
  sources: ReadonlyArray<Source>,
  standIns: Provider.StandIns,
  wrong: Wrong
): Effect.fn.Return<Sampled> {
  const expected = new Set<string>()
  const isTable = wrong.complaint.expected === "a table"
  const first = isTable ? candidates.slice(-2) : []
  for (const candidate of [...literals(wrong.complaint.expected), ...first, ...candidates]) {
    const { outcome } = yield* read(config, sources, new Map(standIns).set(wrong.key, candidate))
    const isSame = outcome._tag === "Rejected" || (outcome._tag === "Wrong" && outcome.key === wrong.key)
    if (!isSame) return { standIn: candidate, expected: Array.from(expected) }
    if (outcome._tag === "Wrong" && outcome.complaint.expected !== "")
      expected.add(outcome.complaint.expected)
  }
  return { standIn: undefined, expected: Array.from(expected) }
})
