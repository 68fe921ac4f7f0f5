/** One request and its answer, as Node has them. */
import type * as http from "node:http"
import type { Writable } from "node:stream"
import type * as Fiber from "effect/Fiber"
import { ClientAbort } from "effect/http/HttpServerError"
import type { Transport } from "../reactor/Transport.ts"
import { type BodyHost, discardBytesMax, NodeHttpBody } from "./NodeHttpBody.ts"
import type { NodeHttpSwitched } from "./NodeHttpSwitched.ts"
import type { HttpUpgrade } from "./NodeHttpUpgrade.ts"

/** What `NodeHttpRequest` and `NodeHttpResponse` are made over, of whatever version of HTTP. */
export interface HttpExchange {
  readonly request: {
    readonly method?: string | undefined
    readonly url?: string | undefined
    /** `1.0`, `1.1`, `2.0`. */
    readonly httpVersion: string
    readonly headers: http.IncomingHttpHeaders
    /** What has come behind the body, once that was read. */
    readonly trailers: Readonly<Record<string, string | Array<string> | undefined>>
  }
  readonly host: { readonly transport: Transport }
  readonly body: Pick<NodeHttpBody, "whole" | "pieces">
  /** Where the connection may go on with another protocol. */
  readonly upgrade: HttpUpgrade | undefined
  /** The status to refuse it with. */
  readonly fault: number | undefined
  /** What the body of the answer is written to. */
  readonly out: Writable
  /** Bytes above which what is written goes piece by piece. */
  readonly pieceBytesMax: number
  readonly isLost: boolean
  readonly headersSent: boolean
  /** Throws over what cannot be sent as it is. */
  readonly writeHead: (
    status: number,
    statusText: string | undefined,
    headers: AnswerHeaders,
    body: AnswerBody
  ) => void
  /** Ends the body, with these behind it, where it was announced as `Trailed`. */
  readonly finish: (trailers: Readonly<Record<string, string>>) => void
  /** It is its turn. */
  readonly begin: () => void
  /** Answers it with its fault. */
  readonly refuse: (status: number) => void
  readonly answeredBy: (fiber: Fiber.Fiber<void>) => void
  /** What was sent of the answer must not pass for the whole. */
  readonly breakOff: () => void
}

export type AnswerHeaders = Record<string, string | Array<string>>

/** What follows the header. */
export type AnswerBody = "None" | "Bytes" | "Stream" | "Trailed"

/** The connection that it is on. */
export interface ExchangeHost {
  readonly transport: Transport
  /** Whether no other request is answered behind this one. */
  readonly isLast: (exchange: NodeHttpExchange) => boolean
  /** Ends it behind what was written, and lets the peer read that. */
  readonly end: () => void
}

export class NodeHttpExchange implements HttpExchange, BodyHost {
  readonly request: http.IncomingMessage
  readonly response: http.ServerResponse
  readonly host: ExchangeHost
  readonly body: NodeHttpBody
  readonly fault: number | undefined
  readonly pieceBytesMax = Number.POSITIVE_INFINITY
  upgrade: HttpUpgrade | undefined = undefined
  /** What came of its connection. */
  private switched: NodeHttpSwitched | undefined = undefined
  /** The peer sends its body when it is told to (RFC 9110 §10.1.1). */
  private expectsContinue: boolean
  private fiber: Fiber.Fiber<void> | undefined = undefined
  private lost = false

  constructor(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    host: ExchangeHost,
    fault: number | undefined,
    expectsContinue: boolean
  ) {
    this.request = request
    this.response = response
    this.host = host
    this.fault = fault
    this.expectsContinue = expectsContinue
    this.body = new NodeHttpBody(this, request, lengthOf(request.headers))
    response.strictContentLength = true
    // Before Node's own, which reads a body that nobody has read to its end, however long it is.
    if (this.body.length !== 0) response.prependListener("finish", () => this.body.discard(host.end))
  }

  get isBodyComplete(): boolean {
    return this.request.complete
  }

  sayContinue(): void {
    if (!this.expectsContinue) return
    this.expectsContinue = false
    if (!this.response.headersSent && !this.response.destroyed) this.response.writeContinue()
  }

  /** Node has done so for all but those that may go on with another protocol. */
  begin(): void {
    const { request, response, upgrade } = this
    if (upgrade !== undefined) response.assignSocket(request.socket)
  }

  /** What answers it. */
  answeredBy(fiber: Fiber.Fiber<void>): void {
    this.fiber = fiber
    this.switched?.handledBy(fiber)
    if (this.lost) this.lose()
  }

  /** Nobody waits for the answer any more. */
  lose(): void {
    this.lost = true
    this.fiber?.interruptUnsafe(undefined, ClientAbort.annotation)
  }

  /** It is no request any more. */
  becomes(switched: NodeHttpSwitched): void {
    this.switched = switched
    if (this.fiber !== undefined) switched.handledBy(this.fiber)
  }

  get isLost(): boolean {
    const { lost, response, upgrade } = this
    return lost || response.destroyed || response.writableEnded || upgrade?.isTaken === true
  }

  get out(): http.ServerResponse {
    return this.response
  }

  get headersSent(): boolean {
    return this.response.headersSent
  }

  writeHead(status: number, statusText: string | undefined, headers: AnswerHeaders, body: AnswerBody): void {
    const all = this.closes(body) ? { ...headers, connection: "close" } : headers
    if (statusText === undefined) this.response.writeHead(status, all)
    else this.response.writeHead(status, statusText, all)
  }

  finish(trailers: Readonly<Record<string, string>>): void {
    this.response.addTrailers(trailers)
    this.response.end()
  }

  refuse(status: number): void {
    this.response.writeHead(status, { connection: "close", "content-length": 0 }).end()
  }

  breakOff(): void {
    this.response.destroy()
  }

  /**
   * Whether the connection cannot go on behind this answer, known when its header is written. A stream may still read the body
   * while it is sent.
   */
  private closes(body: AnswerBody): boolean {
    if (this.host.isLast(this)) return true
    if (this.request.complete) return false
    return (
      this.expectsContinue || (body !== "Stream" && body !== "Trailed" && this.body.rest > discardBytesMax)
    )
  }
}

const lengthOf = (headers: http.IncomingHttpHeaders): number | undefined => {
  const length = headers["content-length"]
  if (length !== undefined) return Number(length)
  return headers["transfer-encoding"] === undefined ? 0 : undefined
}
