/**
 * SCRAM-SHA-1 and SCRAM-SHA-256, RFC 5802 and 7677, and with channel binding (`-PLUS`). The password is not sent, the server
 * does not keep it, and proves that it knows it, too.
 */
import { encodeBase64 as base64 } from "./SaslBase64.ts"
import { joined, textOf, utf8, xor } from "./bytesOf.ts"
import { equalBytes } from "./constantTime.ts"
import { ScramProof } from "./Credentials.ts"
import { hmac } from "./Hash.ts"
import { NotAuthenticated } from "./SaslError.ts"
import {
  type ChannelBinding,
  type ClientMechanism,
  type ClientState,
  completed,
  type Failed,
  malformed,
  notAuthenticated,
  serverNotProven,
  type ServerMechanism,
  type ServerState
} from "./SaslMechanism.ts"
import * as Wire from "./SaslScramWire.ts"
import { prepareOrKeep } from "./SaslPrep.ts"
import { clientKeyOf, hashOf, type ScramHash, type ScramKeys, serverKeyOf } from "./ScramKeys.ts"

export const nameOf = (hash: ScramHash, plus: boolean): string => `SCRAM-${hash}${plus ? "-PLUS" : ""}`

/** A message that is signed: what both sides have said. */
const authMessage = (clientBare: string, serverFirst: string, clientFinal: string): Uint8Array =>
  utf8(`${clientBare},${serverFirst},${clientFinal}`)

// --- the server's side ----------------------------------------------------------------------------------

export interface ServerOptions {
  readonly hash: ScramHash
  /** Printable ASCII without commas, new each time: 18 random bytes in base64. */
  readonly nonce: string
  /** What the connection offers; `undefined` where nothing can be bound. */
  readonly binding?: ChannelBinding | undefined
  /** Whether the client chose the name with `-PLUS`. */
  readonly plus?: boolean | undefined
  /** Whether names with `-PLUS` were offered: then a client that says they were not has been lied to. Default: if there is a binding. */
  readonly plusOffered?: boolean | undefined
}

export const server = (options: ServerOptions): ServerMechanism => {
  const name = nameOf(options.hash, options.plus === true)
  const first = (bytes: Uint8Array): ServerState => {
    const text = textOf(bytes)
    const message = text === undefined ? undefined : Wire.parseClientFirst(text)
    if (message === undefined) return malformed("the first message is not: binding, name, nonce")
    const bound = checkBinding(message.binding, options)
    if (bound._tag === "Failed") return bound
    const username = prepareOrKeep(message.username)
    return {
      _tag: "AskScramKeys",
      username,
      hash: options.hash,
      answer: (keys) =>
        second(options, { ...message, username }, joined(utf8(message.header), bound.data), keys)
    }
  }
  return {
    name,
    start: (initial) =>
      initial === undefined
        ? { _tag: "Challenge", challenge: new Uint8Array(0), response: first }
        : first(initial)
  }
}

type Bound = { readonly _tag: "Bound"; readonly data: Uint8Array } | Failed

/** RFC 5802 §6: what the client says of channel binding, and what is so. */
const checkBinding = (
  said: Wire.BindingFlag,
  { binding, plus = false, plusOffered = binding !== undefined }: ServerOptions
): Bound => {
  if (said.flag === "p") {
    if (!plus || binding === undefined) return malformed("a channel binding, where none was agreed upon")
    return said.type === binding.type
      ? { _tag: "Bound", data: binding.data }
      : malformed(`a channel binding of the type ${said.type}, not ${binding.type}`)
  }
  if (plus) return malformed("no channel binding, where the mechanism is one with it")
  // Somebody between took the names with -PLUS away.
  if (said.flag === "y" && plusOffered) return malformed("the offer of channel binding did not arrive")
  return { _tag: "Bound", data: new Uint8Array(0) }
}

const second = (
  { hash, nonce: own }: ServerOptions,
  first: Wire.ClientFirst,
  binding: Uint8Array,
  shown: ScramKeys
): ServerState => {
  const nonce = first.nonce + own
  const serverFirst = `r=${nonce},s=${base64(shown.salt)},i=${shown.iterations}`
  return {
    _tag: "Challenge",
    challenge: utf8(serverFirst),
    response: (bytes) => {
      const text = textOf(bytes)
      const final = text === undefined ? undefined : Wire.parseClientFinal(text)
      if (final === undefined) return malformed("the second message is not: binding, nonce, proof")
      if (final.proof.length !== hashOf(hash).digestBytes) return malformed("the proof is none of this hash")
      if (final.nonce !== nonce) return malformed("the nonce is another one")
      if (!equalBytes(final.binding, binding)) return malformed("the channel is another one")
      const signed = authMessage(first.bare, serverFirst, final.withoutProof)
      const proves = (keys: ScramKeys): boolean => {
        const signature = hmac(hashOf(hash), keys.storedKey, signed)
        const clientKey = xor(final.proof, signature)
        return equalBytes(hashOf(hash).digest(clientKey), keys.storedKey)
      }
      return {
        _tag: "AskLogin",
        credentials: new ScramProof({
          username: first.username,
          hash,
          proves,
          authorizationId: first.authorizationId
        }),
        granted: {
          _tag: "Succeeded",
          data: utf8(`v=${base64(hmac(hashOf(hash), shown.serverKey, signed))}`)
        },
        refused: notAuthenticated
      }
    }
  }
}

