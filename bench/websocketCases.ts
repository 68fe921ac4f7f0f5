/** WebSockets: echoes, and one to many. */
import type { RateCase } from "./Case.ts"
import { generator } from "./native.ts"
import { onAutobahn, onNode } from "./programs.ts"

const raw = "ws on node:http"
const spindle = "spindle"

const { problem } = generator()

const servers = [
  onNode(raw, "websocket-ws.ts"),
  onNode("Effect NodeHttpServer", "websocket-effect.ts"),
  onNode(spindle, "websocket-spindle.ts"),
  onAutobahn("websocket-autobahn.py")
].map((server) => ({
  ...server,
  absent: problem === undefined ? server.absent : `needs the generator in C: ${problem}`,
  optional: true
}))

const messages = (
  name: string,
  title: string,
  mode: "websocket" | "websocket-fan",
  load: ReadonlyArray<string>
): RateCase => ({
  kind: "rate",
  name,
  title,
  unit: "msgs/s",
  per: "message",
  judgedBy: "processor",
  mode,
  load,
  servers,
  reference: raw,
  goals: [{ row: spindle, over: raw, relation: ">=", bound: 0.95 }]
})

const echo = (inFlight: string) =>
  messages(
    `websocket-${inFlight}`,
    `echo of 64 bytes of text, 50 WebSockets, ${inFlight} in flight`,
    "websocket",
    ["--connections", "50", "--size", "64", "--in-flight", inFlight]
  )

export const websocketCases: ReadonlyArray<RateCase> = [
  echo("1"),
  echo("16"),
  messages("websocket-fan", "100 bytes to each of 2,000 WebSockets, 10 times in a row", "websocket-fan", [
    "--connections",
    "2000"
  ])
]
