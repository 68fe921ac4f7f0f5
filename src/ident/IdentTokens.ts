/**
 * Users by tokens: nobody is named, and yet whoever has a complaint can say about whom. Each connection gets a random word; whose it is stands
 * in the log of this machine, once (RFC 1413 6: the user is `OTHER` then, which says that it is no name of an account).
 */
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import { IdentUsers, type Owned } from "./IdentUsers.ts"

export interface Options {
  /** Connections whose tokens are remembered, so that asking again gives and logs nothing new. Default 1,024. */
  readonly connectionsMax?: number | undefined
  /** The bytes of a token. Default: 12 by chance. */
  readonly tokenBytes?: Effect.Effect<Uint8Array> | undefined
}

const usual = Effect.sync(() => SecureRandom.randomBytesUnsafe(12))

const keyOf = ({ local, peer }: Owned, user: string): string =>
  `${NetAddress.formatSocketAddress(local)} ${NetAddress.formatSocketAddress(peer)} ${user}`

/** The users of another service, hidden; what that one refuses to tell is refused. */
export const make = (users: IdentUsers["Service"], options: Options = {}): IdentUsers["Service"] => {
  const { connectionsMax = 1_024, tokenBytes = usual } = options
  /** The oldest first. */
  const tokens = new Map<string, string>()
  return {
    identify: Effect.fnUntraced(function* (connection) {
      const answer = yield* users.identify(connection)
      if (answer._tag !== "UserId") return answer
      // Ports are used again, by others.
      const key = keyOf(connection, answer.user)
      let token = tokens.get(key)
      if (token === undefined) {
        token = Hex.encode(yield* tokenBytes)
        tokens.set(key, token)
        for (const oldest of tokens.keys()) {
          if (tokens.size <= connectionsMax) break
          tokens.delete(oldest)
        }
        yield* Effect.logInfo("ident token").pipe(
          Effect.annotateLogs({
            token,
            user: answer.user,
            local: NetAddress.formatSocketAddress(connection.local),
            remote: NetAddress.formatSocketAddress(connection.peer)
          })
        )
      }
      return { _tag: "UserId", system: "OTHER", user: token }
    })
  }
}

/** Hides the users of the service that is there. */
export const layer = (options?: Options): Layer.Layer<IdentUsers, never, IdentUsers> =>
  Layer.effect(
    IdentUsers,
    Effect.map(IdentUsers, (users) => make(users, options))
  )
