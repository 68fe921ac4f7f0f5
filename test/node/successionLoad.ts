/** Short connections, one after another, while servers come and go: each says something, and is told who answers. */
import * as dgram from "node:dgram"
import * as net from "node:net"
import * as tls from "node:tls"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"

export type Target =
  | { readonly port: number; readonly host?: string }
  | { readonly path: string }
  | { readonly port: number; readonly ca: string; readonly resume: boolean }

export interface Load {
  /** Connections that were answered. */
  answered: number
  /** How the others ended. */
  readonly lost: Array<string>
  /** The processes that answered. */
  readonly by: Map<number, number>
  /** Of TLS: sessions that were resumed. */
  resumed: number
}

/** How long one may take, in milliseconds: an answer that comes late is one, a lost one never comes. */
const patience = 20_000

/** One connection: the number of the process that answered, or how it ended. */
export const visit = (target: Target, session?: Buffer, words = "hi\n"): Effect.Effect<Visit> =>
  Effect.callback((resume) => {
    const socket = connect(target, session)
    let text = ""
    let kept: Buffer | undefined
    let resumed = false
    let names: string | undefined
    const timer = setTimeout(() => socket.destroy(new Error("no answer")), patience)
    const done = (error?: string) => {
      clearTimeout(timer)
      socket.destroy()
      const pid = Number(text)
      const failed = error ?? (Number.isInteger(pid) && pid > 0 ? undefined : `"${text}"`)
      resume(Effect.succeed({ pid, failed, session: kept, resumed, names }))
    }
    socket.on("error", (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
    socket.on("session", (session: Buffer) => {
      kept = session
    })
    socket.on("secureConnect", () => {
      resumed = (socket as tls.TLSSocket).isSessionReused()
      names = (socket as tls.TLSSocket).getPeerCertificate().subjectaltname
    })
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString()
    })
    socket.on("end", () => done())
    socket.on("close", () => done())
    socket.write(words)
    return Effect.sync(() => {
      clearTimeout(timer)
      socket.destroy()
    })
  })

export interface Visit {
  readonly pid: number
  readonly failed: string | undefined
  readonly session: Buffer | undefined
  readonly resumed: boolean
  /** Those of the certificate that was shown. */
  readonly names: string | undefined
}

const connect = (target: Target, session: Buffer | undefined): net.Socket => {
  if ("path" in target) return net.connect(target)
  if (!("ca" in target)) return net.connect(target.port, target.host ?? "127.0.0.1")
  const { ca, port } = target
  return tls.connect({
    port,
    host: "127.0.0.1",
    ca,
    servername: "localhost",
    ...(session === undefined ? {} : { session })
  })
}

/** Visits until the scope ends, `clients` at a time. */
export const load = (target: Target, clients: number): Effect.Effect<Load, never, Scope.Scope> =>
  Effect.gen(function* () {
    const load: Load = { answered: 0, lost: [], by: new Map(), resumed: 0 }
    let stopped = false
    const client = Effect.gen(function* () {
      let session: Buffer | undefined
      while (!stopped) {
        const visited = yield* visit(target, session)
        if (visited.failed !== undefined) load.lost.push(visited.failed)
        else {
          load.answered++
          load.by.set(visited.pid, (load.by.get(visited.pid) ?? 0) + 1)
          if (visited.resumed) load.resumed++
        }
        session = visited.session ?? session
        // Whoever starts meanwhile needs the processor, too.
        yield* Effect.sleep("4 millis")
      }
    })
    const fibers = yield* Effect.forEach(Array.from({ length: clients }), () => Effect.forkChild(client))
    // The last ones end by themselves.
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        stopped = true
        return Fiber.awaitAll(fibers)
      })
    )
    return load
  })

/** Runs `during` under load from all sides, and gives what became of it when the last connection is over. */
export const under = <A, E, R>(
  targets: ReadonlyArray<Target>,
  clients: number,
  during: (loads: ReadonlyArray<Load>) => Effect.Effect<A, E, R>
): Effect.Effect<ReadonlyArray<Load>, E, Exclude<R, Scope.Scope>> =>
  Effect.scoped(
    Effect.gen(function* () {
      const loads = yield* Effect.forEach(targets, (target) => load(target, clients))
      yield* during(loads)
      return loads
    })
  ) as Effect.Effect<ReadonlyArray<Load>, E, Exclude<R, Scope.Scope>>

/** A client of a datagram port: asks one question after another, and counts those that nobody answered. */
export const datagrams = (port: number): Effect.Effect<DatagramLoad, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => new DatagramLoad(port)),
      (load) => Effect.sync(() => load.close())
    ),
    (load) => load
  )

export class DatagramLoad {
  sent = 0
  answered = 0
  readonly by = new Map<number, number>()
  private readonly socket = dgram.createSocket("udp4")
  private readonly timer: NodeJS.Timeout

  constructor(port: number) {
    this.socket.on("message", (bytes) => {
      const pid = Number(String(bytes))
      this.answered++
      this.by.set(pid, (this.by.get(pid) ?? 0) + 1)
    })
    this.timer = setInterval(() => {
      this.sent++
      this.socket.send("hi", port, "127.0.0.1")
    }, 2)
  }

  stopSending(): void {
    clearInterval(this.timer)
  }

  close(): void {
    this.stopSending()
    this.socket.close()
  }
}
