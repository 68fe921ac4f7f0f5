/** The sources as one provider for Effect's `Config`; it remembers what was asked for, and who answered. */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Key from "./ConfigurationKey.ts"
import type { Source } from "./ConfigurationSource.ts"

type Node = ConfigProvider.Node

/** What was asked for. */
export interface Load {
  readonly path: Key.Path
  /** What was there, whatever stood in for it. */
  readonly node: Node | undefined
  /** Where its text came from; `undefined` where there is none. */
  readonly source: Source | undefined
}

/** By `Key.textOf`, in the order of the first asking. */
export type Loads = ReadonlyMap<string, Load>

/**
 * Sources one above the other. A text stands above whatever the sources below have there; keys below one from a loose source
 * do not hide anything, they are added.
 */
export const look = (sources: ReadonlyArray<Source>, path: Key.Path): Load => {
  let value: string | undefined
  let source: Source | undefined
  let shape: Exclude<Node, { readonly _tag: "Value" }> | undefined
  for (const candidate of sources) {
    const node = candidate.find(path)
    if (node === undefined) continue
    if (node._tag !== "Value") shape = shape === undefined ? node : merged(shape, node)
    if (node.value !== undefined) {
      value = node.value
      source = candidate
      break
    }
    if (!candidate.isLoose && node._tag === "Array") break
  }
  if (shape === undefined) {
    return { path, source, node: value === undefined ? undefined : ConfigProvider.makeValue(value) }
  }
  return { path, source, node: { ...shape, value } }
}

const merged = (
  above: Exclude<Node, { readonly _tag: "Value" }>,
  below: Exclude<Node, { readonly _tag: "Value" }>
): Exclude<Node, { readonly _tag: "Value" }> =>
  above._tag === "Record" && below._tag === "Record"
    ? { _tag: "Record", keys: new Set([...above.keys, ...below.keys]), value: undefined }
    : above

/** What stands in for what the sources have, by key: nothing, or something that is tried. */
export type StandIns = ReadonlyMap<string, Node | undefined>

/** A provider for one reading; what it is asked for is in `loads`. */
export const make = (
  sources: ReadonlyArray<Source>,
  standIns: StandIns,
  loads: Map<string, Load>
): ConfigProvider.ConfigProvider =>
  ConfigProvider.make((path) =>
    Effect.sync(() => {
      const key = Key.textOf(path)
      const load = look(sources, path)
      // Asked again, it is the latest: who is to blame for a check that fails is the last one.
      loads.delete(key)
      loads.set(key, load)
      return standIns.has(key) ? standIns.get(key) : load.node
    })
  )
