/** What is measured: the cases, their servers, and the goals. A new case is one more entry of `cases`. */
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { succeeds } from "./machine.ts"
import { ceiling } from "./native.ts"
import { readingsFile } from "./readings.ts"

/** One row of a table. */
export interface Server {
  readonly name: string
  readonly command: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Why it cannot be started here: its row says so, and nothing is run. */
  readonly absent?: string | undefined
  /** A peer that may be missing from a machine: goals against it are then skipped, not missed. */
  readonly optional?: boolean | undefined
}

/** `row`'s figure divided by `over`'s: at least, more than, or at most `bound`. */
export interface Goal {
  readonly row: string
  readonly over: string
  readonly relation: ">=" | ">" | "<="
  readonly bound: number
}

interface Common {
  readonly name: string
  readonly title: string
  readonly servers: ReadonlyArray<Server>
  /** The row that ratios refer to. */
  readonly reference: string
  readonly goals: ReadonlyArray<Goal>
}

/** Messages, bytes or connections a second, under load. `load` is a mode of the generator and its options. */
export interface RateCase extends Common {
  readonly kind: "rate"
  readonly unit: "msgs/s" | "MB/s" | "lines/s" | "conn/s"
  readonly mode: "echo" | "lines" | "request-reply-lines" | "churn"
  readonly load: ReadonlyArray<string>
  /** What the server's processor time is divided by. */
  readonly per: "message" | "block" | "line" | "connection"
}

/** Memory of the server for each open connection that does nothing. */
export interface IdleCase extends Common {
  readonly kind: "idle"
}

export type Case = RateCase | IdleCase

const file = (name: string): string => fileURLToPath(new URL(`servers/${name}`, import.meta.url))

const onNode = (name: string, source: string, env?: Readonly<Record<string, string>>): Server => ({
  name,
  command: [process.execPath, "--conditions=source", "--expose-gc", file(source)],
  env,
  absent: existsSync(file(source)) ? undefined : `there is no bench/servers/${source}`
})

// Debian's Twisted belongs to /usr/bin/python3; a python3 earlier on PATH may not have it.
const python = ["/usr/bin/python3", "python3"].find((candidate) =>
  succeeds(candidate, ["-c", "import twisted"])
)

const onTwisted = (source: string): Server => ({
  name: "Twisted",
  command: [python ?? "python3", file(source)],
  env: { PYTHONDONTWRITEBYTECODE: "1" },
  absent: python === undefined ? "python3-twisted is not installed" : undefined,
  optional: true
})

const compiled = ceiling()
const inC: Server = {
  name: "C, epoll (ceiling)",
  command: "file" in compiled ? [compiled.file] : [],
  absent: "problem" in compiled ? compiled.problem : undefined,
  optional: true
}

const raw = "node:net"
const naive = "node:net, a write per line"
const each = "spindle receiveEach"
const pull = "spindle receive"

const ours = (source: string): ReadonlyArray<Server> => [
  onNode(each, source, { MODE: "receiveEach" }),
  onNode(pull, source, { MODE: "receive" })
]

const peers: ReadonlyArray<Server> = [
  onNode(raw, "node-net.ts"),
  onNode("Effect NodeSocketServer", "effect-socket.ts"),
  onTwisted("twisted-echo.py"),
  ...ours("spindle-echo.ts")
]
const echoServers: ReadonlyArray<Server> = [inC, ...peers]

const echoGoals: ReadonlyArray<Goal> = [
  { row: each, over: raw, relation: ">=", bound: 0.95 },
  { row: pull, over: raw, relation: ">=", bound: 0.85 }
]

const connections = ["--connections", "50"]

export const cases: ReadonlyArray<Case> = [
  {
    kind: "rate",
    name: "echo-1",
    title: "echo, 64 bytes, 50 connections, 1 in flight",
    unit: "msgs/s",
    per: "message",
    mode: "echo",
    load: [...connections, "--size", "64", "--in-flight", "1"],
    servers: echoServers,
    reference: raw,
    goals: echoGoals
  },
  {
    kind: "rate",
    name: "echo-16",
    title: "echo, 64 bytes, 50 connections, 16 in flight",
    unit: "msgs/s",
    per: "message",
    mode: "echo",
    load: [...connections, "--size", "64", "--in-flight", "16"],
    servers: echoServers,
    reference: raw,
    goals: echoGoals
  },
  {
    kind: "rate",
    name: "blocks",
    title: "echo, blocks of 64 KiB, 8 connections, 1 in flight",
    unit: "MB/s",
    per: "block",
    mode: "echo",
    load: ["--connections", "8", "--size", "65536", "--in-flight", "1"],
    servers: [...echoServers, onNode("node:net, Effect imported", "node-net-effect.ts")],
    reference: raw,
    goals: [{ row: each, over: raw, relation: ">=", bound: 0.97 }]
  },
  {
    kind: "rate",
    name: "lines",
    title: "lines of 52 bytes echoed, 50 connections, 16 in flight",
    unit: "lines/s",
    per: "line",
    mode: "lines",
    load: [...connections, "--in-flight", "16"],
    servers: [
      inC,
      onNode(naive, "node-net-lines.ts", { NAGLE: "0" }),
      onNode(`${naive}, Nagle on`, "node-net-lines.ts", { NAGLE: "1" }),
      onTwisted("twisted-lines.py"),
      ...ours("spindle-lines.ts")
    ],
    reference: naive,
    goals: [
      { row: each, over: naive, relation: ">=", bound: 5 },
      { row: each, over: "Twisted", relation: ">=", bound: 1.6 }
    ]
  },
  {
    kind: "rate",
    name: "churn",
    title: "connect, one byte echoed, close; 64 at a time",
    unit: "conn/s",
    per: "connection",
    mode: "churn",
    load: ["--slots", "64"],
    servers: echoServers,
    reference: raw,
    goals: [
      { row: each, over: raw, relation: ">=", bound: 0.8 },
      { row: each, over: "Twisted", relation: ">", bound: 1 }
    ]
  },
  ...[1, 50].map((connections): RateCase => ({
    kind: "rate",
    name: `gateway-${connections}`,
    title: `readings acknowledged by the gateway, ${connections} connection${connections === 1 ? "" : "s"}, 256 in flight`,
    unit: "lines/s",
    per: "line",
    mode: "request-reply-lines",
    load: ["--connections", String(connections), "--in-flight", "256", "--line-file", readingsFile()],
    servers: [onNode("gateway", "gateway.ts")],
    reference: "gateway",
    goals: []
  })),
  {
    kind: "idle",
    name: "idle",
    title: "memory of the server per idle connection",
    servers: peers,
    reference: raw,
    goals: [{ row: each, over: raw, relation: "<=", bound: 1.5 }]
  }
]
