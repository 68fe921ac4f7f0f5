/**
 * Where generators stand still, as the debugger would say: the line of the `yield*` that a fiber waits in. Asked only when a
 * run has failed; nothing is known where there is no inspector.
 */
import type * as Fiber from "effect/Fiber"

/** What is used of `node:inspector`. */
interface Session {
  readonly connect: () => void
  readonly disconnect: () => void
  readonly post: (method: string, params?: unknown, done?: (error: unknown, result: unknown) => void) => void
  readonly on: (event: string, heard: (message: { readonly params: Script }) => void) => void
}

interface Script {
  readonly scriptId: string
  readonly url: string
}

interface Location {
  readonly scriptId: string
  readonly lineNumber: number
  readonly columnNumber: number
}

const inspector = (): { readonly Session: new () => Session } | undefined => {
  const { process } = globalThis as {
    readonly process?: { readonly getBuiltinModule?: (name: string) => unknown }
  }
  return process?.getBuiltinModule?.("node:inspector") as { readonly Session: new () => Session } | undefined
}

const held = "spindle/sim/generators"

/** For each fiber the places of its generators, outermost first, as `file:line:column`. */
export const of = (
  fibers: ReadonlyArray<Fiber.Fiber<unknown, unknown>>
): ReadonlyArray<ReadonlyArray<string>> => {
  const generators = fibers.map(generatorsOf)
  const module = generators.some(({ length }) => length > 0) ? inspector() : undefined
  if (module === undefined) return fibers.map(() => [])
  const session = new module.Session()
  try {
    session.connect()
    const scripts = new Map<string, string>()
    session.on("Debugger.scriptParsed", ({ params }) => scripts.set(params.scriptId, params.url))
    session.post("Debugger.enable")
    Object.defineProperty(globalThis, held, { value: generators, configurable: true })
    return generators.map((own, i) =>
      own.flatMap((_, j) => {
        const location = locate(session, `globalThis[${JSON.stringify(held)}][${i}][${j}]`)
        const url = location && scripts.get(location.scriptId)
        return url === undefined || url === ""
          ? []
          : [`${url.replace("file://", "")}:${location!.lineNumber + 1}:${location!.columnNumber + 1}`]
      })
    )
  } catch {
    // Somebody else debugs: then it is not known.
    return fibers.map(() => [])
  } finally {
    Reflect.deleteProperty(globalThis, held)
    session.disconnect()
  }
}

/** What a fiber will go on with is on its stack; of that, what is a generator. */
const generatorsOf = (fiber: Fiber.Fiber<unknown, unknown>): ReadonlyArray<object> => {
  const stack = Reflect.get(fiber, "_stack") as ReadonlyArray<{ readonly iterator?: unknown }> | undefined
  return (stack ?? []).flatMap(({ iterator }) =>
    typeof iterator === "object" && iterator !== null ? [iterator] : []
  )
}

const locate = (session: Session, expression: string): Location | undefined => {
  let found: Location | undefined
  session.post("Runtime.evaluate", { expression }, (_, evaluated) => {
    const { result } = evaluated as { readonly result: { readonly objectId: string } }
    session.post("Runtime.getProperties", { objectId: result.objectId, ownProperties: true }, (_, got) => {
      const { internalProperties = [] } = got as {
        readonly internalProperties?: ReadonlyArray<{
          readonly name: string
          readonly value?: { readonly value?: Location }
        }>
      }
      found = internalProperties.find(({ name }) => name === "[[GeneratorLocation]]")?.value?.value
    })
  })
  return found
}
