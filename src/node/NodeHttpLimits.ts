/** What an HTTP server bears, and for how long. */
import type * as Duration from "effect/Duration"
import { timerMillis } from "./timerMillis.ts"

export interface Options {
  /** Request line and header fields, in bytes; more is answered with 431. Default 16,384. */
  readonly headerBytesMax?: number | undefined
  /** Header fields; more are answered with 431. Default 100. */
  readonly headersMax?: number | undefined
  /** The request target, in bytes; more is answered with 414. Default 8,192. */
  readonly targetBytesMax?: number | undefined
  /**
   * A request's body, in bytes; more is refused with 413 before it is read, where its length is told, and before `100 Continue`.
   * It is the default of Effect's `MaxBodySize`, which a route may set for itself. `Infinity`: no limit. Default 1,048,576.
   */
  readonly bodyBytesMax?: number | undefined
  /** Connections; more are closed at once. Default 10,000. */
  readonly connectionsMax?: number | undefined
  /**
   * Connections of one peer: an IPv4 address, or the 64 leading bits of an IPv6 one, as a PROXY header says where there is one; all
   * of a UNIX socket are one. More are closed at once. Behind a proxy that sends no such header, and a NAT, many are one peer. A browser
   * opens 6 at most. Default `Infinity`: no limit.
   */
  readonly connectionsPerPeerMax?: number | undefined
  /** Requests at once on one connection of HTTP/2; more are refused, to be tried again. Default 100. */
  readonly streamsMax?: number | undefined
  /** Offers HTTP/2 by ALPN where the endpoint has TLS, and names no protocols itself. Default `true`. */
  readonly http2?: boolean | undefined
  /** Takes HTTP/2 without TLS from peers that begin with it (RFC 9113 §3.3), as proxies do. Default `false`. */
  readonly http2PriorKnowledge?: boolean | undefined
  /** Requests on one connection, which is closed then. 0: no limit. Default 10,000. */
  readonly requestsPerConnectionMax?: number | undefined
  /** From the beginning of a connection, or of a request, to the end of its header; 408 then. Default 30 seconds. */
  readonly headerTimeout?: Duration.Input | undefined
  /** From the beginning of a request to the end of its body; 408 then, or an abort where the answer has begun. Default 5 minutes. */
  readonly requestTimeout?: Duration.Input | undefined
  /**
   * How long a connection may do nothing between two requests; peers are told, and have a second more. Behind a load balancer,
   * more than its own. Default 15 seconds.
   */
  readonly keepAliveTimeout?: Duration.Input | undefined
  /** How long a peer may take nothing of an answer that waits for it; then the connection is reset. Default 30 seconds. */
  readonly sendTimeout?: Duration.Input | undefined
  /**
   * How long an answer may take whose peer has ended its own side, and is sent nothing meanwhile: it may wait, as `nc -N` does, but
   * whoever has gone looks the same. Then the request is interrupted. Default 1 second.
   */
  readonly halfClosedTimeout?: Duration.Input | undefined
  /**
   * A connection that has done nothing for so long is closed at once when the server stops; any other one may still ask, once, for
   * as long: what is on its way would be lost. Default 250 milliseconds.
   */
  readonly drainIdleTimeout?: Duration.Input | undefined
  /** How long requests may take to end by themselves once the server stops. Default 5 seconds. */
  readonly drainTimeout?: Duration.Input | undefined
  /** How long interrupted requests may take to clean up, and to say 503, before their connections are reset. Default 1 second. */
  readonly interruptTimeout?: Duration.Input | undefined
}

/** The same, with nothing left open; times in milliseconds. */
export interface Limits {
  readonly headerBytesMax: number
  readonly headersMax: number
  readonly targetBytesMax: number
  readonly bodyBytesMax: number
  readonly connectionsMax: number
  readonly connectionsPerPeerMax: number
  readonly streamsMax: number
  readonly http2PriorKnowledge: boolean
  readonly requestsPerConnectionMax: number
  readonly headerTimeout: number
  readonly requestTimeout: number
  readonly keepAliveTimeout: number
  readonly sendTimeout: number
  readonly halfClosedTimeout: number
  readonly drainIdleTimeout: number
  readonly drainTimeout: number
  readonly interruptTimeout: number
}

const mebibyte = 1_048_576

export const make = (options: Options): Limits => {
  const requestTimeout = timerMillis(options.requestTimeout ?? "5 minutes")
  return {
    headerBytesMax: options.headerBytesMax ?? 16_384,
    headersMax: options.headersMax ?? 100,
    targetBytesMax: options.targetBytesMax ?? 8_192,
    bodyBytesMax: options.bodyBytesMax ?? mebibyte,
    connectionsMax: options.connectionsMax ?? 10_000,
    connectionsPerPeerMax: options.connectionsPerPeerMax ?? Number.POSITIVE_INFINITY,
    streamsMax: options.streamsMax ?? 100,
    http2PriorKnowledge: options.http2PriorKnowledge ?? false,
    requestsPerConnectionMax: options.requestsPerConnectionMax ?? 10_000,
    // Node takes no longer one.
    headerTimeout: Math.min(timerMillis(options.headerTimeout ?? "30 seconds"), requestTimeout),
    requestTimeout,
    keepAliveTimeout: timerMillis(options.keepAliveTimeout ?? "15 seconds"),
    sendTimeout: timerMillis(options.sendTimeout ?? "30 seconds"),
    halfClosedTimeout: timerMillis(options.halfClosedTimeout ?? "1 second"),
    drainIdleTimeout: timerMillis(options.drainIdleTimeout ?? "250 millis"),
    drainTimeout: timerMillis(options.drainTimeout ?? "5 seconds"),
    interruptTimeout: timerMillis(options.interruptTimeout ?? "1 second")
  }
}

const checksMin = 50
const checksMax = 1_000

/** How often to look at who is late: a quarter of the time in question, once a second at most and at least every 50 ms. */
export const checkingInterval = (timeout: number): number =>
  Math.min(Math.max(Math.floor(timeout / 4), checksMin), checksMax)
