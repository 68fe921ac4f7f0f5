/**
 * memcached's text authentication (doc/protocol.txt): the first command is `set ANY 0 0 BYTES` with `USER PASSWORD` for a value. Nothing
 * else is answered before, and little is held of it.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { MemcacheCounters } from "./MemcacheCounters.ts"
import * as MemcacheRequestWire from "./MemcacheRequestWire.ts"
import type { Request } from "./MemcacheRequestLine.ts"
import type { Authenticate } from "./MemcacheUsers.ts"

export interface Entered {
  /** What the client hears, perhaps nothing. */
  readonly reply: string
  /** The connection ends. */
  readonly isOver: boolean
  /** The user is known: what came behind. */
  readonly rest: Uint8Array | undefined
}

const limits = { lineBytesMax: 2_048, valueBytesMax: 1_024 }
/** Mistakes of a connection, before it ends. */
const mistakesMax = 3

export class MemcacheLogin {
  readonly decoder = MemcacheRequestWire.decoder(limits)
  private readonly authenticate: Authenticate
  private readonly counters: MemcacheCounters
  private mistakes = 0
  private said = ""

  constructor(authenticate: Authenticate, counters: MemcacheCounters) {
    this.authenticate = authenticate
    this.counters = counters
  }

  /** Looks at what has come, up to the password that is right. */
  readonly next: Effect.Effect<Entered> = Effect.suspend(() => {
    this.said = ""
    return this.look()
  })

  private look(): Effect.Effect<Entered> {
    const { decoder } = this
    for (let request = decoder.next(); request !== undefined; request = decoder.next()) {
      if (request._tag === "Quit") return this.entered(true)
      const found = credentials(request)
      if (typeof found !== "string") return this.check(found.user, found.password)
      if (this.isTooMany(found) || (request._tag === "Invalid" && request.isFatal)) return this.entered(true)
    }
    if (decoder.failure === undefined) return this.entered(false)
    this.said += "CLIENT_ERROR unauthenticated\r\n"
    return this.entered(true)
  }

  private check(user: string, password: Redacted.Redacted): Effect.Effect<Entered> {
    this.counters.auth_cmds++
    return Effect.flatMap(this.authenticate(user, password), (isRight) => {
      if (isRight) {
        return Effect.succeed({
          reply: `${this.said}STORED\r\n`,
          isOver: false,
          rest: this.decoder.takeRest()
        })
      }
      this.counters.auth_errors++
      return this.isTooMany("authentication failure") ? this.entered(true) : this.look()
    })
  }

  private isTooMany(complaint: string): boolean {
    this.said += `CLIENT_ERROR ${complaint}\r\n`
    return ++this.mistakes >= mistakesMax
  }

  private entered(isOver: boolean): Effect.Effect<Entered> {
    return Effect.succeed({ reply: this.said, isOver, rest: undefined })
  }
}

/** User and password; or what is wrong. */
const credentials = (
  request: Request
): { readonly user: string; readonly password: Redacted.Redacted } | string => {
  if (request._tag !== "Store" || request.mode !== "set") return "unauthenticated"
  const { buffer, byteOffset, length } = request.value
  const text = Buffer.from(buffer, byteOffset, length).toString()
  const space = text.indexOf(" ")
  return space < 0
    ? "bad authentication token format"
    : { user: text.slice(0, space), password: Redacted.make(text.slice(space + 1)) }
}
