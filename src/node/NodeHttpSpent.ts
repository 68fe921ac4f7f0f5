/** What is left of a request whose connection went on with another protocol: who asked for what. */
import { Writable } from "node:stream"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Transport } from "../reactor/Transport.ts"
import type { HttpExchange } from "./NodeHttpExchange.ts"

/** The handler goes on for as long as that protocol: nothing else of HTTP is to be kept for it. */
export class NodeHttpSpent implements HttpExchange {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly httpVersion: string
  readonly headers: HttpExchange["request"]["headers"]
  readonly transport: Transport

  constructor({ request }: HttpExchange, transport: Transport) {
    this.method = request.method
    this.url = request.url
    this.httpVersion = request.httpVersion
    this.headers = withoutHandshake(request.headers)
    this.transport = transport
  }

  get request(): HttpExchange["request"] {
    return this
  }

  get trailers(): HttpExchange["request"]["trailers"] {
    return {}
  }

  get host(): HttpExchange["host"] {
    return this
  }

  get body(): HttpExchange["body"] {
    return nothing
  }

  get out(): Writable {
    return new Writable()
  }

  get upgrade(): undefined {
    return undefined
  }

  get fault(): undefined {
    return undefined
  }

  get pieceBytesMax(): number {
    return Number.POSITIVE_INFINITY
  }

  /** Nobody waits for an answer. */
  get isLost(): boolean {
    return true
  }

  get headersSent(): boolean {
    return true
  }

  writeHead(): void {}

  finish(): void {}

  begin(): void {}

  refuse(): void {}

  answeredBy(): void {}

  breakOff(): void {}
}

/** What else was sent: cookies, say. */
const withoutHandshake = (headers: Headers): Headers => {
  const rest: Headers = {}
  for (const name of Object.keys(headers)) if (!ofHandshake.has(name)) rest[name] = headers[name]
  return rest
}

type Headers = HttpExchange["request"]["headers"]

const ofHandshake = new Set([
  "connection",
  "sec-websocket-extensions",
  "sec-websocket-key",
  "sec-websocket-protocol",
  "sec-websocket-version",
  "upgrade"
])

/** A handshake has no body. */
const nothing: HttpExchange["body"] = {
  whole: () => Effect.succeed(new Uint8Array(0)),
  pieces: () => Stream.empty
}
