/** The rows of the tables: how each kind of server is started. */
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Server } from "./Case.ts"
import { succeeds } from "./machine.ts"
import { ceiling } from "./native.ts"

const file = (name: string): string => fileURLToPath(new URL(`servers/${name}`, import.meta.url))

export const onNode = (name: string, source: string, env?: Readonly<Record<string, string>>): Server => ({
  name,
  command: [process.execPath, "--conditions=source", "--expose-gc", file(source)],
  env,
  absent: existsSync(file(source)) ? undefined : `there is no bench/servers/${source}`
})

// Debian's Twisted belongs to /usr/bin/python3; a python3 earlier on PATH may not have it.
const python = ["/usr/bin/python3", "python3"].find((candidate) =>
  succeeds(candidate, ["-c", "import twisted"])
)

export const onTwisted = (source: string, env?: Readonly<Record<string, string>>): Server => ({
  name: "Twisted",
  command: [python ?? "python3", file(source)],
  env: { PYTHONDONTWRITEBYTECODE: "1", ...env },
  absent: python === undefined ? "python3-twisted is not installed" : undefined,
  optional: true
})

/** Debian's Autobahn, on Twisted. */
export const onAutobahn = (source: string): Server => ({
  ...onTwisted(source),
  name: "Autobahn on Twisted",
  absent:
    python !== undefined && succeeds(python, ["-c", "import autobahn.twisted.websocket"])
      ? undefined
      : "python3-autobahn is not installed"
})

export const compiledTo = (name: string, compiled: ReturnType<typeof ceiling>): Server => ({
  name,
  command: "file" in compiled ? [compiled.file] : [],
  absent: "problem" in compiled ? compiled.problem : undefined,
  optional: true
})

export const inC = compiledTo("C, epoll (ceiling)", ceiling())

export const raw = "node:net"
export const each = "spindle receiveEach"
export const pull = "spindle receive"

export const ours = (source: string, env?: Readonly<Record<string, string>>): ReadonlyArray<Server> => [
  onNode(each, source, { ...env, MODE: "receiveEach" }),
  onNode(pull, source, { ...env, MODE: "receive" })
]