// --- the client's side ----------------------------------------------------------------------------------

export interface ClientOptions {
  readonly hash: ScramHash
  /** As it was typed; `SaslPrep` is the caller's. */
  readonly username: string
  /** Prepared (`PasswordHash.passwordBytes`). */
  readonly password: Uint8Array
  readonly authorizationId?: string | undefined
  /** Printable ASCII without commas, new each time. */
  readonly nonce: string
  /** What the connection offers. */
  readonly binding?: ChannelBinding | undefined
  /** Whether the mechanism is the one with `-PLUS`. Default: false. */
  readonly plus?: boolean | undefined
  /** Fewer make guessing cheap for who listens: refused. Default: 4,096, RFC 7677's least. */
  readonly iterationsMin?: number | undefined
  /** More would keep us busy: refused. Default: 1,000,000. */
  readonly iterationsMax?: number | undefined
}

/** Throws a `TypeError` for a binding that is wanted and not there. */
export const client = (options: ClientOptions): ClientMechanism => {
  const { authorizationId, binding, hash, nonce, plus = false, username } = options
  if (plus && binding === undefined) throw new TypeError("there is no channel to bind to")
  const flag = plus ? `p=${binding!.type}` : binding === undefined ? "n" : "y"
  const header = `${flag},${authorizationId === undefined ? "" : `a=${Wire.encodeName(authorizationId)}`},`
  const bare = `n=${Wire.encodeName(username)},r=${nonce}`
  const bound = joined(utf8(header), plus ? binding!.data : new Uint8Array(0))
  return {
    name: nameOf(hash, plus),
    start: {
      _tag: "Awaiting",
      response: utf8(header + bare),
      challenge: (bytes) => clientFinal(options, bare, bound, bytes),
      success: () => serverNotProven("the server accepts before it has seen a proof")
    }
  }
}

const clientFinal = (
  { hash, iterationsMax = 1_000_000, iterationsMin = 4096, nonce: own, password }: ClientOptions,
  bare: string,
  bound: Uint8Array,
  bytes: Uint8Array
): ClientState => {
  const serverFirst = textOf(bytes) ?? ""
  const message = Wire.parseServerFirst(serverFirst)
  if (message === undefined) return malformed("the server's first message is not: nonce, salt, iterations")
  const { iterations, nonce, salt } = message
  if (!nonce.startsWith(own) || nonce === own) return malformed("the server's nonce is not made of ours")
  if (iterations < iterationsMin) return malformed(`${iterations} iterations are fewer than ${iterationsMin}`)
  if (iterations > iterationsMax) return malformed(`${iterations} iterations are more than ${iterationsMax}`)
  return {
    _tag: "Derive",
    hash,
    password,
    salt,
    iterations,
    derived: (salted) => {
      const clientKey = clientKeyOf(hash, salted)
      const withoutProof = `c=${base64(bound)},r=${nonce}`
      const signed = authMessage(bare, serverFirst, withoutProof)
      const proof = xor(clientKey, hmac(hashOf(hash), hashOf(hash).digest(clientKey), signed))
      const expected = hmac(hashOf(hash), serverKeyOf(hash, salted), signed)
      return {
        _tag: "Awaiting",
        response: utf8(`${withoutProof},p=${base64(proof)}`),
        // The last word of the server comes as a challenge where success can carry nothing.
        challenge: (last) => {
          const failed = verify(expected, last)
          if (failed !== undefined) return failed
          return {
            _tag: "Awaiting",
            response: new Uint8Array(0),
            challenge: () => malformed("a challenge after the end"),
            success: () => completed
          }
        },
        success: (data) =>
          data === undefined
            ? serverNotProven("the server has not proven that it knows the password")
            : (verify(expected, data) ?? completed)
      }
    }
  }
}

const verify = (expected: Uint8Array, bytes: Uint8Array): Failed | undefined => {
  const message = Wire.parseServerFinal(textOf(bytes) ?? "")
  if (message === undefined) return malformed("the server's last message is not: verifier")
  if ("error" in message) {
    return { _tag: "Failed", reason: new NotAuthenticated({ detail: message.error.slice(0, 100) }) }
  }
  return equalBytes(message.verifier, expected)
    ? undefined
    : serverNotProven("the server does not know the password")
}
