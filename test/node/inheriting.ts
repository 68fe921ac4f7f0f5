/** Child processes that inherit sockets: at any place, which `test/support/child.ts` does not do. */
import * as childProcess from "node:child_process"
import * as net from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface Heir {
  readonly pid: number
  /** What both its outputs said so far. */
  readonly said: () => string
  /** Waits until what it said matches; dies with what it said when it ends before. */
  readonly says: (pattern: RegExp) => Effect.Effect<RegExpExecArray>
  /** Waits for its end; gives its code. */
  readonly ended: Effect.Effect<number | undefined>
}

type Place = "ignore" | net.Socket | net.Server

/**
 * Starts this Node with a script. `places` are its descriptors from 0 on; where `said` is, its output goes to the test.
 * Killed with the scope.
 */
export const start = (
  args: ReadonlyArray<string>,
  places: ReadonlyArray<Place | "said">,
  options: { readonly env?: Record<string, string>; readonly command?: string } = {}
) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const { command = process.execPath, env } = options
      const child = childProcess.spawn(command, args, {
        env: { ...process.env, ...env },
        stdio: places.map((place) => {
          if (place === "said") return "pipe"
          return place instanceof net.Server ? descriptorOf(place) : place
        })
      })
      let text = ""
      let over = false
      const waiting = new Set<() => void>()
      const look = () => waiting.forEach((waiter) => waiter())
      for (const output of [child.stdout, child.stderr]) {
        output?.on("data", (bytes: Buffer) => {
          text += bytes.toString()
          look()
        })
      }
      child.on("close", () => {
        over = true
        look()
      })
      const until = <A>(answer: () => A | undefined) =>
        Effect.callback<A>((resume) => {
          const waiter = () => {
            const found = answer()
            if (found !== undefined) resume(Effect.succeed(found))
            else if (over) resume(Effect.die(new Error(`it ended (${child.exitCode}), having said: ${text}`)))
            else return
            waiting.delete(waiter)
          }
          waiting.add(waiter)
          waiter()
        })
      const heir: Heir = {
        pid: child.pid!,
        said: () => text,
        says: (pattern) => until(() => pattern.exec(text) ?? undefined),
        ended: Effect.map(
          until(() => (over ? { code: child.exitCode } : undefined)),
          ({ code }) => code ?? undefined
        )
      }
      return { heir, child }
    }),
    ({ child }) =>
      Effect.callback<void>((resume) => {
        if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
        child.once("close", () => resume(Effect.void))
        child.kill("SIGKILL")
      })
  ).pipe(Effect.map(({ heir }) => heir))

/** Node hands on sockets, but not servers. */
const descriptorOf = (server: net.Server): number =>
  (server as unknown as { readonly _handle: { readonly fd: number } })._handle.fd

/** A server of the test's own, to be handed on; closed with the scope. */
export const server = (options: net.ListenOptions) =>
  Effect.acquireRelease(
    Effect.callback<net.Server>((resume) => {
      const made = net.createServer()
      made.on("error", (error) => resume(Effect.die(error)))
      made.listen(options, () => resume(Effect.succeed(made)))
    }),
    (made) => Effect.sync(() => void (made.listening && made.close()))
  )

/** Both ends of a TCP connection over loopback; destroyed with the scope. */
export const connection: Effect.Effect<
  { readonly ours: net.Socket; readonly theirs: net.Socket },
  never,
  Scope.Scope
> = Effect.gen(function* () {
  const listening = yield* server({ port: 0, host: "127.0.0.1" })
  const { port } = listening.address() as net.AddressInfo
  return yield* Effect.acquireRelease(
    Effect.callback<{ readonly ours: net.Socket; readonly theirs: net.Socket }>((resume) => {
      const ours = net.connect({ port, host: "127.0.0.1" })
      ours.on("error", () => {})
      let accepted: net.Socket | undefined
      const both = () => {
        if (accepted === undefined || ours.connecting) return
        listening.close()
        resume(Effect.succeed({ ours, theirs: accepted }))
      }
      ours.once("connect", both)
      listening.once("connection", (theirs) => {
        accepted = theirs.on("error", () => {}).pause()
        both()
      })
    }),
    ({ ours, theirs }) =>
      Effect.sync(() => {
        ours.destroy()
        theirs.destroy()
      })
  )
})
