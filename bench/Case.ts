/** What a benchmark case is: servers, a load, goals. */

/** One row of a table. */
export interface Server {
  readonly name: string
  readonly command: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Why it cannot be started here: its row says so, and nothing is run. */
  readonly absent?: string | undefined
  /** A peer that may be missing from a machine: goals against it are then skipped, not missed. */
  readonly optional?: boolean | undefined
  /** It only starts the server, as its child, and counts that one's processor time as its own. */
  readonly isWrapper?: boolean | undefined
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
  readonly unit:
    | "msgs/s"
    | "MB/s"
    | "lines/s"
    | "frames/s"
    | "conn/s"
    | "handshakes/s"
    | "requests/s"
    | "ops/s"
  readonly mode:
    | "echo"
    | "lines"
    | "frames"
    | "request-reply-lines"
    | "memcache-set"
    | "memcache-get"
    | "churn"
    | "udp"
    | "tls-echo"
    | "tls-handshakes"
    | "http"
    | "http-fresh"
    | "http2"
    | "websocket"
    | "websocket-fan"
  readonly load: ReadonlyArray<string>
  /** What each server is filled by before it is measured. Default: nothing is needed. */
  readonly filledBy?: Pick<RateCase, "mode" | "load"> | undefined
  /** What the server's processor time is divided by. */
  readonly per: "message" | "block" | "line" | "frame" | "connection" | "handshake" | "request" | "op"
  /** What goals compare: the rate, or what is done for each second of the server's processor time. Default `rate`. */
  readonly judgedBy?: "rate" | "processor" | undefined
}

/** Memory of the server for each open connection that does nothing. */
export interface IdleCase extends Common {
  readonly kind: "idle"
}

export type Case = RateCase | IdleCase
