/** The other side: starts the process that is attacked, asks what it holds, and the sockets that peers of that kind use. */
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as certificates from "../support/certificates.ts"
import * as Child from "../support/child.ts"
import type { Measured } from "./target.ts"

export const MiB = 1024 * 1024

/** What measuring memory from outside cannot tell from nothing: V8's pools, arenas of malloc, code that was compiled. */
export const noiseBytes = 32 * MiB

export interface Counts {
  readonly open: number
  readonly accepted: number
  readonly refused: number
  readonly failed: number
}

export interface Memory extends Measured {
  /** Resident bytes, and the most there ever were, as the system counts them; 0 where it does not tell. */
  readonly resident: number
  readonly residentMax: number
}

export interface Target {
  readonly pid: number
  readonly port: (service: string) => number
  readonly measure: Effect.Effect<Memory, Child.ChildError>
  readonly counts: Effect.Effect<Readonly<Record<string, Counts>>, Child.ChildError>
  readonly ask: <A>(command: string) => Effect.Effect<A, Child.ChildError>
  /** From here on `residentMax` counts anew. */
  readonly forgetMax: Effect.Effect<void>
  /** Waits until none of its servers has a connection left. */
  readonly quiet: Effect.Effect<void, Child.ChildError>
}

export interface Options {
  /** How long the process may live, in milliseconds. Default 60,000. */
  readonly timeout?: number | undefined
  /** `ulimit -n`. */
  readonly descriptors?: number | undefined
}

const identities = () => {
  const { authority, client, server } = certificates.localhost()
  return { authority: authority.certificate, client, server }
}

/** Whether services with TLS can be had. */
export const tlsAvailable = certificates.available

/** Starts the process with these services. */
export const target = Effect.fnUntraced(function* (names: ReadonlyArray<string>, options: Options = {}) {
  const script = path.join(import.meta.dirname, "target.ts")
  const ulimit = options.descriptors === undefined ? "" : `ulimit -n ${options.descriptors}; `
  const child = yield* Child.spawn(
    "bash",
    ["-c", `${ulimit}exec "$0" --expose-gc "$@"`, process.execPath, script, ...names],
    {
      timeout: options.timeout ?? 60_000,
      env: {
        NO_COLOR: "1",
        // Without arenas of several threads, what malloc holds on to says little.
        MALLOC_ARENA_MAX: "1",
        ...(tlsAvailable ? { SPINDLE_IDENTITIES: JSON.stringify(identities()) } : {})
      }
    }
  )
  const answerTo = <A>(id: number) =>
    Effect.map(child.says(new RegExp(`^\\{"id":"${id}",.*$`, "m")), ([line]) => {
      const said = JSON.parse(line) as { readonly answer: A; readonly failure?: string }
      assert.isUndefined(said.failure)
      return said.answer
    })
  let asked = 0
  const ask = <A>(command: string) =>
    Effect.suspend(() => {
      const id = ++asked
      return Effect.andThen(child.write(`${id} ${command}\n`), answerTo<A>(id))
    })
  const ports = yield* answerTo<Readonly<Record<string, number>>>(0)
  const counts = ask<Readonly<Record<string, Counts>>>("counts")
  const made: Target = {
    pid: child.pid,
    port: (service) => ports[service] ?? assert.fail(`no service ${service}`),
    ask,
    counts,
    measure: Effect.map(ask<Measured>("measure"), (measured) => ({ ...measured, ...residentOf(child.pid) })),
    forgetMax: Effect.sync(() => {
      if (process.platform === "linux") fs.writeFileSync(`/proc/${child.pid}/clear_refs`, "5")
    }),
    quiet: Effect.asVoid(
      Effect.repeat(Effect.andThen(Effect.sleep("20 millis"), counts), {
        until: (all) => Object.values(all).every(({ open }) => open === 0)
      })
    )
  }
  return made
})

const residentOf = (pid: number) => {
  if (process.platform !== "linux") return { resident: 0, residentMax: 0 }
  const status = fs.readFileSync(`/proc/${pid}/status`, "utf8")
  const kibibytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0)
  return { resident: kibibytes("VmRSS") * 1024, residentMax: kibibytes("VmHWM") * 1024 }
}

