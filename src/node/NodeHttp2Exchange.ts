/** One request of HTTP/2 and its answer: a stream. */
import * as http from "node:http"
import * as http2 from "node:http2"
import type * as Fiber from "effect/Fiber"
import { ClientAbort } from "effect/http/HttpServerError"
import type { Transport } from "../reactor/Transport.ts"
import { endDeadline, type Timed } from "./DeadlineQueue.ts"
import { type BodyHost, NodeHttpBody } from "./NodeHttpBody.ts"
import * as NodeHttp2Upgrade from "./NodeHttp2Upgrade.ts"
import type { AnswerBody, AnswerHeaders, HttpExchange } from "./NodeHttpExchange.ts"
import type { NodeHttpSwitched } from "./NodeHttpSwitched.ts"
import type { HttpUpgrade } from "./NodeHttpUpgrade.ts"

export interface Http2ExchangeHost {
  readonly transport: Transport
  readonly isDraining: boolean
  /** It is answered, and its handler is done. */
  readonly settled: () => void
}

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = http2.constants

export class NodeHttp2Exchange implements HttpExchange, BodyHost, Timed {
  readonly request: HttpExchange["request"]
  readonly out: http2.ServerHttp2Stream
  readonly host: Http2ExchangeHost
  readonly body: NodeHttpBody
  readonly fault: number | undefined
  readonly upgrade: HttpUpgrade | undefined
  /** What came of its stream. */
  private switched: NodeHttpSwitched | undefined = undefined
  /** That a peer takes something is seen whenever such a piece has left. */
  readonly pieceBytesMax = 32_768
  deadline: Timed["deadline"] = undefined
  /** What follows the header is for whoever takes the stream. */
  private readonly isTunnel: boolean
  private expectsContinue: boolean
  private fiber: Fiber.Fiber<void> | undefined = undefined
  private lost = false
  private trailers: Readonly<Record<string, string>> = {}
  private drains = 0
  private pending = ""
  private pendingSince = 0

  constructor(
    stream: http2.ServerHttp2Stream,
    headers: http2.IncomingHttpHeaders,
    host: Http2ExchangeHost,
    fault: number | undefined
  ) {
    this.out = stream
    this.host = host
    this.fault = fault
    const request = requestOf(headers)
    this.request = request
    this.isTunnel = headers[":method"] === "CONNECT"
    this.upgrade = NodeHttp2Upgrade.isAskedBy(headers)
      ? new NodeHttp2Upgrade.NodeHttp2Upgrade(this)
      : undefined
    this.expectsContinue = headers.expect !== undefined
    this.body = new NodeHttpBody(this, stream, stream.endAfterHeaders ? 0 : lengthOf(headers))
    stream.on("aborted", () => {
      this.lose()
      // What is left of a body keeps it, else.
      process.nextTick(() => stream.destroy())
    })
    stream.on("error", () => {})
    if (stream.endAfterHeaders) return
    stream.on("trailers", (trailers: http2.IncomingHttpHeaders) => void (request.trailers = trailers))
    stream.on("end", () => endDeadline(this))
    if (this.isTunnel) stream.on("finish", this.leaveRefused)
    // Node has ended this side already where no body may follow.
    else if (this.request.method !== "HEAD") stream.on("finish", () => this.body.discard(this.leaveBody))
  }

  /** The stream ends in any case: only what the peer has ended is all of it. */
  get isBodyComplete(): boolean {
    const { out } = this
    return (
      out.endAfterHeaders || (out.readableEnded && !out.aborted && (out.rstCode ?? 0) === NGHTTP2_NO_ERROR)
    )
  }

  /** The answer does not depend on the rest of the body (RFC 9113 §8.1). */
  private readonly leaveBody = (): void => {
    if (!this.out.closed) this.out.close(NGHTTP2_NO_ERROR)
  }

  private readonly leaveRefused = (): void => {
    // Not in front of the answer's header.
    if (this.switched === undefined) setImmediate(this.leaveBody)
  }

  sayContinue(): void {
    if (!this.expectsContinue) return
    this.expectsContinue = false
    if (!this.out.headersSent && !this.isLost) this.out.additionalHeaders({ ":status": 100 })
  }

  // --- answering ----------------------------------------------------------------------------------------

  begin(): void {}

  answeredBy(fiber: Fiber.Fiber<void>): void {
    this.fiber = fiber
    this.switched?.handledBy(fiber)
    fiber.addObserver(() => this.host.settled())
    if (this.lost) this.lose()
  }

  get isLost(): boolean {
    return this.lost || this.out.destroyed || this.out.closed
  }

