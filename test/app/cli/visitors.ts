/** Who comes to the fixture's server: each is told which process lets him in, and by what words. */
import * as net from "node:net"
import * as tls from "node:tls"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"

export interface Answer {
  readonly pid: number
  /** 0 is a process's first. */
  readonly thread: number
  readonly greeting: string
}

/** How long one may take, in milliseconds: a late answer is one. */
const patience = 20_000

export interface Visitor {
  /** Says something, and gives the answer. */
  readonly ask: Effect.Effect<Answer, Error>
  readonly socket: net.Socket
}

const connected = (open: () => net.Socket) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const socket = open()
      let text = ""
      let over: Error | undefined
      const waiting = new Set<() => void>()
      const look = () => waiting.forEach((waiter) => waiter())
      socket.setTimeout(patience, () => socket.destroy(new Error("no answer")))
      socket.on("data", (bytes: Buffer) => {
        text += bytes.toString()
        look()
      })
      socket.on("error", (error) => {
        over ??= error
        look()
      })
      socket.on("close", () => {
        over ??= new Error("closed without an answer")
        look()
      })
      const ask = Effect.callback<Answer, Error>((resume) => {
        socket.write("hi\r\n")
        const waiter = () => {
          const found = /^(\d+) (\d+) (.*)\r\n/.exec(text)
          if (found === null && over === undefined) return
          waiting.delete(waiter)
          if (found === null) return resume(Effect.fail(over!))
          text = text.slice(found[0].length)
          resume(Effect.succeed({ pid: Number(found[1]), thread: Number(found[2]), greeting: found[3]! }))
        }
        waiting.add(waiter)
        waiter()
        return Effect.sync(() => void waiting.delete(waiter))
      })
      return { ask, socket } satisfies Visitor
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

/** One that stays until the scope ends. */
export const visitor = (port: number): Effect.Effect<Visitor, never, Scope.Scope> =>
  connected(() => net.connect(port, "127.0.0.1"))

/** One over TLS; whose certificate it was is in `socket`. */
export const secureVisitor = (port: number, ca: string) =>
  connected(() => tls.connect({ port, host: "127.0.0.1", ca, servername: "localhost" }))

/** One that asks once, and goes. */
export const visit = (port: number): Effect.Effect<Answer, Error> =>
  Effect.scoped(Effect.flatMap(visitor(port), ({ ask }) => ask))

/** Says a text to any server, and no more; gives all that comes back. */
export const exchange = (port: number, text: string): Effect.Effect<string, Error> =>
  Effect.callback((resume) => {
    const socket = net.connect(port, "127.0.0.1")
    let heard = ""
    socket.setTimeout(patience, () => socket.destroy(new Error("no answer")))
    socket.on("data", (bytes: Buffer) => (heard += bytes.toString()))
    socket.on("error", (error) => resume(Effect.fail(error)))
    socket.on("end", () => resume(Effect.succeed(heard)))
    socket.end(text)
    return Effect.sync(() => socket.destroy())
  })

export interface Load {
  /** Connections, each with all of its requests. */
  answered: number
  /** How those ended that were not answered. */
  readonly lost: Array<string>
  /** How many each process answered, and each thread, by `PROCESS.THREAD`. */
  readonly by: Map<number, number>
  readonly byThread: Map<string, number>
}

const count = <K>(counts: Map<K, number>, key: K): void => void counts.set(key, (counts.get(key) ?? 0) + 1)

/** How many requests each connection of a crowd has. */
const asksEach = 3

/** Short visits without an end, `clients` at a time, while `during` is done. The last ones end by themselves. */
export const crowd = <A, E, R>(
  port: number,
  clients: number,
  during: (load: Load) => Effect.Effect<A, E, R>
): Effect.Effect<Load, E, R> =>
  Effect.gen(function* () {
    const load: Load = { answered: 0, lost: [], by: new Map(), byThread: new Map() }
    let stopped = false
    const asks = Effect.scoped(
      Effect.flatMap(visitor(port), ({ ask }) => Effect.repeat(ask, { times: asksEach - 1 }))
    )
    const one = Effect.matchEffect(asks, {
      onFailure: (error) =>
        Effect.sync(() => load.lost.push((error as NodeJS.ErrnoException).code ?? error.message)),
      onSuccess: ({ pid, thread }) =>
        Effect.sync(() => {
          load.answered++
          count(load.by, pid)
          count(load.byThread, `${pid}.${thread}`)
        })
    })
    const fibers = yield* Effect.forEach(Array.from({ length: clients }), () =>
      // The new processes have to come up meanwhile, on the same machine.
      Effect.forkChild(Effect.repeat(Effect.delay(one, "3 millis"), { until: () => stopped }))
    )
    yield* Effect.ensuring(
      during(load),
      Effect.suspend(() => {
        stopped = true
        return Fiber.awaitAll(fibers)
      })
    )
    return load
  })

/** Waits until so many more were answered, or one was not. */
export const answers = (load: Load, more: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const goal = load.answered + more
    return Effect.repeat(Effect.sleep(5), { until: () => load.answered >= goal || load.lost.length > 0 })
  }).pipe(Effect.asVoid)
