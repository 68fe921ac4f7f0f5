/** From the first byte to the request: which version, who it is, and what is asked for. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as Socks4Wire from "./Socks4Wire.ts"
import * as Socks5Wire from "./Socks5Wire.ts"
import type { SocksError } from "./SocksError.ts"
import { receive } from "./SocksReceive.ts"
import * as SocksReply from "./SocksReply.ts"
import type { SocksUsers } from "./SocksUsers.ts"
import type { Parsed, Request } from "./SocksWire.ts"

export interface Asking {
  readonly request: Request
  /** Who logged in. */
  readonly user: string | undefined
}

type First = { readonly request: Request } | { readonly methods: ReadonlyArray<number> }

const parseFirst = (bytes: Uint8Array): Parsed<First> =>
  bytes[0] === 4
    ? mapped(Socks4Wire.parseRequest(bytes), (request) => ({ request }))
    : mapped(Socks5Wire.parseGreeting(bytes), (methods) => ({ methods }))

const mapped = <A, B>(parsed: Parsed<A>, f: (value: A) => B): Parsed<B> =>
  Result.map(parsed, (found) => found && { value: f(found.value), size: found.size })

/** `undefined`: the client was told no, and the conversation is over. What is wrong with a request is told where there is a word for it. */
export const receiveRequest = (
  client: Transport,
  users: SocksUsers["Service"]
): Effect.Effect<Asking | undefined, SocksError | TransportError> =>
  Effect.tapError(
    Effect.flatMap(receive(client, parseFirst), (first) =>
      "request" in first ? older(client, users, first.request) : newer(client, users, first.methods)
    ),
    (error) => {
      const mistake = error._tag === "SocksError" ? SocksReply.ofMistake(error.reason) : undefined
      return mistake === undefined ? Effect.void : client.send(mistake)
    }
  )

/** SOCKS 4 has no passwords, and what it calls a user proves nothing. */
const older = (
  client: Transport,
  { check }: SocksUsers["Service"],
  request: Request
): Effect.Effect<Asking | undefined, TransportError> =>
  check === undefined
    ? Effect.succeed({ request, user: undefined })
    : Effect.as(client.send(SocksReply.format(4, Socks5Wire.code.forbidden)), undefined)

const newer = Effect.fnUntraced(function* (
  client: Transport,
  { check }: SocksUsers["Service"],
  methods: ReadonlyArray<number>
): Effect.fn.Return<Asking | undefined, SocksError | TransportError> {
  const { none, password, unacceptable } = Socks5Wire.method
  const wanted = check === undefined ? none : password
  const chosen = methods.includes(wanted) ? wanted : unacceptable
  yield* client.send(Socks5Wire.formatChoice(chosen))
  if (chosen === unacceptable) return undefined
  let user: string | undefined
  if (check !== undefined) {
    const login = yield* receive(client, Socks5Wire.parseLogin)
    const isRight = yield* check(login.user, login.password)
    yield* client.send(Socks5Wire.formatLoginReply(isRight))
    if (!isRight) {
      yield* Effect.logWarning("socks login rejected").pipe(Effect.annotateLogs("user", login.user))
      return undefined
    }
    user = login.user
  }
  return { request: yield* receive(client, Socks5Wire.parseRequest), user }
})
