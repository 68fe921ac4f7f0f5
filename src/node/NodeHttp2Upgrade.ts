/** A stream of HTTP/2 that asks to become a WebSocket: the extended CONNECT of RFC 8441. */
import type * as http2 from "node:http2"
import * as Effect from "effect/Effect"
import type { Transport } from "../reactor/Transport.ts"
import type { Fields, HttpUpgrade } from "./NodeHttpUpgrade.ts"
import { NodeHttpSwitched } from "./NodeHttpSwitched.ts"
import { closeableFromDuplex } from "./NodeDuplex.ts"

/** Whether it is one; the protocol is all that is asked for so, and told apart by the case too (RFC 9220 §3, RFC 8441 §5). */
export const isAskedBy = (headers: http2.IncomingHttpHeaders): boolean =>
  headers[":method"] === "CONNECT" && headers[":protocol"] === "websocket"

export interface Upgrade2Host {
  readonly out: http2.ServerHttp2Stream
  readonly host: { readonly transport: Transport; readonly isDraining: boolean }
  /** It is no request any more. */
  readonly becomes: (switched: NodeHttpSwitched) => void
}

export class NodeHttp2Upgrade implements HttpUpgrade {
  readonly hasKey = false
  isTaken = false
  private readonly exchange: Upgrade2Host

  constructor(exchange: Upgrade2Host) {
    this.exchange = exchange
  }

  get isLate(): boolean {
    return this.exchange.host.isDraining
  }

  /** A status that says yes, and frames in DATA from then on. What the peer gives up, or loses, is lost to who takes it. */
  take(fields: Fields): Effect.Effect<NodeHttpSwitched> {
    return Effect.suspend(() => {
      this.isTaken = true
      const { exchange } = this
      const { host, out } = exchange
      const headers: http2.OutgoingHttpHeaders = { ":status": 200 }
      for (const [name, value] of fields) headers[name.toLowerCase()] = value
      if (!out.destroyed && !out.closed) out.respond(headers)
      const { local, peer, security } = host.transport
      return Effect.map(closeableFromDuplex(out, { local, peer, security }), (transport) => {
        const switched = new NodeHttpSwitched(transport)
        exchange.becomes(switched)
        return switched
      })
    })
  }
}
