/** A request to go on with another protocol on its connection (RFC 9110 §7.8), for who can. */
import * as Effect from "effect/Effect"
import { sendNow } from "../reactor/sendNow.ts"
import type { Closeable } from "../reactor/Transport.ts"
import type { NodeHttpSwitched } from "./NodeHttpSwitched.ts"

export type Fields = ReadonlyArray<readonly [name: string, value: string]>

/** Of whatever version of HTTP. */
export interface HttpUpgrade {
  /** Whether it is too late to begin with anything. */
  readonly isLate: boolean
  readonly isTaken: boolean
  /** Whether a handshake has a key, which the answer proves to have been read: a stream of HTTP/2 has none (RFC 8441 §5). */
  readonly hasKey: boolean
  /** Says so, with these fields, and gives the connection away, once: HTTP is done with it, and whoever takes it closes it. */
  readonly take: (fields: Fields) => Effect.Effect<NodeHttpSwitched>
}

export interface UpgradeHost {
  readonly server: { readonly isDraining: boolean }
  /** Gives the connection away. */
  readonly give: () => Effect.Effect<NodeHttpSwitched>
}

/** On a connection of HTTP/1. */
export class NodeHttpUpgrade implements HttpUpgrade {
  readonly hasKey = true
  private readonly host: UpgradeHost
  /** What came behind the request. */
  private readonly surplus: Uint8Array
  private taken = false

  constructor(host: UpgradeHost, surplus: Uint8Array) {
    this.host = host
    this.surplus = surplus
  }

  get isTaken(): boolean {
    return this.taken
  }

  get isLate(): boolean {
    return this.host.server.isDraining
  }

  take(fields: Fields): Effect.Effect<NodeHttpSwitched> {
    return Effect.suspend(() => {
      this.taken = true
      return Effect.tap(this.host.give(), ({ transport }) => this.begin(transport, fields))
    })
  }

  /** Who is lost meanwhile is found lost by whoever took it. */
  private begin(transport: Closeable, fields: Fields): Effect.Effect<void> {
    const { surplus } = this
    const answered = Effect.ignore(Effect.suspend(() => sendNow(transport, headOf(fields))))
    return surplus.length === 0 ? answered : Effect.andThen(transport.unread(surplus), answered)
  }
}

const headOf = (fields: Fields): string => {
  let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
  for (const [name, value] of fields) head += `${name}: ${value}\r\n`
  return `${head}\r\n`
}
