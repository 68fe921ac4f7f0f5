/**
 * Where suspended generators stand. A stack trace ends at the event loop; what a fiber is in the middle of is in the
 * generators it left off in, and only V8's inspector knows the line of each.
 */
import * as inspector from "node:inspector"
import { SourceMap } from "node:module"

/** A place in a script, as V8 counts: from 0. */
export interface Location {
  readonly scriptId: string
  readonly lineNumber: number
  readonly columnNumber: number
}

interface Property {
  readonly name: string
  readonly value?: { readonly objectId?: string; readonly value?: unknown }
}

interface Script {
  readonly url: string
  readonly sourceMapURL: string
}

/** Where the inspector finds what it is asked about. */
const shelf = "spindle/node/NodeGenerators"

const group = shelf

let session: inspector.Session | undefined

/** Asks the inspector, which answers before it returns; undefined where there is none. */
const ask = <A>(method: string, parameters: object = {}): A | undefined => {
  let answer: unknown
  try {
    if (session === undefined) {
      session = new inspector.Session()
      session.connect()
    }
    session.post(method, parameters, (_, result) => {
      answer = result
    })
  } catch {
    // A Node without inspector.
  }
  return answer as A | undefined
}

const own = (objectId: string) =>
  ask<{ readonly result: ReadonlyArray<Property>; readonly internalProperties?: ReadonlyArray<Property> }>(
    "Runtime.getProperties",
    { objectId, ownProperties: true }
  )

/** Where they stand now, in their order; those that are over or running have no place. About 0.1 ms for each. */
export const locate = (generators: ReadonlyArray<object>): ReadonlyArray<Location> => {
  if (generators.length === 0) return []
  const shelves = globalThis as unknown as Record<symbol, unknown>
  shelves[Symbol.for(shelf)] = generators
  const found = ask<{ readonly result: { readonly objectId?: string } }>("Runtime.evaluate", {
    expression: `globalThis[Symbol.for(${JSON.stringify(shelf)})]`,
    objectGroup: group
  })
  delete shelves[Symbol.for(shelf)]
  const elements = found?.result.objectId === undefined ? undefined : own(found.result.objectId)
  const locations = (elements?.result ?? []).flatMap(({ name, value }) => {
    if (!/^\d+$/.test(name) || value?.objectId === undefined) return []
    const inside = own(value.objectId)?.internalProperties ?? []
    const location = inside.find((property) => property.name === "[[GeneratorLocation]]")
    return location?.value?.value === undefined ? [] : [location.value.value as Location]
  })
  ask("Runtime.releaseObjectGroup", { objectGroup: group })
  return locations
}

/** The first one is dear, some milliseconds: better before anybody measures. */
export const warm = (): void => {
  const generator = (function* () {
    yield undefined
  })()
  generator.next()
  for (let i = 0; i < 3; i++) locate([generator])
}

const sourceMapOf = (script: Script): SourceMap | undefined => {
  const encoded = /^data:application\/json[^,]*;base64,(.*)$/s.exec(script.sourceMapURL)?.[1]
  try {
    return encoded === undefined
      ? undefined
      : new SourceMap(JSON.parse(Buffer.from(encoded, "base64").toString()))
  } catch {
    return undefined
  }
}

/** `file:line:column`, counted from 1, of the sources if the scripts tell where they are from. Takes 0.1 s. */
export const describe = (locations: ReadonlyArray<Location>): ReadonlyArray<string> => {
  if (locations.length === 0) return []
  const scripts = new Map<string, Script>()
  const onScript = ({ params }: { readonly params: Script & { readonly scriptId: string } }): void => {
    scripts.set(params.scriptId, params)
  }
  ask("Runtime.releaseObjectGroup", { objectGroup: group })
  session?.on("Debugger.scriptParsed", onScript as never)
  ask("Debugger.enable")
  ask("Debugger.disable")
  session?.off("Debugger.scriptParsed", onScript as never)
  const maps = new Map<string, SourceMap | undefined>()
  return locations.flatMap(({ scriptId, lineNumber, columnNumber }) => {
    const script = scripts.get(scriptId)
    if (script === undefined || script.url === "") return []
    if (!maps.has(scriptId)) maps.set(scriptId, sourceMapOf(script))
    const entry = maps.get(scriptId)?.findEntry(lineNumber, columnNumber)
    const mapped = entry !== undefined && "originalLine" in entry
    const [line, column] = mapped ? [entry.originalLine, entry.originalColumn] : [lineNumber, columnNumber]
    return [`${script.url.replace(/^file:\/\//, "")}:${line + 1}:${column + 1}`]
  })
}
