/** The suites over inherited sockets. They are run by a child process, which inherits what is made here. */
import * as childProcess from "node:child_process"
import * as net from "node:net"
import * as path from "node:path"
import * as readline from "node:readline"
import { afterAll, beforeAll } from "vitest"
import * as Effect from "effect/Effect"
import type { Case } from "../../src/testing/suite/Case.ts"
import { conformance } from "../support/conformance.ts"
import { connections, listeners, reactorCases, type Result, transportCases } from "./descriptorSuites.ts"

const script = path.join(import.meta.dirname, "descriptorSuites.ts")

const results = new Map<string, Result>()
let over = false
let changed = () => {}
let child: childProcess.ChildProcess | undefined

const descriptorOf = (handled: unknown): number =>
  (handled as { readonly _handle: { readonly fd: number } })._handle.fd

const listening = () =>
  new Promise<net.Server>((resolve, reject) => {
    const server = net.createServer({ pauseOnConnect: true }).on("error", reject)
    server.listen(0, "127.0.0.1", () => resolve(server))
  })

/** Both ends of a connection to the server. */
const connected = (server: net.Server) =>
  new Promise<ReadonlyArray<net.Socket>>((resolve, reject) => {
    let accepted: net.Socket | undefined
    const both = () => {
      if (accepted !== undefined && !socket.connecting) resolve([socket, accepted])
    }
    server.once("connection", (socket: net.Socket) => {
      accepted = socket
      both()
    })
    const { port } = server.address() as net.AddressInfo
    // Until it is asked to, it reads nothing of what the child will send itself.
    const socket = new net.Socket({ onread: { buffer: Buffer.alloc(1), callback: () => false } })
    socket.on("error", reject).connect(port, "127.0.0.1", both).pause()
  })

beforeAll(async () => {
  const servers = await Promise.all(Array.from({ length: listeners }, listening))
  const server = await listening()
  const sockets: Array<net.Socket> = []
  for (let i = 0; i < connections; i++) sockets.push(...(await connected(server)))
  child = childProcess.spawn(process.execPath, [script], {
    stdio: ["ignore", "pipe", "inherit", ...[...servers, ...sockets].map(descriptorOf)]
  })
  for (const each of [...servers, server]) each.close()
  for (const socket of sockets) socket.destroy()
  readline.createInterface({ input: child.stdout! }).on("line", (line) => {
    const result = JSON.parse(line) as Result
    results.set(result.name, result)
    changed()
  })
  child.on("close", () => {
    over = true
    changed()
  })
})

afterAll(() => {
  child?.kill("SIGKILL")
})

/** The same cases, each of which waits for what the child says of it. */
const elsewhere = (cases: ReadonlyArray<Case>): ReadonlyArray<Case> =>
  cases.map(({ missing, name }) => ({
    name,
    missing,
    run: Effect.callback<void, Error>((resume) => {
      changed = () => {
        const result = results.get(name)
        if (result?.failure !== undefined) resume(Effect.fail(new Error(result.failure)))
        else if (result !== undefined) resume(Effect.void)
        else if (over) resume(Effect.fail(new Error("the child ended before")))
      }
      changed()
    })
  }))

conformance("Transport over inherited connections", elsewhere(transportCases))
conformance("Reactor with inherited listeners", elsewhere(reactorCases))
