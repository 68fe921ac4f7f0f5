/**
 * The shape of a SASL mechanism (RFC 4422) as two pure machines. A state is a value that says what is to be done now, with the
 * states that follow as functions of what comes; whoever drives it (`SaslServer`, `SaslClient`, or a test) does the waiting,
 * the asking and the slow arithmetic. No state is changed, so an exchange can be tried again from any point of it.
 */
import type { Credentials } from "./Credentials.ts"
import { Malformed, NotAuthenticated, type SaslReason, ServerNotProven } from "./SaslError.ts"
import type { ScramHash, ScramKeys } from "./ScramKeys.ts"

// --- the server's side ----------------------------------------------------------------------------------

/** Send this, and wait for the response. */
export interface Challenge {
  readonly _tag: "Challenge"
  readonly challenge: Uint8Array
  readonly response: (bytes: Uint8Array) => ServerState
}
/** Look up what SCRAM has to know of a user. */
export interface AskScramKeys {
  readonly _tag: "AskScramKeys"
  readonly username: string
  readonly hash: ScramHash
  readonly answer: (keys: ScramKeys) => ServerState
}
/** Are these credentials good? */
export interface AskLogin<out C extends Credentials = Credentials> {
  readonly _tag: "AskLogin"
  readonly credentials: C
  /** `Succeeded`. */
  readonly granted: ServerState
  /** Usually `Failed`; first a challenge where the mechanism has more to say. */
  readonly refused: ServerState
}
/** What goes with the success of the protocol, where the mechanism has something to say with it. */
export interface Succeeded {
  readonly _tag: "Succeeded"
  readonly data: Uint8Array | undefined
}
export interface Failed {
  readonly _tag: "Failed"
  readonly reason: SaslReason
}

export type ServerState = Challenge | AskScramKeys | AskLogin | Succeeded | Failed

export interface ServerMechanism {
  readonly name: string
  /** `undefined`: the client sent no initial response. No bytes are one. */
  readonly start: (initial: Uint8Array | undefined) => ServerState
}

// --- the client's side ----------------------------------------------------------------------------------

/** Send this, if there is something, and wait for a challenge or the end. */
export interface Awaiting {
  readonly _tag: "Awaiting"
  /** `undefined` only at the beginning, where the server speaks first. */
  readonly response: Uint8Array | undefined
  readonly challenge: (bytes: Uint8Array) => ClientState
  /** The server says that all is well. Whether it is, a mechanism that knows the server decides. */
  readonly success: (data: Uint8Array | undefined) => Completed | Failed
}
/** Work out PBKDF2. */
export interface Derive {
  readonly _tag: "Derive"
  readonly hash: ScramHash
  readonly password: Uint8Array
  readonly salt: Uint8Array
  readonly iterations: number
  readonly derived: (salted: Uint8Array) => ClientState
}
export interface Completed {
  readonly _tag: "Completed"
}

export type ClientState = Awaiting | Derive | Completed | Failed

export interface ClientMechanism {
  readonly name: string
  readonly start: ClientState
}

/** What ties an exchange to the connection below it. RFC 5056. */
export interface ChannelBinding {
  readonly type: "tls-exporter" | "tls-unique" | "tls-server-end-point"
  readonly data: Uint8Array
}

/** A mechanism that is one response, as a server sees it. */
export const oneResponse = (name: string, read: (response: Uint8Array) => ServerState): ServerMechanism => ({
  name,
  start: (initial) =>
    initial === undefined
      ? { _tag: "Challenge", challenge: new Uint8Array(0), response: read }
      : read(initial)
})

/** The same as a client sees it: there is nothing more to say. */
export const oneAnswer = (name: string, response: Uint8Array): ClientMechanism => ({
  name,
  start: {
    _tag: "Awaiting",
    response,
    challenge: () => unexpected("a challenge where there is nothing more to say"),
    success: () => completed
  }
})

export const completed: Completed = { _tag: "Completed" }
export const succeeded: Succeeded = { _tag: "Succeeded", data: undefined }

/** What the peer sent is no message of the mechanism. */
export const malformed = (detail: string): Failed => ({
  _tag: "Failed",
  reason: new Malformed({ detail })
})
export const unexpected = malformed
export const notAuthenticated: Failed = { _tag: "Failed", reason: new NotAuthenticated({}) }
export const serverNotProven = (detail: string): Failed => ({
  _tag: "Failed",
  reason: new ServerNotProven({ detail })
})
