/** One request and its answer, as Node has them. */
import type * as http from "node:http"
import type * as Fiber from "effect/Fiber"
import { ClientAbort } from "effect/http/HttpServerError"
import type { Transport } from "../reactor/Transport.ts"
import { discardBytesMax, NodeHttpBody } from "./NodeHttpBody.ts"
import type { NodeHttpUpgrade } from "./NodeHttpUpgrade.ts"

/** The connection that it is on. */
export interface ExchangeHost {
  readonly transport: Transport
  /** Whether no other request is answered behind this one. */
  readonly isLast: (exchange: NodeHttpExchange) => boolean
  /** Ends it behind what was written, and lets the peer read that. */
  readonly end: () => void
}

export class NodeHttpExchange {
  readonly request: http.IncomingMessage
  readonly response: http.ServerResponse
  readonly host: ExchangeHost
  readonly body: NodeHttpBody
  /** The status to refuse it with. */
  readonly fault: number | undefined
  /** Where the connection may go on with another protocol. */
  upgrade: NodeHttpUpgrade | undefined = undefined
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
    this.body = new NodeHttpBody(request, () => this.sayContinue())
    response.strictContentLength = true
    // Before Node's own, which reads a body that nobody has read to its end, however long it is.
    if (this.body.length !== 0) response.prependListener("finish", () => this.body.discard(host.end))
  }

  private sayContinue(): void {
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
    if (this.lost) this.lose()
  }

  /** Nobody waits for the answer any more. */
  lose(): void {
    this.lost = true
    this.fiber?.interruptUnsafe(undefined, ClientAbort.annotation)
  }

  get isLost(): boolean {
    const { lost, response, upgrade } = this
    return lost || response.destroyed || response.writableEnded || upgrade?.isTaken === true
  }

  /**
   * Whether the connection cannot go on behind this answer, known when its header is written. A stream may still read the body
   * while it is sent.
   */
  closes(isStream: boolean): boolean {
    if (this.host.isLast(this)) return true
    if (this.request.complete) return false
    return this.expectsContinue || (!isStream && this.body.rest > discardBytesMax)
  }
}
