/** HTTP: a little JSON, files, uploads. The row that comes first in a case is the one that its goal compares with. */
import type { RateCase, Server } from "./Case.ts"
import { type Expected, expected, folder, make, uploadBytes } from "./httpFiles.ts"
import { identityFiles } from "./identity.ts"
import { generator } from "./native.ts"
import { onNode, onTwisted } from "./programs.ts"

const node = "Node alone"
const effect = "Effect NodeHttpServer"
const spindle = "spindle HttpServer"

make()
const { problem, tls } = generator()
const site = { FILES: folder }
const certificate = identityFiles()
const missing = problem === undefined ? undefined : `needs the generator in C: ${problem}`
const missingTls =
  certificate === undefined
    ? "there is no openssl command to make a certificate with"
    : tls
      ? undefined
      : "the generator has no TLS: OpenSSL's headers (libssl-dev) are not installed"

const available = (servers: ReadonlyArray<Server>, lacking: string | undefined): ReadonlyArray<Server> =>
  servers.map((server) => ({ ...server, absent: lacking ?? server.absent, optional: true }))

const nodeAlone = onNode(node, "node-http.ts", site)
const effects = onNode(effect, "effect-http.ts", site)
const others = [
  onNode("Fastify", "fastify.ts", site),
  { ...onTwisted("twisted-http.py", site), name: "Twisted web" },
  onNode(spindle, "spindle-http.ts", site)
]
const besideEffect = available([effects, nodeAlone, ...others], missing)
const besideNode = available([nodeAlone, effects, ...others], missing)

const http2 = { ...site, ...certificate, HTTP2: "1" }
const overHttp2 = available(
  [
    onNode(effect, "effect-http.ts", http2),
    onNode(node, "node-http2.ts", http2),
    onNode("Fastify", "fastify.ts", http2),
    onNode(spindle, "spindle-http.ts", http2)
  ],
  missing ?? missingTls
)

const requests = (
  name: string,
  title: string,
  target: string,
  answer: Expected,
  load: ReadonlyArray<string>
): Omit<RateCase, "mode" | "servers" | "reference" | "goals"> => ({
  kind: "rate",
  name,
  title,
  unit: "requests/s",
  per: "request",
  judgedBy: "processor",
  load: ["--target", target, "--expect", expected(answer), ...load]
})

/** As fast as Effect's own, but for one part in twenty. */
const asEffect = {
  servers: besideEffect,
  reference: effect,
  goals: [{ row: spindle, over: effect, relation: ">=", bound: 0.95 }]
} as const

/** As fast as what Node's own documentation says of files. */
const asNode = {
  servers: besideNode,
  reference: node,
  goals: [{ row: spindle, over: node, relation: ">=", bound: 1 }]
} as const

const kept = ["--connections", "50"]

export const httpCases: ReadonlyArray<RateCase> = [
  {
    ...requests("hello", "JSON hello, 50 connections that are kept", "/hello", "hello", kept),
    ...asEffect,
    mode: "http"
  },
  {
    ...requests("hello-fresh", "JSON hello, a connection for each request, 16 at a time", "/hello", "hello", [
      "--slots",
      "16"
    ]),
    ...asEffect,
    mode: "http-fresh"
  },
  {
    ...requests("file-1k", "a file of 1 KiB, 50 connections", "/files/1k.bin", "1k.bin", kept),
    ...asNode,
    mode: "http"
  },
  {
    ...requests("file-1m", "a file of 1 MiB, 8 connections", "/files/1m.bin", "1m.bin", [
      "--connections",
      "8"
    ]),
    ...asNode,
    mode: "http"
  },
  {
    ...requests("upload", "10 KiB uploaded, answered by their length, 50 connections", "/upload", "upload", [
      ...kept,
      "--upload",
      String(uploadBytes)
    ]),
    ...asEffect,
    mode: "http"
  },
  {
    ...requests(
      "hello-http2",
      "JSON hello over HTTP/2 and TLS, a connection with 50 streams",
      "/hello",
      "hello",
      ["--connections", "1", "--in-flight", "50"]
    ),
    ...asEffect,
    servers: overHttp2,
    mode: "http2"
  }
]