/** Nothing was said louder than Debug, nobody's protocol failed, nothing is held that was not before. */
export const unharmed = (before: Memory, after: Memory): void => {
  assert.deepStrictEqual(after.reports, [])
  assert.deepStrictEqual(after.loud, [])
  for (const [name, { failed, open }] of Object.entries(after.counts)) {
    assert.deepStrictEqual([name, open, failed], [name, 0, 0])
  }
  assert.isAtMost(after.descriptors, before.descriptors, "descriptors")
  assert.isAtMost(after.fibers, before.fibers, "fibers")
  assert.isAtMost(after.resources.length, before.resources.length, after.resources.join(" "))
}

/** A socket whose errors nobody minds. */
export const socketTo = (port: number, options: Partial<net.TcpNetConnectOpts> = {}): net.Socket =>
  net.connect({ host: "127.0.0.1", port, noDelay: true, ...options }).on("error", () => {})

/** A connection; destroyed with the scope. */
export const connected = (port: number, options: Partial<net.TcpNetConnectOpts> = {}) =>
  Effect.acquireRelease(
    Effect.callback<net.Socket>((resume) => {
      const socket = socketTo(port, options)
      const done = () => resume(Effect.succeed(socket))
      socket.once("connect", done).once("close", done)
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

export interface Over {
  /** `end`, `close`, or the code of an error. */
  readonly how: string
  /** Milliseconds. */
  readonly after: number
  readonly text: string
}

/** Waits until the peer has ended or reset the connection; reads meanwhile. */
export const over = (socket: net.Socket): Effect.Effect<Over> =>
  Effect.callback<Over>((resume) => {
    const from = performance.now()
    let text = ""
    const done = (how: string) => resume(Effect.succeed({ how, after: performance.now() - from, text }))
    if (socket.readableEnded || socket.destroyed) return done("close")
    socket.on("data", (bytes: Buffer) => {
      if (text.length < 65_536) text += bytes.toString("latin1")
    })
    socket.once("end", () => done("end"))
    socket.once("error", (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
    socket.once("close", () => done("close"))
    socket.resume()
  })

/** Waits for bytes. */
export const heard = (socket: net.Socket): Effect.Effect<string> =>
  Effect.callback<string>((resume) => {
    const done = (text: string) => {
      socket.off("data", onData).off("close", onClose).off("end", onClose)
      resume(Effect.succeed(text))
    }
    const onData = (bytes: Buffer) => done(bytes.toString("latin1"))
    const onClose = () => done("")
    if (socket.destroyed || socket.readableEnded) return done("")
    socket.on("data", onData).once("close", onClose).once("end", onClose)
  })

/** Writes all of them, one write a byte, with room for the loop every so often. */
export const writeBytewise = (socket: net.Socket, bytes: Uint8Array): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    let at = 0
    const more = () => {
      for (let i = 0; i < 64; i++) {
        if (at === bytes.length || socket.destroyed || socket.readableEnded) return resume(Effect.void)
        socket.write(bytes.subarray(at, ++at))
      }
      setImmediate(more)
    }
    more()
  })

/** Writes one piece over and over until so many bytes are written, or nobody takes them any more; gives how many. */
export const writeRepeatedly = (
  socket: net.Socket,
  piece: Uint8Array,
  bytes: number
): Effect.Effect<number> =>
  Effect.callback<number>((resume) => {
    let written = 0
    const more = () => {
      while (written < bytes && !socket.destroyed && socket.writable) {
        written += piece.length
        if (!socket.write(piece)) return void socket.once("drain", more)
      }
      socket.off("close", done)
      done()
    }
    const done = () => resume(Effect.succeed(written))
    socket.once("close", done)
    more()
  })

/** A test in real time. */
export const live = <E>(name: string, test: Effect.Effect<void, E, Scope.Scope>, timeout = 60_000) =>
  it.live(name, () => Effect.scoped(test), timeout)
