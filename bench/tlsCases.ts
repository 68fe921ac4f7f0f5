/** TLS: handshakes, whole and resumed, and what is echoed through it. */
import type { RateCase, Server } from "./Case.ts"
import { identityFiles } from "./identity.ts"
import { generator } from "./native.ts"
import { each, onNode, onTwisted, ours, pull } from "./programs.ts"

const raw = "node:tls"
const files = identityFiles()

const missing =
  files === undefined
    ? "there is no openssl command to make a certificate with"
    : generator().tls
      ? undefined
      : "the generator has no TLS: OpenSSL's headers (libssl-dev) are not installed"

const servers: ReadonlyArray<Server> = [
  onNode(raw, "node-tls.ts", files),
  onNode("Effect NodeSocketServer", "effect-tls.ts", files),
  onTwisted("twisted-tls.py", files),
  ...ours("spindle-tls.ts", files)
].map((server) => ({ ...server, absent: missing ?? server.absent, optional: true }))

const goals = [
  { row: each, over: raw, relation: ">=", bound: 0.93 },
  { row: each, over: "Twisted", relation: ">", bound: 1 }
] as const

const handshakes = (name: string, title: string, resume: "0" | "1"): RateCase => ({
  kind: "rate",
  name,
  title: `${title}, one byte echoed, close; TLS 1.3, ECDSA P-256, 32 at a time`,
  unit: "handshakes/s",
  per: "handshake",
  mode: "tls-handshakes",
  load: ["--slots", "32", "--resume", resume],
  servers,
  reference: raw,
  goals
})

const echo = (name: string, title: string, connections: string, size: string): RateCase => ({
  kind: "rate",
  name,
  title: `echo through TLS, ${title}`,
  unit: size === "65536" ? "MB/s" : "msgs/s",
  per: size === "65536" ? "block" : "message",
  mode: "tls-echo",
  load: ["--connections", connections, "--size", size, "--in-flight", "1"],
  servers,
  reference: raw,
  goals: [...goals, { row: pull, over: raw, relation: ">=", bound: 0.85 }]
})

export const tlsCases: ReadonlyArray<RateCase> = [
  handshakes("tls-handshakes", "handshakes", "0"),
  handshakes("tls-resumed", "resumed handshakes", "1"),
  echo("tls-echo", "1 KiB, 32 connections", "32", "1024"),
  echo("tls-blocks", "64 KiB, 4 connections", "4", "65536")
]