  get headersSent(): boolean {
    return this.out.headersSent
  }

  /** There is no text of a status (RFC 9113 §8.3.2), and nothing that concerns the connection (§8.2.2). */
  writeHead(status: number, _: string | undefined, headers: AnswerHeaders, body: AnswerBody): void {
    const { out } = this
    const all: http2.OutgoingHttpHeaders = { ":status": this.statusFor(status) }
    for (const name of Object.keys(headers)) {
      if (ofConnection.has(name)) continue
      http.validateHeaderName(name)
      http.validateHeaderValue(name, String(headers[name]))
      all[name] = headers[name]
    }
    if (body !== "None") out.on("drain", () => void this.drains++)
    const waitForTrailers = body === "Trailed"
    if (waitForTrailers) out.on("wantTrailers", () => out.sendTrailers(this.trailers))
    out.respond(all, { endStream: body === "None", waitForTrailers })
  }

  finish(trailers: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(trailers)) {
      http.validateHeaderName(name)
      http.validateHeaderValue(name, value)
    }
    this.trailers = trailers
    this.out.end()
  }

  /** What would say yes to a WebSocket that nobody took (RFC 8441 §5, RFC 9110 §9.3.6). */
  private statusFor(status: number): number {
    return this.upgrade !== undefined && status >= 200 && status < 300 ? 501 : status
  }

  refuse(status: number): void {
    if (this.out.headersSent || this.out.closed || this.out.destroyed) return
    this.out.respond({ ":status": status, "content-length": 0 }, { endStream: true })
    if (this.out.endAfterHeaders) return
    // Whoever wanted a tunnel ends nothing before it is there.
    if (this.isTunnel) setImmediate(this.leaveBody)
    else this.body.discard(this.leaveBody)
  }

  // --- ending -------------------------------------------------------------------------------------------

  /** It is no request any more: it may take as long as it likes, and who takes it finds out when it is lost. */
  becomes(switched: NodeHttpSwitched): void {
    this.switched = switched
    if (this.fiber !== undefined) switched.handledBy(this.fiber)
    endDeadline(this)
    this.out.on("drain", () => void this.drains++)
  }

  /** The server stops. */
  drain(): void {
    this.switched?.drain()
  }

  /** Nobody waits for the answer any more. */
  lose(): void {
    if (this.switched !== undefined) return
    this.lost = true
    this.fiber?.interruptUnsafe(undefined, ClientAbort.annotation)
  }

  breakOff(): void {
    if (!this.out.closed) this.out.close(NGHTTP2_INTERNAL_ERROR)
  }

  /** Whether it was closed before all of the answer had left. */
  get isBrokenOff(): boolean {
    const { out } = this
    return !out.headersSent || out.aborted || (out.rstCode ?? 0) !== NGHTTP2_NO_ERROR
  }

  /** Its body takes too long. */
  onDeadline(): void {
    const { out } = this
    this.lose()
    if (out.headersSent) return out.close(NGHTTP2_CANCEL)
    this.refuse(408)
    this.leaveBody()
  }

  /** Resets it where nothing was taken for so long, in milliseconds, of what waits. */
  cutIfStuck(now: number, millis: number): void {
    const { out } = this
    const pending = `${out.writableLength} ${this.drains}`
    if (out.writableLength === 0 || pending !== this.pending) {
      this.pending = pending
      this.pendingSince = now
    } else if (now - this.pendingSince >= millis) {
      out.close(NGHTTP2_CANCEL)
      this.lose()
      out.destroy()
    }
  }
}

/** RFC 9113 §8.2.2. */
const ofConnection = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade"
])

const lengthOf = ({ "content-length": length }: http2.IncomingHttpHeaders): number | undefined =>
  length === undefined ? undefined : Number(length)

/** As with HTTP/1: the authority is the host, and a WebSocket is asked for by GET. */
const requestOf = (
  headers: http2.IncomingHttpHeaders
): HttpExchange["request"] & { trailers: HttpExchange["request"]["trailers"] } => {
  const plain = Object.create(null) as http.IncomingHttpHeaders
  const authority = headers[":authority"]
  if (authority !== undefined) plain.host = authority
  for (const name of Object.keys(headers)) {
    if (!name.startsWith(":") && (name !== "host" || authority === undefined)) plain[name] = headers[name]
  }
  const isUpgrade = NodeHttp2Upgrade.isAskedBy(headers)
  if (isUpgrade) plain.upgrade = "websocket"
  return {
    method: isUpgrade ? "GET" : headers[":method"],
    url: headers[":path"],
    httpVersion: "2.0",
    headers: plain,
    trailers: {}
  }
}
